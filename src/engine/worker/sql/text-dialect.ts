import type { PrimitiveType } from '../../../core/value/type.ts'
import { notImplemented, quoteName } from './sql-text.ts'

/** How a format represents values. The given expressions have the table's types. */
export interface Dialect {
  primitive(type: PrimitiveType, sql: string): string
  /** SQL for a primitive key of a map. */
  key(type: PrimitiveType, sql: string): string
  struct(members: readonly { readonly name: string; readonly value: string }[]): string
  /** SQL for a map, from a list of structs `key` and `value` that are already converted. */
  map(entries: string, hasNestedKey: boolean): string
  /** SQL for a nested column that the file lacks; `typedNull` has the table's type. */
  absent(typedNull: string): string
  /** SQL for a column of type unknown, which is NULL in every row. */
  unknown(column: string): string
}

/** Keeps values unchanged. */
export const TYPED: Dialect = {
  primitive: (_, sql) => sql,
  key: (_, sql) => sql,
  struct,
  map: (entries) => `map_from_entries(${entries})`,
  absent: (typedNull) => typedNull,
  unknown: (column) => {
    throw notImplemented(column, 'type unknown cannot be written to Parquet')
  },
}

/** Values that DuckDB then writes as JSON (docs/dump-dialects.md, "NDJSON"). */
export const JSON_VALUES: Dialect = {
  primitive: jsonPrimitive,
  key: (type, sql) => `CAST(${jsonKey(type, sql)} AS VARCHAR)`,
  struct,
  map: (entries, hasNestedKey) => (hasNestedKey ? entries : `map_from_entries(${entries})`),
  absent: () => 'NULL',
  unknown: () => 'NULL',
}

/**
 * CSV text of a column that is not nested (docs/dump-dialects.md, "CSV"); nested ones are JSON
 * text. Uses DuckDB's own texts where they are equal: except for dates, they take half the time of
 * formatted ones.
 */
export function csvPrimitive(type: PrimitiveType, sql: string): string {
  switch (type.kind) {
    case 'float':
    case 'double':
      return floatText(sql)
    case 'time':
      return `CAST(${sql} AS VARCHAR)`
    case 'timestamp':
      return calendarSql(sql, CSV_TIMESTAMP)
    case 'timestamptz':
      return calendarSql(sql, CSV_TIMESTAMPTZ)
    case 'timestamp_ns':
      return `CAST(${sql} AS VARCHAR)`
    default:
      return textual(type, sql)
  }
}

/**
 * Does the same as `jsonPrimitive`, except that a name must be text, also for numbers that JSON
 * lacks.
 */
function jsonKey(type: PrimitiveType, sql: string): string {
  return type.kind === 'float' || type.kind === 'double' ? floatText(sql) : textual(type, sql)
}

function floatText(sql: string): string {
  return (
    `CASE WHEN isfinite(${sql}) THEN CAST(${sql} AS VARCHAR) WHEN isnan(${sql}) THEN 'NaN' ` +
    `WHEN ${sql} > 0 THEN 'Infinity' WHEN ${sql} < 0 THEN '-Infinity' END`
  )
}

function jsonPrimitive(type: PrimitiveType, sql: string): string {
  switch (type.kind) {
    case 'float':
    case 'double':
      return `CASE WHEN isfinite(${sql}) THEN ${sql} END`
    default:
      return textual(type, sql)
  }
}

function textual(type: PrimitiveType, sql: string): string {
  switch (type.kind) {
    case 'decimal':
      return decimalSql(type, sql)
    case 'date':
      return calendarSql(sql, DATE)
    case 'time':
      return `strftime(DATE '1970-01-01' + ${sql}, '%H:%M:%S.%f')`
    case 'timestamp':
      return calendarSql(sql, JSON_TIMESTAMP)
    case 'timestamptz':
      return calendarSql(sql, JSON_TIMESTAMPTZ)
    case 'timestamp_ns':
      return `strftime(${sql}, '%Y-%m-%dT%H:%M:%S.%n')`
    case 'uuid':
      return `CAST(${sql} AS VARCHAR)`
    case 'fixed':
    case 'binary':
      return `base64(${sql})`
    default:
      return sql
  }
}

