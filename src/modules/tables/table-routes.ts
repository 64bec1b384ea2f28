import { z } from 'zod'
import type { Stores } from '../../catalog/catalog.ts'
import type { TableState } from '../../core/table/table.ts'
import { newNameOf, parseNamespace, parseNewTableName } from '../../core/table/table-name.ts'
import { LARGE_BODY } from '../../http/body-limits.ts'
import { selectorOf } from '../../http/common-shapes.ts'
import { cutPage, parsePageToken } from '../../http/page-token.ts'
import { onTable } from '../../http/permission.ts'
import { jsonReply, type Reply } from '../../http/reply.ts'
import { defineRoute, type KeptFacts, type RepeatedCall, type Route } from '../../http/route.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import { type RenameDependencies, renameTable } from '../../lake/commit/table-rename.ts'
import { asking } from '../../lake/table/asked-names.ts'
import { getTable } from '../../lake/table/table-lookup.ts'
import { getTargetNamespace, requireListable } from '../namespaces/namespaces.ts'
import { cloneTable } from './clone-table.ts'
import { type DropDependencies, type DropReport, dropTable } from './drop-table.ts'
import { DropTableAnswer, DropTableQuery, NewTableAnswer } from './new-and-dropped-shapes.ts'
import { droppedToJson, summaryToJson, tableToJson } from './table-response.ts'
import {
  CloneTableRequest,
  CreateTableRequest,
  DescribeTableRequest,
  ListTablesQuery,
  RenameRequest,
  RollbackTableRequest,
  TableAnswer,
  TableListAnswer,
} from './table-shapes.ts'
import { TABLES_TAG } from './table-tags.ts'
import {
  type CreatedTable,
  createTable,
  describeTable,
  listTables,
  type NewTableDependencies,
  nameTaken,
  publishedLocation,
  rollbackTable,
} from './tables.ts'

const TablePosition = z.tuple([z.array(z.string()).min(1), z.string().min(1)])
const LOCATION = { Location: 'Address of the table.' }

const create = (deps: NewTableDependencies) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/tables',
      operationId: 'createTable',
      tag: TABLES_TAG,
      permission: 'in-use-case',
      summary: 'Create a table',
      description:
        'A new table has a schema and no snapshot. Give its columns, or a Parquet file to infer ' +
        'them from. A namespace that does not exist is made with it, which the answer says.',
      body: CreateTableRequest,
      bodyMax: LARGE_BODY,
      answers: [{ status: 201, description: 'Created.', shape: NewTableAnswer, headers: LOCATION }],
      problems: [
        'name-invalid',
        'table-already-exists',
        'schema-invalid',
        'column-type-unknown',
        'definition-too-large',
        'partitioning-invalid',
        'location-invalid',
        'location-not-allowed',
        'location-taken',
        'file-not-found',
        'file-not-parquet',
        'storage-full',
        'commit-state-unknown',
      ],
      curl:
        "curl -X POST $MORAINE/v1/tables -H 'Content-Type: application/json' -d '" +
        '{"name":"flights","namespace":"aviation","infer_from":"file:///data/flights.parquet"}' +
        "'",
    },
    async ({ authorize, requirePaths, body, keeper }) => {
      await authorize('create', [{ on: 'namespace', name: parseNewTableName(body).namespace }])
      const { infer_from, hive_partitioning, schema, ...rest } = body
      const request = {
        ...rest,
        columns: schema?.columns,
        inferFrom: infer_from === undefined ? undefined : { location: infer_from, requirePaths },
        hivePartitioning: hive_partitioning,
      }
      return createdReply(await createTable(deps, request, keeper.keeping(newTableAnswer)))
    },
    newTableAgain(deps),
  )

const list = (deps: Stores<'tables' | 'namespaces'>) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables',
      operationId: 'listTables',
      tag: TABLES_TAG,
      permission: {
        privilege: 'describe',
        on: 'namespace',
        target: ({ query }) =>
          query.namespace === undefined ? [] : parseNamespace(query.namespace),
      },
      summary: 'List tables',
      description: 'Sorted by namespace, then name.',
      query: ListTablesQuery,
      answers: [{ status: 200, description: 'One page of tables.', shape: TableListAnswer }],
      problems: ['name-invalid', 'namespace-not-found', 'page-token-invalid'],
      curl: 'curl "$MORAINE/v1/tables?namespace=aviation&prefix=fli"',
    },
    async ({ query, visibleTo }) => {
      const { prefix, page_token, page_size } = query
      const namespace = query.namespace === undefined ? undefined : parseNamespace(query.namespace)
      if (namespace !== undefined) await requireListable(deps, namespace)
      const tables = await listTables(deps, {
        ...(namespace === undefined ? {} : { namespace }),
        ...(prefix === undefined ? {} : { prefix }),
        ...(page_token === undefined ? {} : { after: positionOf(page_token) }),
        limit: page_size + 1,
        visibleTo,
      })
      const { items, nextPageToken } = cutPage(tables, page_size, (last) => [
        last.namespace,
        last.name,
      ])
      return jsonReply({ tables: items.map(summaryToJson), next_page_token: nextPageToken })
    },
  )

