import type { DuckDBConnection } from '@duckdb/node-api'
import type { BoundQuery } from '../../../core/query/bound-query.ts'
import { fieldsOfFilter } from '../../../core/query/row-filter.ts'
import { allFields } from '../../../core/schema/schema-lookup.ts'
import { stringifyExactJson } from '../../../formats/json/exact-json.ts'
import type { QueryJob, QueryResult, RowPosition } from '../../engine.ts'
import type { TaskPlace } from '../export/export-job.ts'
import { withAnyMaps } from '../sql/failure.ts'
import type { SessionTrust } from '../sql/session.ts'
import { isUnsure, linkTables } from './link-tables.ts'
import { inQueryPlace, withQuerySession } from './query-session.ts'
import { querySql, rowsTaken } from './query-sql.ts'
import { mayRead } from './read-result.ts'
import { type LinkedTable, tableRows } from './table-rows.ts'
import { finishResult, queryFailure, RESULT, writeResult } from './write-result.ts'

/** Writes the result of a query of a table, or a part of it. */
export async function runQuery(asked: QueryJob, place: TaskPlace): Promise<QueryResult> {
  const job = takesNone(asked) ? { ...asked, table: { ...asked.table, sources: [] } } : asked
  const linkedPaths: string[] = []
  try {
    const { part } = job
    const placed = { tables: [job.table], part }
    return await inQueryPlace(placed, { ...place, linkedPaths }, async (own) => {
      const [table] = await linkTables([job.table], own, linkedPaths)
      if (table === undefined) throw new Error('a query has a table')
      const session = { trust: trustOf(job), statements: 'own' } as const
      const result = await withQuerySession(own, session, (connection) =>
        withAnyMaps((hasRepeatedKeys) =>
          write(connection, job, { table, hasRepeatedKeys, isKept: own.isKept }),
        ),
      )
      return finishResult({ schema: job.query.result, target: job.target }, part, result)
    })
  } catch (error) {
    throw queryFailure(error, linkedPaths)
  }
}

/**
 * Types whose statistics and Bloom filters foreign files, or DuckDB, do not use as SQL compares:
 * they leave NaN out, tell the zeros apart, and hash bytes wrongly (DuckDB #24994).
 */
const DISTRUSTED = new Set(['float', 'double', 'binary', 'fixed', 'uuid'])

/** Whether it has no rows, whatever is in the table. */
function takesNone({ query, part }: QueryJob): boolean {
  return rowsTaken(query.limit, part) === 0
}

function trustOf(job: QueryJob): SessionTrust {
  // DuckDB #24794: the first no rows of an order end the process at times.
  if (takesNone(job)) return 'nothing'
  // Values that are withheld from who asks may not be told by how much is read.
  if (job.table.restriction !== undefined || isUnsure(job.table)) return 'nothing'
  return isTrusting(job) ? 'statistics' : 'values'
}

/** Whether the statistics of files may answer for values. A least value of theirs is a bound. */
function isTrusting({ query, table }: QueryJob): boolean {
  if (query.groupBy !== undefined) return false
  const used = new Set(query.filter === undefined ? [] : fieldsOfFilter(query.filter))
  for (const { by } of query.orderBy) if ('fieldId' in by) used.add(by.fieldId)
  return !allFields(table.schema).some(({ id, type }) => used.has(id) && DISTRUSTED.has(type.kind))
}

async function write(
  connection: DuckDBConnection,
  job: QueryJob,
  {
    table,
    hasRepeatedKeys,
    isKept,
  }: {
    readonly table: LinkedTable
    readonly hasRepeatedKeys: boolean
    readonly isKept: boolean
  },
): Promise<Omit<QueryResult, 'bytes'>> {
  const { query, part, target } = job
  const options = { number: 0, after: part?.after, hasRepeatedKeys }
  const rows = await tableRows(connection, table, options)
  const sql = querySql(query, rows, { schema: table.schema, part })
  // Masks change types: what is known of others does not hold.
  const key = table.restriction === undefined ? keyOf(query) : undefined
  const result = { schema: query.result, target, key }
  const takesText = mayRead(job, isKept)
  const written = await writeResult(connection, result, { sql, part, takesText })
  if (part === undefined || part.withoutLast === true) return written
  return { ...written, ...(await lastOf(connection, query, written.rows)) }
}

/** Columns have the types of the table, and aggregates those of the result. */
function keyOf({ outputs, result }: BoundQuery): string {
  return stringifyExactJson([outputs, result.fields])
}

async function lastOf(
  connection: DuckDBConnection,
  { groupBy }: BoundQuery,
  written: number,
): Promise<Pick<QueryResult, 'last'>> {
  if (groupBy !== undefined || written === 0) return {}
  const found = await connection.runAndReadAll(
    `SELECT f, r FROM ${RESULT} LIMIT 1 OFFSET ${written - 1}`,
  )
  const [source, row] = found.getRowsJS()[0] ?? []
  const last: RowPosition = { source: Number(source), row: Number(row) }
  return { last }
}
