import { statSync } from 'node:fs'
import type { DuckDBConnection } from '@duckdb/node-api'
import { CatalogError } from '../../../core/errors.ts'
import type { BoundQuery } from '../../../core/query/bound-query.ts'
import { fieldsOfFilter } from '../../../core/query/row-filter.ts'
import { allFields } from '../../../core/schema/schema-lookup.ts'
import type { Schema } from '../../../core/value/type.ts'
import type { QueryJob, QueryResult, ResultPart, RowPosition } from '../../engine.ts'
import { OUTPUT_NAME } from '../../protocol.ts'
import { deletedRows } from '../export/deletes.ts'
import { hasDeletes, type TaskPlace } from '../export/export-job.ts'
import { selectedSql } from '../export/output-column.ts'
import type { RowSet } from '../export/row-set.ts'
import { type LinkedFiles, linkFiles } from '../export/source-files.ts'
import { copyOptions } from '../sql/copy-options.ts'
import { areKeysRepeated, taskFailure } from '../sql/failure.ts'
import { finishParquet } from '../sql/finish-parquet.ts'
import { withSession } from '../sql/session.ts'
import { quoteConstant } from '../sql/sql-text.ts'
import { querySql } from './query-sql.ts'
import { describeResult, resultValues } from './result-columns.ts'
import { type LinkedTable, tableRows } from './table-rows.ts'

const RESULT = 'result'

/** Writes the result of a query of a table, or a part of it. */
export async function runQuery(job: QueryJob, place: TaskPlace): Promise<QueryResult> {
  const linkedPaths: string[] = []
  const linked = job.table.sources.map((source) => linkFiles(source, linkedPaths))
  try {
    const options = { ...place, linkedPaths }
    const deleted = await deletedOf(job, linked, options)
    const trust = isTrusting(job) ? 'statistics' : 'values'
    const result = await withSession({ ...options, trust }, (connection) =>
      queryAnyMaps(connection, job, { ...job.table, linked, deleted }),
    )
    if (job.target.format === 'parquet') finishParquet(OUTPUT_NAME, job.query.result)
    const bytes = statSync(OUTPUT_NAME).size
    requireSize(bytes, job.part)
    return { ...result, bytes }
  } catch (error) {
    throw taskFailure(error, fileAtFault(error, linkedPaths), 'file-corrupt')
  }
}

async function deletedOf(
  { table }: QueryJob,
  linked: readonly LinkedFiles[],
  options: TaskPlace & { readonly linkedPaths: readonly string[] },
): Promise<readonly (RowSet | undefined)[]> {
  if (!table.sources.some((source) => hasDeletes(source))) return []
  return await withSession({ ...options, trust: 'values' }, async (connection) => {
    const found: (RowSet | undefined)[] = []
    for (const [i, source] of table.sources.entries()) {
      const own = linked[i]
      const deleted =
        own !== undefined && hasDeletes(source)
          ? await deletedRows(connection, { source, linked: own })
          : undefined
      found.push(deleted?.isEmpty === false ? deleted : undefined)
    }
    return found
  })
}

/**
 * Types whose statistics and Bloom filters foreign files, or DuckDB, do not use as SQL compares:
 * they leave NaN out, tell the zeros apart, and hash bytes wrongly (DuckDB #24994).
 */
const DISTRUSTED = new Set(['float', 'double', 'binary', 'fixed', 'uuid'])

/** Whether the statistics of files may answer for values. A least value of theirs is a bound. */
function isTrusting({ query, table }: QueryJob): boolean {
  if (query.groupBy !== undefined) return false
  const used = new Set(query.filter === undefined ? [] : fieldsOfFilter(query.filter))
  for (const { by } of query.orderBy) if ('fieldId' in by) used.add(by.fieldId)
  return !allFields(table.schema).some(({ id, type }) => used.has(id) && DISTRUSTED.has(type.kind))
}

type Written = Omit<QueryResult, 'bytes'>