const drop = (deps: DropDependencies) =>
  defineRoute(
    {
      method: 'delete',
      path: '/v1/tables/{table_identifier}',
      operationId: 'dropTable',
      tag: TABLES_TAG,
      permission: onTable('own'),
      summary: 'Drop a table',
      description:
        'Its files stay. `purge=true` deletes, after a grace, those that no table, branch, tag, ' +
        'open transaction or dump names, nor a table that was dropped without `purge`; ' +
        '`purge=now` deletes them at once, and the table’s dumps. While its files are there, ' +
        '`metadata_location` of the response brings the table back: ' +
        '`POST /iceberg/v1/namespaces/{namespace}/register`.',
      query: DropTableQuery,
      answers: [{ status: 200, description: 'Dropped.', shape: DropTableAnswer }],
      problems: ['table-not-found', 'name-invalid', 'commit-state-unknown'],
      curl: 'curl -X DELETE "$MORAINE/v1/tables/aviation.flights?purge=true"',
    },
    async ({ param, query, keeper, found }) => {
      const purge = query.purge === 'now' ? 'now' : query.purge === 'true'
      const keep = keeper.keeping((report: DropReport) => ({
        status: 200,
        value: droppedToJson(report, purge),
        isProvisional: purge !== false,
      }))
      const asked = asking(deps, { found })
      const report = await dropTable(asked, param('table_identifier'), { purge, keep })
      return jsonReply(droppedToJson(report, purge))
    },
  )

const describe = (deps: CommitDependencies) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/tables/{table_identifier}/metadata',
      operationId: 'describeTable',
      tag: TABLES_TAG,
      permission: onTable('modify'),
      summary: 'Describe a table',
      description:
        'Updates `description`, `steward` and `disposition`, and merges into `metadata`; ' +
        'null removes.',
      body: DescribeTableRequest,
      answers: [{ status: 200, description: 'The table as it is now.', shape: TableAnswer }],
      problems: ['table-not-found', 'name-invalid', 'definition-too-large', 'commit-state-unknown'],
      curl:
        'curl -X POST $MORAINE/v1/tables/aviation.flights/metadata ' +
        `-H 'Content-Type: application/json' -d '{"steward":"ops@example.org"}'`,
    },
    async ({ param, body, keeper, found }) => {
      const keep = keeper.keeping(tableAnswer)
      const table = param('table_identifier')
      const described = await describeTable(asking(deps, { found }), table, body, keep)
      return jsonReply(tableToJson(described))
    },
    tableAgain(deps),
  )

const clone = (deps: NewTableDependencies & Stores<'datasets' | 'snapshots'>) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/tables/{table_identifier}/clone',
      operationId: 'cloneTable',
      tag: TABLES_TAG,
      permission: 'in-use-case',
      summary: 'Clone a table',
      description:
        'Creates a table over the same data files, as of now or of any moment. No data is ' +
        'copied; the two tables are independent from then on. A namespace that does not exist is ' +
        'made with it, which the answer says.',
      body: CloneTableRequest,
      answers: [{ status: 201, description: 'Cloned.', shape: NewTableAnswer, headers: LOCATION }],
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
      curl:
        'curl -X POST $MORAINE/v1/tables/aviation.flights/clone ' +
        `-H 'Content-Type: application/json' -d '{"name":"flights_2024","as_at":"2024-12-31"}'`,
    },
    async ({ authorize, param, body, keeper, found }) => {
      const { name, namespace } = body
      const table = param('table_identifier')
      await authorize('select', [{ on: 'table', name: table }])
      await authorize('create', [{ on: 'namespace', name: parseNewTableName(body).namespace }])
      const request = { table, name, namespace, ...selectorOf(body) }
      const asked = asking(deps, { found })
      return createdReply(await cloneTable(asked, request, keeper.keeping(newTableAnswer)))
    },
    newTableAgain(deps),
  )