// DuckDB writes a decimal(2,2) as .05.
function decimalSql(
  type: { readonly precision: number; readonly scale: number },
  sql: string,
): string {
  const { precision, scale } = type
  const text = `CAST(${sql} AS VARCHAR)`
  if (scale < precision) return text
  return `regexp_replace(${text}, '^(-?)[.]', '\\10.')`
}

/**
 * How to write times of a type; each text is for an expression of the type that `plain` returns.
 */
interface Calendar {
  readonly literal: (day: string) => string
  /** The same time as a DuckDB type without time zone. */
  readonly plain: (sql: string) => string
  /** The whole text, for years 1 to 9999. */
  readonly text: (plain: string) => string
  /** The text after the year. */
  readonly afterYear: (plain: string) => string
}

const DATE = formatted({
  literal: (day: string) => `DATE '${day}'`,
  plain: (sql: string) => sql,
  format: '-%m-%d',
})
const TIMESTAMP = {
  literal: (day: string) => `TIMESTAMP '${day} 00:00:00'`,
  plain: (sql: string) => sql,
}
const TIMESTAMPTZ = {
  literal: (day: string) => `TIMESTAMPTZ '${day} 00:00:00+00'`,
  // By number: casts and formats of the type with time zone call a calendar library for each value.
  plain: (sql: string) => `make_timestamp(epoch_us(${sql}))`,
}
const JSON_TIMESTAMP = formatted({ ...TIMESTAMP, format: '-%m-%dT%H:%M:%S.%f' })
const JSON_TIMESTAMPTZ = formatted({ ...TIMESTAMPTZ, format: '-%m-%dT%H:%M:%S.%f+00:00' })
const CSV_TIMESTAMP = cast({ ...TIMESTAMP, suffix: '' })
const CSV_TIMESTAMPTZ = cast({ ...TIMESTAMPTZ, suffix: '+00:00' })

type Moments = Pick<Calendar, 'literal' | 'plain'>

function formatted({ format, ...moments }: Moments & { readonly format: string }): Calendar {
  return {
    ...moments,
    text: (plain) => `strftime(${plain}, '%Y${format}')`,
    afterYear: (plain) => `strftime(${plain}, '${format}')`,
  }
}

function cast({ suffix, ...moments }: Moments & { readonly suffix: string }): Calendar {
  const ending = suffix === '' ? '' : ` || '${suffix}'`
  return {
    ...moments,
    text: (plain) => `CAST(${plain} AS VARCHAR)${ending}`,
    afterYear: (plain) =>
      `strftime(${plain}, '-%m-%d ') || CAST(CAST(${plain} AS TIME) AS VARCHAR)${ending}`,
  }
}

/**
 * As Iceberg writes dates: `2017-11-16`, `-0044-03-15`, `+12024-01-01`. The comparison with
 * constants costs nothing if the file's statistics decide it. Values that are infinite in DuckDB
 * have no calendar text.
 */
function calendarSql(sql: string, { literal, plain, text, afterYear }: Calendar): string {
  const moment = plain(sql)
  return (
    `CASE WHEN ${sql} >= ${literal('0001-01-01')} AND ${sql} < ${literal('10000-01-01')} ` +
    `THEN ${text(moment)} ` +
    `WHEN ${sql} IS NULL THEN NULL ` +
    `WHEN NOT isfinite(${sql}) THEN error('a date or timestamp outside the calendar') ` +
    `ELSE (CASE WHEN year(${moment}) < 0 THEN printf('%05d', year(${moment})) ` +
    `WHEN year(${moment}) > 9999 THEN printf('+%d', year(${moment})) ELSE '0000' END) ` +
    `|| ${afterYear(moment)} END`
  )
}

function struct(members: readonly { readonly name: string; readonly value: string }[]): string {
  const pairs = members.map(({ name, value }) => `${quoteName(name)} := ${value}`)
  return `struct_pack(${pairs.join(', ')})`
}
