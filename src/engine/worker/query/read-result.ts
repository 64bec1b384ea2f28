import { writeFileSync } from 'node:fs'
import type { DuckDBConnection } from '@duckdb/node-api'
import type { Schema } from '../../../core/value/type.ts'
import type { QueryJob, QueryResult, ResultPart } from '../../engine.ts'
import { OUTPUT_NAME } from '../../protocol.ts'
import { jsonLineSql } from '../export/output-column.ts'
import { describeResult, resultValues } from './result-columns.ts'

/** What is longer is written to a file. */
const TEXT_BYTES_MAX = 256 * 1024
const NEWLINE = 0x0a

/**
 * Whether a result is read. Where memory is too little for that, it is written, which may spill: in
 * a session that is not kept.
 */
export function mayRead(
  { part, target, takesText }: Pick<QueryJob, 'part' | 'target' | 'takesText'>,
  isKept: boolean,
): boolean {
  const isPlain = target.format === 'ndjson' && target.compression === 'none'
  return isKept && isPlain && takesText === true && part?.withoutLast === true
}

/**
 * The rows of a part as the lines of JSON that `writeResult` writes, by one statement and one
 * value: a table and a file take longer to make than most small results. Lines come in the order of
 * the rows, since there is one thread.
 */
export async function readResult(
  connection: DuckDBConnection,
  { schema, key }: { readonly schema: Schema; readonly key?: string | undefined },
  { sql, part }: { readonly sql: string; readonly part: ResultPart },
): Promise<Pick<QueryResult, 'rows' | 'hasMore' | 'text'>> {
  const file = await describeResult(connection, schema, { from: `(${sql})`, key })
  const line = jsonLineSql(schema.fields, resultValues(schema, file, 'ndjson'))
  const lines = `SELECT ${line} AS line FROM ${file.scan}`
  const found = await connection.runAndReadAll(
    `SELECT count(*), encode(string_agg(line, chr(10))) FROM (${lines}) AS l`,
  )
  const [count, joined] = found.getRowsJS()[0] ?? []
  const all = Number(count)
  const hasMore = all > part.rowsMax
  const text = withEnd(joined as Uint8Array | null, hasMore)
  const read = { rows: hasMore ? part.rowsMax : all, hasMore }
  if (text.length <= TEXT_BYTES_MAX) return { ...read, text }
  writeFileSync(OUTPUT_NAME, text)
  return read
}

/** Ends the last line, which is left out if it is one too many. */
function withEnd(lines: Uint8Array | null, hasMore: boolean): Uint8Array {
  if (lines === null) return new Uint8Array()
  const length = hasMore ? lines.lastIndexOf(NEWLINE) : lines.length
  if (length < 0) return new Uint8Array()
  const ended = new Uint8Array(length + 1)
  ended.set(lines.subarray(0, length))
  ended[length] = NEWLINE
  return ended
}
