import type { Stores } from '../../../catalog/catalog.ts'
import { jsonReply } from '../../../http/reply.ts'
import type { Route } from '../../../http/route.ts'
import { asking } from '../../../lake/table/asked-names.ts'
import { getNamespace } from '../../namespaces/namespaces.ts'
import { registerTable, unregisterTable } from '../register-table.ts'
import { renameRestTable } from '../rename-table.ts'
import { takeMetricsReport } from '../report-metrics.ts'
import type { RestServices } from '../rest-services.ts'
import { askedByMaker } from './asked-access.ts'
import {
  defineRestRoute,
  NAMESPACE,
  NO_CONTENT_REPLY,
  namespaceOf,
  onNamespace,
  onRestTable,
  TABLE,
  tableName,
} from './rest-route.ts'
import {
  IdentifierListAnswer,
  LoadTableAnswer,
  UnregisterAnswer,
} from './shapes/rest-answer-shapes.ts'
import { MetricsReport, RegisterRequest, RenameRequest } from './shapes/rest-request-shapes.ts'
import { changedTableReply, metadataReply } from './table-reply.ts'

export function tableMoreRoutes(deps: RestServices): readonly Route[] {
  return [...movingRoutes(deps), ...sideRoutes(deps)]
}

function movingRoutes(deps: RestServices): readonly Route[] {
  return [
    defineRestRoute(
      {
        method: 'post',
        path: '/v1/{prefix}/tables/rename',
        operationId: 'icebergRenameTable',
        permission: 'in-use-case',
        summary: 'Rename a table',
        description: 'Possibly into another namespace, which must exist.',
        body: RenameRequest,
        answers: [{ status: 204, description: 'Renamed.' }],
        problems: [
          'table-not-found',
          'namespace-not-found',
          'table-already-exists',
          'update-invalid',
          'name-invalid',
        ],
      },
      async (call) => {
        await renameRestTable(asking(deps, call), call.body, call)
        return NO_CONTENT_REPLY
      },
    ),
    defineRestRoute(
      {
        method: 'post',
        path: `${NAMESPACE}/register`,
        operationId: 'icebergRegisterTable',
        permission: 'in-use-case',
        summary: 'Register a table from its metadata file',
        body: RegisterRequest,
        answers: [{ status: 200, description: 'Registered.', shape: LoadTableAnswer }],
        problems: [
          'namespace-not-found',
          'table-already-exists',
          'file-not-found',
          'update-invalid',
          'location-not-allowed',
          'location-taken',
          'name-invalid',
          'commit-state-unknown',
        ],
      },
      async (call) => {
        const request = { namespace: namespaceOf(call), json: call.body }
        const table = await registerTable(asking(deps, call), request, call)
        return changedTableReply(deps, table, { ...call, asked: () => askedByMaker(call) })
      },
    ),
    defineRestRoute(
      {
        method: 'post',
        path: `${TABLE}/unregister`,
        operationId: 'icebergUnregisterTable',
        permission: onRestTable('own'),
        summary: 'Unregister a table, keeping its files',
        answers: [{ status: 200, description: 'Its last metadata.', shape: UnregisterAnswer }],
        problems: ['table-not-found'],
      },
      async (call) => {
        const asked = asking(deps, call)
        return metadataReply(await unregisterTable(asked, tableName(call), call.keeper))
      },
    ),
  ]
}

function sideRoutes(deps: Stores<'namespaces' | 'tables'>): readonly Route[] {
  return [
    defineRestRoute(
      {
        method: 'post',
        path: `${TABLE}/metrics`,
        operationId: 'icebergReportMetrics',
        permission: onRestTable('select'),
        changesNothing: true,
        summary: 'Report metrics of a scan or commit',
        description: 'Accepts the report and ignores it.',
        body: MetricsReport,
        answers: [{ status: 204, description: 'Taken.' }],
        problems: ['table-not-found', 'update-invalid'],
      },
      async (call) => {
        await takeMetricsReport(asking(deps, call), { name: tableName(call), json: call.body })
        return NO_CONTENT_REPLY
      },
    ),
    defineRestRoute(
      {
        method: 'get',
        path: `${NAMESPACE}/functions`,
        operationId: 'icebergListFunctions',
        permission: onNamespace('describe'),
        summary: 'List the functions of a namespace',
        description: 'This service has no functions.',
        answers: [{ status: 200, description: 'An empty list.', shape: IdentifierListAnswer }],
        problems: ['namespace-not-found'],
      },
      async (call) => {
        await getNamespace(deps, namespaceOf(call))
        return jsonReply({ identifiers: [], 'next-page-token': null })
      },
    ),
  ]
}
