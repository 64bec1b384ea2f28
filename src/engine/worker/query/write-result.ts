import { statSync } from 'node:fs'
import type { DuckDBConnection } from '@duckdb/node-api'
import { CatalogError } from '../../../core/errors.ts'
import { allFields } from '../../../core/schema/schema-lookup.ts'
import type { Schema } from '../../../core/value/type.ts'
import type { ExportJob, ResultPart } from '../../engine.ts'
import { OUTPUT_NAME } from '../../protocol.ts'
import { selectedSql } from '../export/output-column.ts'
import { copyOptions } from '../sql/copy-options.ts'
import { taskFailure } from '../sql/failure.ts'
import { finishParquet } from '../sql/finish-parquet.ts'
import { quoteConstant } from '../sql/sql-text.ts'
import { describeResult, resultValues } from './result-columns.ts'

/** The table in which a part of a result is gathered, with the columns `o0`, `o1`, ... */
export const RESULT = 'result'

interface Result {
  readonly schema: Schema
  /** As `describeResult` takes it. */
  readonly key?: string | undefined
  readonly target: ExportJob['target']
}

/**
 * Writes the rows of a query with the columns `o0`, `o1`, ... of the schema's types: all, or of a
 * part, which is gathered in `RESULT`, those that are wanted.
 */
export async function writeResult(
  connection: DuckDBConnection,
  result: Result,
  { sql, part }: { readonly sql: string; readonly part: ResultPart | undefined },
): Promise<{ readonly rows: number; readonly hasMore: boolean }> {
  if (part === undefined) {
    return { rows: await copyResult(connection, result, `(${sql})`), hasMore: false }
  }
  // There is one already if it could not be written before.
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${RESULT} AS ${sql}`)
  const kept = `(SELECT * FROM ${RESULT} LIMIT ${Math.trunc(part.rowsMax)})`
  const rows = await copyResult(connection, result, kept)
  if (rows < part.rowsMax) return { rows, hasMore: false }
  const counted = await connection.runAndReadAll(`SELECT count(*) FROM ${RESULT}`)
  return { rows, hasMore: Number(counted.getRowsJS()[0]?.[0]) > rows }
}

async function copyResult(
  connection: DuckDBConnection,
  { schema, target, key }: Result,
  from: string,
): Promise<number> {
  const file = await describeResult(connection, schema, { from, key })
  const values = resultValues(schema, file, target.format)
  const select = `SELECT ${selectedSql(schema.fields, values, target.format)} FROM ${file.scan}`
  // A dictionary would make one value of both zeros.
  const options = copyOptions({ target, schema }, { hasMinusZero: hasFloats(schema) })
  const copying = `COPY (${select}) TO ${quoteConstant(OUTPUT_NAME)} (${options})`
  return (await connection.run(copying)).rowsChanged
}

/** Bytes of the finished output; `result-too-large`. */
export function finishResult({ schema, target }: Result, part: ResultPart | undefined): number {
  if (target.format === 'parquet') finishParquet(OUTPUT_NAME, schema)
  const bytes = statSync(OUTPUT_NAME).size
  if (part === undefined || bytes <= part.bytesMax) return bytes
  const detail = `the rows take ${bytes} bytes as text, and ${part.bytesMax} are sent at once`
  throw new CatalogError('result-too-large', `${detail}: ask for fewer rows or columns`, {
    facts: { bytes, bytesMax: part.bytesMax },
  })
}

/** The failure of a query, with the file that DuckDB's message names by its link. */
export function queryFailure(error: unknown, linkedPaths: readonly string[]): CatalogError {
  const message = error instanceof Error ? error.message : ''
  const number = Number(/source-(\d+)\.parquet/.exec(message)?.[1])
  const path = linkedPaths[number - 1] ?? linkedPaths[0] ?? 'no file'
  return taskFailure(error, path, 'file-corrupt')
}

function hasFloats(schema: Schema): boolean {
  return allFields(schema).some(({ type }) => type.kind === 'float' || type.kind === 'double')
}
