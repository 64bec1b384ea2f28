import type { TableState } from '../../core/table/table.ts'
import { parseNamespace } from '../../core/table/table-name.ts'
import { selectorOf } from '../../http/common-shapes.ts'
import { pageToken, parsePageToken, TablePosition } from '../../http/page-token.ts'
import { jsonReply, type Reply } from '../../http/reply.ts'
import { defineRoute, type Route } from '../../http/route.ts'
import { cloneTable } from './clone-table.ts'
import { dropTable } from './drop-table.ts'
import { summaryToJson, tableToJson } from './table-response.ts'
import {
  CloneTableRequest,
  CreateTableRequest,
  DescribeTableRequest,
  DropTableAnswer,
  DropTableQuery,
  ListTablesQuery,
  RollbackTableRequest,
  TableAnswer,
  TableListAnswer,
} from './table-shapes.ts'
import { createTable, describeTable, listTables, rollbackTable } from './tables.ts'

const LOCATION = { Location: 'Where to read the table.' }

const create = defineRoute(
  {
    method: 'post',
    path: '/v1/tables',
    operationId: 'createTable',
    tag: 'tables',
    summary: 'Create a table',
    description:
      'A table is born with a schema and no snapshot. Give its columns, or a Parquet file to take them from.',
    body: CreateTableRequest,
    answers: [{ status: 201, description: 'Created.', shape: TableAnswer, headers: LOCATION }],
    problems: [
      'name-invalid',
      'table-already-exists',
      'schema-invalid',
      'column-type-unknown',
      'partitioning-invalid',
      'location-invalid',
      'location-not-allowed',
      'file-not-found',
      'file-not-parquet',
      'storage-full',
      'commit-state-unknown',
    ],
    curl: `curl -X POST $MORAINE/v1/tables -H 'Content-Type: application/json' -d '{"name":"flights","namespace":"aviation","infer_from":"file:///data/flights.parquet"}'`,
  },
  async ({ deps, body }) => {
    const { infer_from, schema, ...rest } = body
    const request = { ...rest, columns: schema?.columns, inferFrom: infer_from }
    return created(await createTable(deps, request))
  },
)

const list = defineRoute(
  {
    method: 'get',
    path: '/v1/tables',
    operationId: 'listTables',
    tag: 'tables',
    summary: 'List tables',
    description: 'By namespace, then name.',
    query: ListTablesQuery,
    answers: [{ status: 200, description: 'One page.', shape: TableListAnswer }],
    problems: ['name-invalid', 'page-token-invalid'],
    curl: 'curl "$MORAINE/v1/tables?namespace=aviation&prefix=fli"',
  },
  async ({ deps, query }) => {
    const { namespace, prefix, page_token, page_size } = query
    const tables = await listTables(deps, {
      ...(namespace === undefined ? {} : { namespace: parseNamespace(namespace) }),
      ...(prefix === undefined ? {} : { prefix }),
      ...(page_token === undefined ? {} : { after: positionOf(page_token) }),
      limit: page_size + 1,
    })
    const page = tables.slice(0, page_size)
    const last = tables.length > page_size ? page.at(-1) : undefined
    return jsonReply({
      tables: page.map(summaryToJson),
      next_page_token: last === undefined ? null : pageToken([last.namespace, last.name]),
    })
  },
)

const drop = defineRoute(
  {
    method: 'delete',
    path: '/v1/tables/{table_identifier}',
    operationId: 'dropTable',
    tag: 'tables',
    summary: 'Drop a table',
    description:
      'Its files stay, unless `purge=true` asks to remove those that no other table uses.',
    query: DropTableQuery,
    answers: [{ status: 200, description: 'Dropped.', shape: DropTableAnswer }],
    problems: ['table-not-found', 'name-invalid'],
    curl: 'curl -X DELETE "$MORAINE/v1/tables/aviation.flights?purge=true"',
  },
  async ({ deps, param, query }) => {
    const purge = query.purge === 'true'
    const report = await dropTable(deps, param('table_identifier'), { purge })
    const { table_id, identifier } = tableToJson(report.state)
    const { deletedFiles: deleted_files, keptFiles: kept_files } = report
    return jsonReply({ identifier, table_id, purged: purge, deleted_files, kept_files })
  },
)

const describe = defineRoute(
  {
    method: 'post',
    path: '/v1/tables/{table_identifier}/metadata',
    operationId: 'describeTable',
    tag: 'tables',
    summary: 'Describe a table',
    description:
      'Merges into `metadata`, `description`, `steward` and `disposition`; null removes.',
    body: DescribeTableRequest,
    answers: [{ status: 200, description: 'The table as it is now.', shape: TableAnswer }],
    problems: ['table-not-found', 'name-invalid', 'commit-conflict', 'commit-state-unknown'],
    curl: `curl -X POST $MORAINE/v1/tables/aviation.flights/metadata -H 'Content-Type: application/json' -d '{"steward":"ops@example.org"}'`,
  },
  async ({ deps, param, body }) =>
    jsonReply(tableToJson(await describeTable(deps, param('table_identifier'), body))),
)

const clone = defineRoute(
  {
    method: 'post',
    path: '/v1/tables/{table_identifier}/clone',
    operationId: 'cloneTable',
    tag: 'tables',
    summary: 'Clone a table',
    description:
      'A new table over the same data files, now or as at a moment. No bytes are copied; each goes its own way from there.',
    body: CloneTableRequest,
    answers: [{ status: 201, description: 'Cloned.', shape: TableAnswer, headers: LOCATION }],
    problems: [
      'table-not-found',
      'name-invalid',
      'table-already-exists',
      'snapshot-not-found',
      'as-at-invalid',
      'as-at-before-first-snapshot',
      'storage-full',
      'commit-state-unknown',
    ],
    curl: `curl -X POST $MORAINE/v1/tables/aviation.flights/clone -H 'Content-Type: application/json' -d '{"name":"flights_2024","as_at":"2024-12-31"}'`,
  },
  async ({ deps, param, body }) => {
    const { name, namespace } = body
    const table = param('table_identifier')
    return created(await cloneTable(deps, { table, name, namespace, ...selectorOf(body) }))
  },
)

const rollback = defineRoute(
  {
    method: 'post',
    path: '/v1/tables/{table_identifier}/rollback',
    operationId: 'rollbackTable',
    tag: 'tables',
    summary: 'Make an older snapshot current',
    description:
      'As a new entry of the log: nothing is forgotten, and it can be undone the same way.',
    body: RollbackTableRequest,
    answers: [{ status: 200, description: 'The table as it is now.', shape: TableAnswer }],
    problems: [
      'table-not-found',
      'name-invalid',
      'snapshot-not-found',
      'as-at-invalid',
      'as-at-before-first-snapshot',
      'commit-conflict',
      'commit-state-unknown',
    ],
    curl: `curl -X POST $MORAINE/v1/tables/aviation.flights/rollback -H 'Content-Type: application/json' -d '{"as_at":"2024-03-17T12:00:00Z"}'`,
  },
  async ({ deps, param, body }) =>
    jsonReply(tableToJson(await rollbackTable(deps, param('table_identifier'), selectorOf(body)))),
)

function created(state: TableState): Reply {
  const table = tableToJson(state)
  const headers = { Location: `/v1/tables/${table.identifier}` }
  return jsonReply(table, { status: 201, headers })
}

function positionOf(token: string) {
  const [namespace, name] = parsePageToken(token, TablePosition)
  return { namespace, name }
}

export const TABLE_ROUTES: readonly Route[] = [create, list, drop, describe, clone, rollback]