const rename = (deps: RenameDependencies & Stores<'namespaces'>) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/tables/{table_identifier}/rename',
      operationId: 'renameTable',
      tag: TABLES_TAG,
      permission: 'in-use-case',
      summary: 'Rename a table',
      description:
        'Possibly into another namespace, which must exist. Its id, files, snapshots and dumps ' +
        'stay; its old name is free at once.',
      body: RenameRequest,
      answers: [{ status: 200, description: 'The table as it is now.', shape: TableAnswer }],
      problems: [
        'table-not-found',
        'namespace-not-found',
        'name-invalid',
        'table-already-exists',
        'commit-state-unknown',
      ],
      curl:
        'curl -X POST $MORAINE/v1/tables/aviation.flights/rename ' +
        `-H 'Content-Type: application/json' -d '{"name":"flights_2024"}'`,
    },
    async ({ authorize, param, body, keeper, found }) => {
      const table = param('table_identifier')
      await authorize('own', [{ on: 'table', name: table }])
      const { catalog } = asking(deps, { found })
      const { definition, namespace } = await getTable(catalog, table)
      const target = newNameOf(namespace, body)
      await authorize('create', [{ on: 'namespace', name: target.namespace }])
      await getTargetNamespace(deps, target.namespace, '/v1')
      const { tableUuid } = definition
      const renamed = await renameTable(deps, {
        ...{ tableUuid, target },
        find: () => getTable(deps.catalog, tableUuid),
        taken: (existing) => nameTaken(target, existing),
        options: keeper.keeping(tableAnswer),
      })
      return jsonReply(tableToJson(renamed))
    },
    tableAgain(deps),
  )

const rollback = (deps: CommitDependencies) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/tables/{table_identifier}/rollback',
      operationId: 'rollbackTable',
      tag: TABLES_TAG,
      permission: onTable('modify'),
      summary: 'Make an older snapshot current',
      description:
        'Adds a new entry to the log: nothing is lost, and it can be undone the same way.',
      body: RollbackTableRequest,
      answers: [{ status: 200, description: 'The table as it is now.', shape: TableAnswer }],
      problems: [
        'table-not-found',
        'name-invalid',
        'snapshot-not-found',
        'as-at-invalid',
        'as-at-before-first-snapshot',
        'commit-state-unknown',
      ],
      curl:
        'curl -X POST $MORAINE/v1/tables/aviation.flights/rollback ' +
        `-H 'Content-Type: application/json' -d '{"as_at":"2024-03-17T12:00:00Z"}'`,
    },
    async ({ param, body, keeper, found }) => {
      const table = param('table_identifier')
      const keep = keeper.keeping(tableAnswer)
      const asked = asking(deps, { found })
      return jsonReply(tableToJson(await rollbackTable(asked, table, selectorOf(body), keep)))
    },
    tableAgain(deps),
  )

function createdReply(state: CreatedTable): Reply {
  const { value, status, headers } = newTableAnswer(state)
  return jsonReply(value, { status, headers })
}

/** Where its metadata file is becomes known after it is made. */
function newTableAnswer(state: CreatedTable) {
  const { notes, isNamespaceNew } = state
  const told = { namespace_created: isNamespaceNew, ...(notes.length > 0 && { notes }) }
  const value = { ...tableToJson(state), ...told }
  const headers = { Location: `/v1/tables/${value.identifier}` }
  const from = { tableUuid: state.definition.tableUuid, told }
  return { from, status: 201, headers, value, isProvisional: true }
}

function tableAnswer(state: TableState) {
  const { tableUuid } = state.definition
  return { status: 200, value: tableToJson(state), from: { tableUuid } }
}

/** Response about a table that is too long to keep: made from the table's current state. */
function tableAgain({ catalog }: Stores<'tables'>) {
  return async (from: KeptFacts, { first, authorize }: RepeatedCall): Promise<Reply> => {
    const name = String(from['tableUuid'])
    await authorize('select', [{ on: 'table', name }])
    const state = await getTable(catalog, name)
    return { ...first, ...jsonReply(tableToJson(state), first) }
  }
}

/**
 * Response about a new table, whose metadata file may not have existed when the response was kept.
 */
function newTableAgain(deps: NewTableDependencies) {
  return async (from: KeptFacts, { first, authorize }: RepeatedCall): Promise<Reply> => {
    const name = String(from['tableUuid'])
    await authorize('select', [{ on: 'table', name }])
    const state = await getTable(deps.catalog, name)
    const metadataLocation = await publishedLocation(deps, state)
    const told = Object(from['told'])
    const isKept = typeof first.body === 'string'
    const table = isKept ? JSON.parse(first.body) : { ...tableToJson(state), ...told }
    const metadata_location = metadataLocation ?? null
    return { ...first, ...jsonReply({ ...table, metadata_location }, first) }
  }
}

function positionOf(token: string) {
  const [namespace, name] = parsePageToken(token, TablePosition)
  return { namespace, name }
}

export function tableRoutes(
  deps: CommitDependencies &
    DropDependencies &
    NewTableDependencies &
    RenameDependencies &
    Stores<'datasets' | 'namespaces'>,
): readonly Route[] {
  const changing = [describe(deps), clone(deps), rename(deps), rollback(deps)]
  return [create(deps), list(deps), drop(deps), ...changing]
}
