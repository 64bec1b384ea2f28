import type { TableState } from '../../../core/table/table.ts'
import { afterCommit } from '../../../core/unknown-state.ts'
import { COMMIT_BODY, LARGE_BODY } from '../../../http/body-limits.ts'
import { jsonReply, type Reply } from '../../../http/reply.ts'
import type { Route } from '../../../http/route.ts'
import { asking } from '../../../lake/table/asked-names.ts'
import { commitTable, commitTransactionOfTables } from '../commit-tables.ts'
import { createTable } from '../create-table.ts'
import { dropRestTable } from '../drop-rest-table.ts'
import { listTables } from '../list-tables.ts'
import {
  getRestTable,
  type LoadDependencies,
  loadTable,
  requirePublishedFile,
  type SnapshotMode,
  tableDoesNotExist,
  tableTag,
} from '../load-table.ts'
import { readRestrictionsFor } from '../read-restrictions.ts'
import type { RestServices } from '../rest-services.ts'
import {
  type AccessDependencies,
  ASKS_NOTHING,
  accessTo,
  type TableAccess,
} from '../vending/table-access.ts'
import { askedAccess, askedByMaker } from './asked-access.ts'
import { flag, knowsTag, pageRequest, snapshotMode } from './rest-query.ts'
import {
  defineRestRoute,
  type IcebergCall,
  NAMESPACE,
  NO_CONTENT_REPLY,
  namespaceOf,
  onNamespace,
  onRestTable,
  TABLE,
  tableName,
} from './rest-route.ts'
import { IdentifierListAnswer, LoadTableAnswer } from './shapes/rest-answer-shapes.ts'
import {
  CommitTableRequest,
  CommitTransactionRequest,
  CreateTableRequest,
  DropTableQuery,
  LoadTableQuery,
  PageQuery,
} from './shapes/rest-request-shapes.ts'
import { changedTableReply, tableReply } from './table-reply.ts'

const TABLES = `${NAMESPACE}/tables`
const ETAG = {
  ETag: 'Differs by version, and by the snapshots shown. Absent from an answer with credentials.',
}
const COMMIT_PROBLEMS = [
  'table-not-found',
  'commit-conflict',
  'commit-state-unknown',
  'update-invalid',
  'definition-too-large',
  'location-not-allowed',
  'location-taken',
  'schema-invalid',
  'overloaded',
  'storage-full',
] as const

export function tableRoutes(deps: RestServices): readonly Route[] {
  return [...collectionRoutes(deps), ...readingRoutes(deps), ...changingRoutes(deps)]
}

function collectionRoutes(deps: RestServices): readonly Route[] {
  return [
    defineRestRoute(
      {
        method: 'get',
        path: TABLES,
        operationId: 'icebergListTables',
        permission: onNamespace('describe'),
        summary: 'List the tables of a namespace',
        query: PageQuery,
        answers: [
          { status: 200, description: 'One page, or all tables.', shape: IdentifierListAnswer },
        ],
        problems: ['namespace-not-found', 'page-token-invalid'],
      },
      async (call) => {
        const request = { namespace: namespaceOf(call), page: pageRequest(call) }
        const { items, nextPageToken } = await listTables(deps, request, call.visibleTo)
        return jsonReply({ identifiers: items, 'next-page-token': nextPageToken })
      },
    ),
    defineRestRoute(
      {
        method: 'post',
        path: TABLES,
        operationId: 'icebergCreateTable',
        permission: onNamespace('create'),
        summary: 'Create a table',
        description: 'Or stages its creation, which the first commit completes.',
        body: CreateTableRequest,
        bodyMax: LARGE_BODY,
        answers: [{ status: 200, description: 'Created.', shape: LoadTableAnswer, headers: ETAG }],
        problems: [
          'namespace-not-found',
          'table-already-exists',
          'name-invalid',
          'update-invalid',
          'definition-too-large',
          'schema-invalid',
          'location-not-allowed',
          'location-taken',
          'storage-full',
          'commit-state-unknown',
        ],
      },
      async (call) => {
        const request = { namespace: namespaceOf(call), json: call.body }
        const table = await createTable(deps, request, call.keeper)
        return changedTableReply(deps, table, { ...call, asked: () => askedByMaker(call) })
      },
    ),
  ]
}

