import type { PrimitiveType } from '../../../core/value/type.ts'
import { areNames, sqlNames } from './duckdb-names.ts'
import { refusalSql } from './failure.ts'
import { quoteName, quoteText } from './sql-text.ts'

/** How a format represents values. The given expressions have the table's types. */
export interface Dialect {
  /** Whether values have DuckDB's types. */
  readonly isTyped?: boolean
  primitive(type: PrimitiveType, sql: string): string
  /** SQL for a primitive key of a map. */
  key(type: PrimitiveType, sql: string): string
  struct(members: readonly { readonly name: string; readonly value: string }[]): string
  /** SQL for a map, from a list of structs `key` and `value` that are already converted. */
  map(entries: string, hasNestedKey: boolean): string
  /** SQL for a list of converted elements, where the list itself is not their representation. */
  list?(elements: string): string
  /** SQL for a nested column that the file lacks; `typedNull` has the table's type. */
  absent(typedNull: string): string
  /** SQL for a column of type unknown, which is NULL in every row. */
  unknown(): string
}

/** Keeps values unchanged. */
export const TYPED: Dialect = {
  isTyped: true,
  primitive: (_, sql) => sql,
  key: (_, sql) => sql,
  struct,
  map: (entries) => `map_from_entries(${entries})`,
  absent: (typedNull) => typedNull,
  unknown: () => 'CAST(NULL AS INTEGER)',
}

/** Values that DuckDB then writes as JSON (docs/dump-dialects.md, "NDJSON"). */
export const JSON_VALUES: Dialect = {
  primitive: jsonPrimitive,
  key: (type, sql) => `CAST(${jsonKey(type, sql)} AS VARCHAR)`,
  struct: (members) => (areNames(members) ? struct(members) : jsonObject(members)),
  map: (entries, hasNestedKey) => (hasNestedKey ? entries : `map_from_entries(${entries})`),
  absent: () => 'NULL',
  unknown: () => 'NULL',
}

/**
 * The dialect for files whose maps have a key twice: its last value counts (Parquet, "Logical
 * Types", MAP). Asked of every map, that would take as long as all the rest. A list of entries
 * may have keys twice.
 */
export function withLastValues(dialect: Dialect): Dialect {
  const map: Dialect['map'] = (entries, hasNestedKey) => {
    const isList = hasNestedKey && dialect.isTyped !== true
    return dialect.map(isList ? entries : lastOfKeys(entries), hasNestedKey)
  }
  return { ...dialect, map }
}

