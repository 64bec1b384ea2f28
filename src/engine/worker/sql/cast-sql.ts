import { type DuckDBType, DuckDBTypeId } from '@duckdb/node-api'
import { type PrimitiveType, typeName } from '../../../core/value/type.ts'
import { refusalSql } from './failure.ts'
import type { FileColumn } from './file-column.ts'
import { typeSql } from './type-sql.ts'

/** Casts a value of the file to the table's type, widening it if the schema was widened. */
export function castSql(
  file: FileColumn,
  to: PrimitiveType,
  { sql, column }: { readonly sql: string; readonly column: string },
): string {
  const { type: from } = file
  const target = typeSql(to, column)
  if (file.isNull) return `CAST(NULL AS ${target})`
  const checked = checkedSql(file, { sql, column })
  if (from.typeId === DuckDBTypeId.TIMESTAMP && to.kind === 'timestamptz') return zonedSql(checked)
  if (from.toString() === target && from.alias === undefined) return checked
  if (from.typeId === DuckDBTypeId.BLOB) {
    // Some writers annotate nothing: then bytes have the meaning that the table gives them.
    if (to.kind === 'string') return `decode(${sql})`
    if (to.kind === 'uuid') return `CAST(lower(hex(${sql})) AS UUID)`
  }
  if (target === 'BLOB' && from.typeId === DuckDBTypeId.VARCHAR) return `encode(${sql})`
  if (from.typeId === DuckDBTypeId.TIMESTAMP_NS) return `CAST(${flooredSql(sql)} AS ${target})`
  if (!isWidening(from, to)) return exactSql(checked, { from, to, column })
  return `CAST(${checked} AS ${target})`
}

/** Types that DuckDB reads from files of which every value is one of the table's type. */
const NARROWER: Partial<Record<PrimitiveType['kind'], readonly DuckDBTypeId[]>> = {
  int: [
    ...[DuckDBTypeId.BOOLEAN, DuckDBTypeId.TINYINT, DuckDBTypeId.SMALLINT, DuckDBTypeId.INTEGER],
    ...[DuckDBTypeId.UTINYINT, DuckDBTypeId.USMALLINT],
  ],
  long: [
    ...[DuckDBTypeId.TINYINT, DuckDBTypeId.SMALLINT, DuckDBTypeId.INTEGER, DuckDBTypeId.BIGINT],
    ...[DuckDBTypeId.UTINYINT, DuckDBTypeId.USMALLINT, DuckDBTypeId.UINTEGER],
  ],
}

/** Other types are converted without a look at their values. */
function isWidening(from: DuckDBType, to: PrimitiveType): boolean {
  if (to.kind === 'decimal') {
    return from.typeId === DuckDBTypeId.DECIMAL && from.scale === to.scale
  }
  return NARROWER[to.kind]?.includes(from.typeId) ?? true
}

/** The value as the type, or a refusal where it is none of them. */
function exactSql(
  sql: string,
  {
    from,
    to,
    column,
  }: { readonly from: DuckDBType; readonly to: PrimitiveType; readonly column: string },
): string {
  const cast = `TRY_CAST(${sql} AS ${typeSql(to, column)})`
  const detail = `column ${column} has values that are no ${typeName(to)}`
  return (
    `CASE WHEN ${sql} IS NULL THEN NULL WHEN TRY_CAST(${cast} AS ${from}) = ${sql} ` +
    `THEN ${cast} ELSE ${refusalSql(detail)} END`
  )
}

/** The value, unless DuckDB's reader has made another one of that in the file. */
function checkedSql(
  { type, unit }: FileColumn,
  { sql, column }: { readonly sql: string; readonly column: string },
): string {
  const isZoned = type.typeId === DuckDBTypeId.TIMESTAMP_TZ
  if (unit === 'NanoSeconds' && isZoned) return cutMomentSql(sql, column)
  const isMoment = isZoned || type.typeId === DuckDBTypeId.TIMESTAMP
  return unit === 'MilliSeconds' && isMoment ? fittingSql(sql, column) : sql
}

/** By number: DuckDB's cast has a calendar of fewer years, and asks it for each value. */
function zonedSql(sql: string): string {
  const infinite = `CAST(${sql} AS TIMESTAMP WITH TIME ZONE)`
  return `CASE WHEN isfinite(${sql}) THEN make_timestamptz(epoch_us(${sql})) ELSE ${infinite} END`
}

/** DuckDB's infinite timestamps are the extremes of 64 bits; in nanoseconds those are moments. */
const LAST_NANOSECONDS = 'make_timestamp(9223372036854775)'

/**
 * Rounds down to whole microseconds, as for bounds and partitions. DuckDB's cast rounds towards
 * 1970 instead.
 */
function flooredSql(sql: string): string {
  const floored = `epoch_ns(${sql}) // 1000 - CAST(epoch_ns(${sql}) % 1000 < 0 AS BIGINT)`
  const isPositive = `${sql} >= TIMESTAMP_NS '1970-01-01 00:00:00'`
  const whole = `CAST(${sql} AS TIMESTAMP)`
  const cast = `CASE WHEN isfinite(${sql}) THEN ${whole} ELSE ${LAST_NANOSECONDS} END`
  return `CASE WHEN ${isPositive} THEN ${cast} ELSE make_timestamp(${floored}) END`
}

/** DuckDB's reader has already cut off the nanoseconds, before 1970 in the wrong direction. */
function cutMomentSql(sql: string, column: string): string {
  const detail = `column ${column} has a moment before 1970 in nanoseconds with a time zone`
  return (
    `CASE WHEN ${sql} < TIMESTAMPTZ '1970-01-01 00:00:00+00' THEN ${refusalSql(detail)} ` +
    `WHEN NOT isfinite(${sql}) THEN ${LAST_NANOSECONDS} AT TIME ZONE 'UTC' ELSE ${sql} END`
  )
}

/** DuckDB's reader refuses milliseconds that are too many, except for those it calls infinite. */
function fittingSql(sql: string, column: string): string {
  const detail = `column ${column} has milliseconds that are too many for microseconds of 64 bits`
  return `CASE WHEN NOT isfinite(${sql}) THEN ${refusalSql(detail)} ELSE ${sql} END`
}