function readingRoutes(deps: LoadDependencies & AccessDependencies): readonly Route[] {
  return [
    defineRestRoute(
      {
        method: 'get',
        path: TABLE,
        operationId: 'icebergLoadTable',
        permission: onRestTable('select', 'told'),
        summary: 'Load a table',
        description:
          'Its newest metadata, with all snapshots or only those of branches and tags. For ' +
          'tables in S3, `config` says where the store is. Where the service vends ' +
          '(MORAINE_VEND) and X-Iceberg-Access-Delegation asks for `vended-credentials` or ' +
          '`remote-signing`, the answer has them. An engine that a policy on the table trusts ' +
          'gets the `read-restrictions` that it must apply.',
        query: LoadTableQuery,
        answers: [
          { status: 200, description: 'The table.', shape: LoadTableAnswer, headers: ETAG },
          { status: 304, description: 'The state in If-None-Match is current.', headers: ETAG },
        ],
        problems: ['table-not-found', 'file-not-found', 'overloaded'],
        curl: 'curl $MORAINE/iceberg/v1/namespaces/aviation/tables/flights',
      },
      async (call) => {
        const mode = snapshotMode(call)
        const state = await getRestTable(asking(deps, call), tableName(call))
        const restrictions = readRestrictionsFor(state, call.policyOn)
        const asked = await askedAccess(call)
        const access = await accessTo(deps, state, asked)
        if (restrictions !== undefined) return restrictedReply(deps, call, state, { mode, access })
        const tag = tableTag(state, mode, access)
        if (access.credentials !== undefined || !knowsTag(call, tag)) {
          return loadedReply(deps, state, { mode, access })
        }
        await requirePublishedFile(deps, state)
        return { status: 304, headers: { ETag: tag } }
      },
    ),
    defineRestRoute(
      {
        method: 'head',
        path: TABLE,
        operationId: 'icebergHasTable',
        permission: onRestTable('describe'),
        summary: 'Check that a table exists',
        answers: [{ status: 204, description: 'It exists.' }],
        problems: ['table-not-found'],
      },
      async (call) => {
        await getRestTable(asking(deps, call), tableName(call))
        return NO_CONTENT_REPLY
      },
    ),
  ]
}

function changingRoutes(deps: RestServices): readonly Route[] {
  return [
    defineRestRoute(
      {
        method: 'post',
        path: TABLE,
        operationId: 'icebergCommitTable',
        permission: 'in-use-case',
        summary: 'Commit to a table',
        description: 'Applies the updates if all requirements hold.',
        body: CommitTableRequest,
        bodyMax: COMMIT_BODY,
        answers: [{ status: 200, description: 'Done.', shape: LoadTableAnswer, headers: ETAG }],
        problems: [...COMMIT_PROBLEMS, 'namespace-not-found', 'table-already-exists'],
      },
      async (call) => {
        const request = { name: tableName(call), json: call.body }
        return committedReply(deps, await commitTable(asking(deps, call), request, call))
      },
    ),
    defineRestRoute(
      {
        method: 'delete',
        path: TABLE,
        operationId: 'icebergDropTable',
        permission: onRestTable('own'),
        summary: 'Drop a table',
        query: DropTableQuery,
        answers: [{ status: 204, description: 'Dropped.' }],
        problems: ['table-not-found', 'commit-state-unknown'],
      },
      async (call) => {
        const purge = flag(call, 'purgeRequested')
        const dropped = { name: tableName(call), purge }
        await dropRestTable(asking(deps, call), dropped, call.keeper)
        return NO_CONTENT_REPLY
      },
    ),
    defineRestRoute(
      {
        method: 'post',
        path: '/v1/{prefix}/transactions/commit',
        operationId: 'icebergCommitTransaction',
        permission: 'in-use-case',
        summary: 'Commit to several tables',
        description: 'Either all tables change or none.',
        body: CommitTransactionRequest,
        bodyMax: COMMIT_BODY,
        answers: [{ status: 204, description: 'Done.' }],
        problems: [...COMMIT_PROBLEMS, 'namespace-not-found', 'table-already-exists'],
      },
      async (call) => {
        await commitTransactionOfTables(asking(deps, call), call.body, call)
        return NO_CONTENT_REPLY
      },
    ),
  ]
}

async function loadedReply(
  deps: LoadDependencies,
  state: TableState,
  shown: { readonly mode: SnapshotMode; readonly access: TableAccess },
): Promise<Reply> {
  const loaded = await loadTable(deps, state, shown.mode)
  if (loaded === undefined) throw tableDoesNotExist(state)
  return tableReply(loaded, shown)
}

/** The restrictions are those of the state that is shown, which may be newer. */
async function restrictedReply(
  deps: LoadDependencies,
  { policyOn }: Pick<IcebergCall, 'policyOn'>,
  state: TableState,
  shown: { readonly mode: SnapshotMode; readonly access: TableAccess },
): Promise<Reply> {
  const loaded = await loadTable(deps, state, shown.mode)
  if (loaded === undefined) throw tableDoesNotExist(state)
  return tableReply(loaded, { ...shown, restrictions: readRestrictionsFor(loaded.state, policyOn) })
}

async function committedReply(
  deps: LoadDependencies & AccessDependencies,
  state: TableState,
): Promise<Reply> {
  return afterCommit('The commit succeeded', async () => {
    const access = await accessTo(deps, state, ASKS_NOTHING)
    return loadedReply(deps, state, { mode: 'all', access })
  })
}