/** DuckDB makes no map with a key twice, although it reads them. */
async function queryAnyMaps(
  connection: DuckDBConnection,
  job: QueryJob,
  table: LinkedTable,
): Promise<Written> {
  try {
    return await write(connection, job, table, false)
  } catch (error) {
    if (!areKeysRepeated(error)) throw error
    await connection.run(`DROP TABLE IF EXISTS ${RESULT}`)
    return await write(connection, job, table, true)
  }
}

async function write(
  connection: DuckDBConnection,
  job: QueryJob,
  table: LinkedTable,
  hasRepeatedKeys: boolean,
): Promise<Written> {
  const { query, part } = job
  const rows = await tableRows(connection, table, { after: part?.after, hasRepeatedKeys })
  const sql = querySql(query, rows.sql, { schema: table.schema, part })
  if (part === undefined) {
    return {
      rows: await copy(connection, job, { from: `(${sql})`, bits: rows.bits }),
      hasMore: false,
    }
  }
  await runWith(connection, `CREATE TEMP TABLE ${RESULT} AS ${sql}`, rows.bits)
  const kept = `(SELECT * FROM ${RESULT} LIMIT ${Math.trunc(part.rowsMax)})`
  const written = await copy(connection, job, { from: kept, bits: [] })
  return { rows: written, ...(await endOf(connection, query, written)) }
}

async function copy(
  connection: DuckDBConnection,
  job: QueryJob,
  { from, bits }: { readonly from: string; readonly bits: readonly Uint8Array[] },
): Promise<number> {
  const { target, query } = job
  const schema: Schema = query.result
  const file = await describeResult(connection, schema, { from, bits })
  const values = resultValues(schema, file, target.format)
  const select = `SELECT ${selectedSql(schema.fields, values, target.format)} FROM ${file.scan}`
  // A dictionary would make one value of both zeros.
  const zeros = { hasMinusZero: hasFloats(schema) }
  const options = copyOptions({ target, schema }, zeros)
  return await runWith(
    connection,
    `COPY (${select}) TO ${quoteConstant(OUTPUT_NAME)} (${options})`,
    bits,
  )
}

async function runWith(
  connection: DuckDBConnection,
  sql: string,
  bits: readonly Uint8Array[],
): Promise<number> {
  const statement = await connection.prepare(sql)
  for (const [i, each] of bits.entries()) statement.bindBlob(i + 1, each)
  return (await statement.run()).rowsChanged
}

async function endOf(
  connection: DuckDBConnection,
  { groupBy }: BoundQuery,
  written: number,
): Promise<Pick<QueryResult, 'hasMore' | 'last'>> {
  const counted = await connection.runAndReadAll(`SELECT count(*) FROM ${RESULT}`)
  const hasMore = Number(counted.getRowsJS()[0]?.[0]) > written
  if (groupBy !== undefined || written === 0) return { hasMore }
  const found = await connection.runAndReadAll(
    `SELECT f, r FROM ${RESULT} LIMIT 1 OFFSET ${written - 1}`,
  )
  const [source, row] = found.getRowsJS()[0] ?? []
  const last: RowPosition = { source: Number(source), row: Number(row) }
  return { hasMore, last }
}

function hasFloats(schema: Schema): boolean {
  return allFields(schema).some(({ type }) => type.kind === 'float' || type.kind === 'double')
}

function requireSize(bytes: number, part: ResultPart | undefined): void {
  if (part === undefined || bytes <= part.bytesMax) return
  const detail = `the rows take ${bytes} bytes as text, and ${part.bytesMax} are sent at once`
  throw new CatalogError('result-too-large', `${detail}: ask for fewer rows or columns`, {
    facts: { bytes, bytesMax: part.bytesMax },
  })
}

/** DuckDB's messages name the link to a file. */
function fileAtFault(error: unknown, paths: readonly string[]): string {
  const message = error instanceof Error ? error.message : ''
  const number = Number(/source-(\d+)\.parquet/.exec(message)?.[1])
  return paths[number - 1] ?? paths[0] ?? 'no file'
}
