import { DuckDBTypeId } from '@duckdb/node-api'
import type { PrimitiveType } from '../../../core/value/type.ts'
import { REFUSAL } from './failure.ts'
import type { FileColumn } from './file-column.ts'
import { quoteText } from './sql-text.ts'
import { typeSql } from './type-sql.ts'

/** Casts a value of the file to the table's type, widening it if the schema was widened. */
export function castSql(
  { type: from, isNanoseconds }: FileColumn,
  to: PrimitiveType,
  { sql, column }: { readonly sql: string; readonly column: string },
): string {
  const target = typeSql(to, column)
  if (isNanoseconds && from.typeId === DuckDBTypeId.TIMESTAMP_TZ) return cutMomentSql(sql, column)
  if (from.toString() === target && from.alias === undefined) return sql
  if (from.typeId === DuckDBTypeId.BLOB) {
    // Some writers annotate nothing: then bytes have the meaning that the table gives them.
    if (to.kind === 'string') return `decode(${sql})`
    if (to.kind === 'uuid') return `CAST(lower(hex(${sql})) AS UUID)`
  }
  if (target === 'BLOB' && from.typeId === DuckDBTypeId.VARCHAR) return `encode(${sql})`
  if (from.typeId === DuckDBTypeId.TIMESTAMP_NS) return `CAST(${flooredSql(sql)} AS ${target})`
  return `CAST(${sql} AS ${target})`
}

/**
 * Rounds down to whole microseconds, as for bounds and partitions. DuckDB's cast rounds towards
 * 1970 instead.
 */
function flooredSql(sql: string): string {
  const floored = `epoch_ns(${sql}) // 1000 - CAST(epoch_ns(${sql}) % 1000 < 0 AS BIGINT)`
  const isPositive = `${sql} >= TIMESTAMP_NS '1970-01-01 00:00:00'`
  const cast = `CAST(${sql} AS TIMESTAMP)`
  return `CASE WHEN ${isPositive} THEN ${cast} ELSE make_timestamp(${floored}) END`
}

/** DuckDB's reader has already cut off the nanoseconds, before 1970 in the wrong direction. */
function cutMomentSql(sql: string, column: string): string {
  const detail = `column ${column} has a moment before 1970 in nanoseconds with a time zone`
  return (
    `CASE WHEN ${sql} < TIMESTAMPTZ '1970-01-01 00:00:00+00' ` +
    `THEN error(${quoteText(`${REFUSAL}${detail}`)}) ELSE ${sql} END`
  )
}
