import { getRestTable } from '../load-table.ts'
import { getNamespace } from '../namespaces.ts'
import { registerTable, unregisterTable } from '../register-table.ts'
import { renameTable } from '../rename-table.ts'
import { takeMetricsReport } from '../report-metrics.ts'
import { json, noContent } from './rest-reply.ts'
import type { IcebergRoute } from './rest-route.ts'
import { tableName } from './rest-table-routes.ts'
import { metadataReply, tableReply } from './table-reply.ts'

const NAMESPACE = '/v1/{prefix}/namespaces/{namespace}'
const TABLE = `${NAMESPACE}/tables/{table}`

export const TABLE_MORE_ROUTES: readonly IcebergRoute[] = [
  {
    method: 'POST',
    path: '/v1/{prefix}/tables/rename',
    isMutation: true,
    handle: async ({ deps, body, keeper }) => {
      await renameTable(deps, body, keeper)
      return noContent()
    },
  },
  {
    method: 'POST',
    path: `${NAMESPACE}/register`,
    isMutation: true,
    handle: async ({ deps, namespace, body, keeper }) => {
      const request = { namespace: namespace(), json: body }
      return tableReply(await registerTable(deps, request, keeper), 'all')
    },
  },
  {
    method: 'POST',
    path: `${TABLE}/unregister`,
    isMutation: true,
    handle: async (call) => {
      return metadataReply(await unregisterTable(call.deps, tableName(call), call.keeper))
    },
  },
  {
    method: 'POST',
    path: `${TABLE}/metrics`,
    handle: async (call) => {
      await takeMetricsReport(call.deps, { name: tableName(call), json: call.body })
      return noContent()
    },
  },
  {
    // Files of a local store need none.
    method: 'GET',
    path: `${TABLE}/credentials`,
    handle: async (call) => {
      await getRestTable(call.deps, tableName(call))
      return json({ 'storage-credentials': [] })
    },
  },
  {
    // Functions are not kept here.
    method: 'GET',
    path: `${NAMESPACE}/functions`,
    handle: async ({ deps, namespace }) => {
      await getNamespace(deps, namespace())
      return json({ identifiers: [], 'next-page-token': null })
    },
  },
]
