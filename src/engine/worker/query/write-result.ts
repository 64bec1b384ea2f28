import { statSync } from 'node:fs'
import type { DuckDBConnection } from '@duckdb/node-api'
import { CatalogError } from '../../../core/errors.ts'
import { allFields } from '../../../core/schema/schema-lookup.ts'
import type { Schema } from '../../../core/value/type.ts'
import type { ExportJob, QueryResult, ResultPart } from '../../engine.ts'
import { OUTPUT_NAME } from '../../protocol.ts'
import { selectedSql } from '../export/output-column.ts'
import { copyOptions } from '../sql/copy-options.ts'
import { taskFailure } from '../sql/failure.ts'
import { finishParquet } from '../sql/finish-parquet.ts'
import { quoteConstant } from '../sql/sql-text.ts'
import { readResult } from './read-result.ts'
import { describeResult, resultValues } from './result-columns.ts'

/** The table in which a part of a result is gathered, with the columns `o0`, `o1`, ... */
export const RESULT = 'result'

interface Result {
  readonly schema: Schema
  /** As `describeResult` takes it. */
  readonly key?: string | undefined
  readonly target: ExportJob['target']
}

interface ResultRows {
  readonly sql: string
  readonly part: ResultPart | undefined
  /** Whether lines of JSON may be read, instead of written. */
  readonly takesText: boolean
}

/**
 * Writes the rows of a query with the columns `o0`, `o1`, ... of the schema's types: all, or of a
 * part, which is gathered in `RESULT`, those that are wanted.
 */
export async function writeResult(
  connection: DuckDBConnection,
  result: Result,
  { sql, part, takesText }: ResultRows,
): Promise<Pick<QueryResult, 'rows' | 'hasMore' | 'text'>> {
  if (part === undefined) {
    return { rows: await copyResult(connection, result, `(${sql})`), hasMore: false }
  }
  if (takesText) return await readResult(connection, result, { sql, part })
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

/** The result with the bytes of its finished output; `result-too-large`. */
export function finishResult<T extends Pick<QueryResult, 'text'>>(
  { schema, target }: Result,
  part: ResultPart | undefined,
  written: T,
): T & Pick<QueryResult, 'bytes'> {
  if (target.format === 'parquet') finishParquet(OUTPUT_NAME, schema)
  const bytes = written.text?.length ?? statSync(OUTPUT_NAME).size
  if (part === undefined || bytes <= part.bytesMax) return { ...written, bytes }
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
