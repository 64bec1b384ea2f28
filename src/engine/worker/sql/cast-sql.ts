import { DuckDBTypeId } from '@duckdb/node-api'
import type { PrimitiveType } from '../../../core/value/type.ts'
import { REFUSAL } from './failure.ts'
import type { FileColumn } from './file-column.ts'
import { quoteText } from './sql-text.ts'
import { typeSql } from './type-sql.ts'

/** A value as the file has it, as a value of the table's type: widened where the schema was. */
export function castSql(
  { type: from, isNanoseconds }: FileColumn,
  to: PrimitiveType,
  { sql, column }: { readonly sql: string; readonly column: string },
): string {
  const target = typeSql(to, column)
  if (isNanoseconds && from.typeId === DuckDBTypeId.TIMESTAMP_TZ) return cutMomentSql(sql, column)
  if (from.toString() === target && from.alias === undefined) return sql
  if (from.typeId === DuckDBTypeId.BLOB) {
    // Writers that annotate nothing: bytes mean what the table says.
    if (to.kind === 'string') return `decode(${sql})`
    if (to.kind === 'uuid') return `CAST(lower(hex(${sql})) AS UUID)`
  }
  if (target === 'BLOB' && from.typeId === DuckDBTypeId.VARCHAR) return `encode(${sql})`
  if (from.typeId === DuckDBTypeId.TIMESTAMP_NS) return `CAST(${flooredSql(sql)} AS ${target})`
  return `CAST(${sql} AS ${target})`
}

/** Down to whole microseconds, as bounds and partitions are. DuckDB's cast goes towards 1970 instead. */
function flooredSql(sql: string): string {
  const floored = `epoch_ns(${sql}) // 1000 - CAST(epoch_ns(${sql}) % 1000 < 0 AS BIGINT)`
  const isPositive = `${sql} >= TIMESTAMP_NS '1970-01-01 00:00:00'`
  return `CASE WHEN ${isPositive} THEN CAST(${sql} AS TIMESTAMP) ELSE make_timestamp(${floored}) END`
}

/** DuckDB's reader has cut the nanoseconds off already, and before 1970 in the wrong direction. */
function cutMomentSql(sql: string, column: string): string {
  const detail = `column ${column} has a moment before 1970 in nanoseconds with a time zone`
  return (
    `CASE WHEN ${sql} < TIMESTAMPTZ '1970-01-01 00:00:00+00' ` +
    `THEN error(${quoteText(`${REFUSAL}${detail}`)}) ELSE ${sql} END`
  )
}
