import { CatalogError } from '../../../core/errors.ts'
import type { TableState } from '../../../core/table/table.ts'
import type { NamespacedName } from '../../../core/table/table-name.ts'
import { commitTable, commitTransactionOfTables } from '../commit-tables.ts'
import { createTable } from '../create-table.ts'
import { dropRestTable } from '../drop-rest-table.ts'
import { listTables } from '../list-tables.ts'
import {
  getRestTable,
  loadTable,
  requirePublishedFile,
  type SnapshotMode,
  tableDoesNotExist,
  tableTag,
} from '../load-table.ts'
import { flag, knowsTag, pageRequest, snapshotMode } from './rest-query.ts'
import { json, noContent } from './rest-reply.ts'
import type { IcebergCall, IcebergReply, IcebergRoute } from './rest-route.ts'
import { tableReply } from './table-reply.ts'

const TABLES = '/v1/{prefix}/namespaces/{namespace}/tables'
const TABLE = `${TABLES}/{table}`

export const TABLE_ROUTES: readonly IcebergRoute[] = [
  {
    method: 'GET',
    path: TABLES,
    handle: async (call) => {
      const request = { namespace: call.namespace(), page: pageRequest(call) }
      const { items, nextPageToken } = await listTables(call.deps, request)
      return json({ identifiers: items, 'next-page-token': nextPageToken })
    },
  },
  {
    method: 'POST',
    path: TABLES,
    isMutation: true,
    handle: async ({ deps, namespace, body, keeper }) => {
      const request = { namespace: namespace(), json: body }
      return tableReply(await createTable(deps, request, keeper), 'all')
    },
  },
  {
    method: 'GET',
    path: TABLE,
    handle: async (call) => {
      const mode = snapshotMode(call)
      const state = await getRestTable(call.deps, tableName(call))
      const tag = tableTag(state, mode)
      if (!knowsTag(call, tag)) return loadedReply(call, state, mode)
      await requirePublishedFile(call.deps, state)
      return { status: 304, headers: { ETag: tag } }
    },
  },
  {
    method: 'HEAD',
    path: TABLE,
    handle: async (call) => {
      await getRestTable(call.deps, tableName(call))
      return noContent()
    },
  },
  {
    method: 'POST',
    path: TABLE,
    isMutation: true,
    handle: async (call) => {
      const { deps, body, keeper } = call
      return committedReply(
        call,
        await commitTable(deps, { name: tableName(call), json: body }, keeper),
      )
    },
  },
  {
    method: 'DELETE',
    path: TABLE,
    isMutation: true,
    handle: async (call) => {
      const purge = flag(call, 'purgeRequested')
      await dropRestTable(call.deps, { name: tableName(call), purge }, call.keeper)
      return noContent()
    },
  },
  {
    method: 'POST',
    path: '/v1/{prefix}/transactions/commit',
    isMutation: true,
    handle: async ({ deps, body, keeper }) => {
      await commitTransactionOfTables(deps, body, keeper)
      return noContent()
    },
  },
]

export function tableName({ namespace, param }: IcebergCall): NamespacedName {
  return { namespace: namespace(), name: param('table') }
}

async function loadedReply(
  { deps }: IcebergCall,
  state: TableState,
  mode: SnapshotMode,
): Promise<IcebergReply> {
  const loaded = await loadTable(deps, state, mode)
  if (loaded === undefined) throw tableDoesNotExist(state)
  return tableReply(loaded, mode)
}

/** The commit is done: what keeps its metadata file from being written leaves the client in doubt, not refused. */
async function committedReply(call: IcebergCall, state: TableState): Promise<IcebergReply> {
  try {
    return await loadedReply(call, state, 'all')
  } catch (cause) {
    const detail = 'The commit was done, but its metadata file could not be written yet'
    throw new CatalogError('commit-state-unknown', detail, { cause })
  }
}