function lastOfKeys(entries: string): string {
  const later = 'list_transform(em[ei + 1:], lambda ek: ek."key")'
  const last = `list_filter(em, lambda ee, ei: NOT list_contains(${later}, ee."key"))`
  return `list_transform([${entries}], lambda em: ${last})[1]`
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
      return timeSql(sql, `CAST(${sql} AS VARCHAR)`)
    case 'timestamp':
      return calendarSql(sql, CSV_TIMESTAMP)
    case 'timestamptz':
      return calendarSql(sql, CSV_TIMESTAMPTZ)
    case 'timestamp_ns':
      return nanosecondsSql(sql, {
        text: `CAST(${sql} AS VARCHAR)`,
        clockText: (time) => `' ' || substr(CAST(${time} AS VARCHAR), 12)`,
      })
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

export function floatText(sql: string): string {
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

export function textual(type: PrimitiveType, sql: string): string {
  switch (type.kind) {
    case 'decimal':
      return decimalSql(type, sql)
    case 'date':
      return calendarSql(sql, DATE)
    case 'time':
      return timeSql(sql, `strftime(DATE '1970-01-01' + ${sql}, '%H:%M:%S.%f')`)
    case 'timestamp':
      return calendarSql(sql, JSON_TIMESTAMP)
    case 'timestamptz':
      return calendarSql(sql, JSON_TIMESTAMPTZ)
    case 'timestamp_ns':
      return nanosecondsSql(sql, {
        text: `strftime(${sql}, '%Y-%m-%dT%H:%M:%S.%n')`,
        clockText: (time) => `strftime(${time}, 'T%H:%M:%S.%n')`,
      })
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

type Literal = (day: string) => string

/** How to write times of a type. */
interface Calendar {
  readonly literal: Literal
  /** The whole text, for years 1 to 9999. */
  readonly text: (sql: string) => string
  /** The whole text for other years, of which DuckDB calls the last ones infinite. */
  readonly outside: (sql: string) => string
}

const MICROS_PER_DAY = 86_400_000_000
const NANOS_PER_DAY = 1000 * MICROS_PER_DAY
const EPOCH = `DATE '1970-01-01'`

const DATE: Calendar = {
  literal: (day) => `DATE '${day}'`,
  text: (sql) => `strftime(${sql}, '%Y-%m-%d')`,
  outside: (sql) =>
    `CASE WHEN isfinite(${sql}) THEN ${dayText(sql)} ` +
    `WHEN ${sql} > ${EPOCH} THEN '+5881580-07-11' ELSE '-5877641-06-24' END`,
}
const TIMESTAMP: Literal = (day) => `TIMESTAMP '${day} 00:00:00'`
const TIMESTAMPTZ: Literal = (day) => `TIMESTAMPTZ '${day} 00:00:00+00'`
const JSON_TIMESTAMP = formatted(TIMESTAMP, 'T%H:%M:%S.%f')
const JSON_TIMESTAMPTZ = formatted(TIMESTAMPTZ, 'T%H:%M:%S.%f+00:00')
const CSV_TIMESTAMP = cast(TIMESTAMP, '')
const CSV_TIMESTAMPTZ = cast(TIMESTAMPTZ, '+00:00')

function formatted(literal: Literal, clock: string): Calendar {
  return {
    literal,
    text: (sql) => `strftime(${plainSql(sql)}, '%Y-%m-%d${clock}')`,
    outside: (sql) => momentText(sql, literal, (time) => `strftime(${time}, '${clock}')`),
  }
}

function cast(literal: Literal, suffix: string): Calendar {
  const ending = suffix === '' ? '' : ` || '${suffix}'`
  const clock = (time: string) => `' ' || CAST(CAST(${time} AS TIME) AS VARCHAR)${ending}`
  return {
    literal,
    text: (sql) => `CAST(${plainSql(sql)} AS VARCHAR)${ending}`,
    outside: (sql) => momentText(sql, literal, clock),
  }
}

/**
 * A moment without time zone. By number: casts and formats of the type with time zone call a
 * calendar library for each value, and of a column without one DuckDB also makes a text of the
 * file's least value, which may have none.
 */
function plainSql(sql: string): string {
  return `make_timestamp(epoch_us(${sql}))`
}

/** By number: DuckDB's calendar begins after the first moment of 64 bits. */
function momentText(sql: string, literal: Literal, clockText: (time: string) => string): string {
  const ticks =
    `CASE WHEN isfinite(${sql}) THEN epoch_us(${sql}) ` +
    `WHEN ${sql} > ${literal('1970-01-01')} THEN 9223372036854775807 ELSE -9223372036854775807 END`
  const perDay = MICROS_PER_DAY
  const days = `(${ticks}) // ${perDay} - CAST((${ticks}) % ${perDay} < 0 AS BIGINT)`
  const day = `(${EPOCH} + CAST(${days} AS INTEGER))`
  const time = `make_timestamp(((${ticks}) % ${perDay} + ${perDay}) % ${perDay})`
  return `${dayText(day)} || ${clockText(time)}`
}

/** The text of a day of DuckDB's calendar, outside of the years 1 to 9999. */
function dayText(day: string): string {
  // Each `year()` of a statement fills a table of 29,000 days first: longer than a small query.
  const year = `(1970 + date_diff('year', ${EPOCH}, ${day}))`
  return (
    `(CASE WHEN ${year} < 0 THEN printf('%05d', ${year}) ` +
    `WHEN ${year} > 9999 THEN printf('+%d', ${year}) ELSE '0000' END) || strftime(${day}, '-%m-%d')`
  )
}

/**
 * As Iceberg writes dates: `2017-11-16`, `-0044-03-15`, `+12024-01-01`. The comparison with
 * constants costs nothing if the file's statistics decide it.
 */
function calendarSql(sql: string, { literal, text, outside }: Calendar): string {
  return (
    `CASE WHEN ${sql} >= ${literal('0001-01-01')} AND ${sql} < ${literal('10000-01-01')} ` +
    `THEN ${text(sql)} WHEN ${sql} IS NOT NULL THEN ${outside(sql)} END`
  )
}

/** DuckDB has no text for the first day and the last moment of 64 bits, in 1677 and 2262. */
function nanosecondsSql(
  sql: string,
  { text, clockText }: { readonly text: string; readonly clockText: (time: string) => string },
): string {
  const ticks = `epoch_ns(${sql})`
  const days = `${ticks} // ${NANOS_PER_DAY} - CAST(${ticks} % ${NANOS_PER_DAY} < 0 AS BIGINT)`
  const day = `(${EPOCH} + CAST(${days} AS INTEGER))`
  const rest = `(${ticks} % ${NANOS_PER_DAY} + ${NANOS_PER_DAY}) % ${NANOS_PER_DAY}`
  const edge = `strftime(${day}, '%Y-%m-%d') || ${clockText(`make_timestamp_ns(${rest})`)}`
  return (
    `CASE WHEN isfinite(${sql}) AND ${sql} >= TIMESTAMP_NS '1677-09-22 00:00:00' THEN ${text} ` +
    `WHEN ${sql} IS NOT NULL THEN ${edge} END`
  )
}

/** A time of day; DuckDB would write another one for those that are none. */
function timeSql(sql: string, text: string): string {
  const refusal = refusalSql('a time of day is not between 00:00 and 24:00')
  return (
    `CASE WHEN ${sql} >= TIME '00:00:00' AND ${sql} < TIME '24:00:00' THEN ${text} ` +
    `WHEN ${sql} IS NOT NULL THEN ${refusal} END`
  )
}

/** As JSON with any names; DuckDB's own structs are written faster. */
export function jsonObject(
  members: readonly { readonly name: string; readonly value: string }[],
): string {
  const pairs = members.map(({ name, value }) => `${quoteText(name)}, ${value}`)
  return `json_object(${pairs.join(', ')})`
}

function struct(members: readonly { readonly name: string; readonly value: string }[]): string {
  const names = sqlNames(members)
  const pairs = members.map(({ value }, i) => `${quoteName(names[i] ?? '')} := ${value}`)
  return `struct_pack(${pairs.join(', ')})`
}
