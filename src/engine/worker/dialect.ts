import type { PrimitiveType } from '../../core/type.ts'
import { notImplemented, quoteName } from './sql-text.ts'

/** How values become what a format holds. The expressions it is given are of the table's own types. */
export interface Dialect {
  primitive(type: PrimitiveType, sql: string): string
  /** A primitive key of a map. */
  key(type: PrimitiveType, sql: string): string
  struct(members: readonly { readonly name: string; readonly value: string }[]): string
  /** Of a list of structs `key` and `value`, already written. */
  map(entries: string, hasNestedKey: boolean): string
  /** A nested column that the file lacks; `typedNull` has the table's type. */
  absent(typedNull: string): string
  /** A column of type unknown: NULL in every row. */
  unknown(column: string): string
}

/** Values stay what they are. */
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

/** docs/dump-dialects.md, "NDJSON": what DuckDB then writes as JSON. */
export const JSON_VALUES: Dialect = {
  primitive: jsonPrimitive,
  key: (type, sql) => `CAST(${csvPrimitive(type, sql)} AS VARCHAR)`,
  struct,
  map: (entries, hasNestedKey) => (hasNestedKey ? entries : `map_from_entries(${entries})`),
  absent: () => 'NULL',
  unknown: () => 'NULL',
}

/** docs/dump-dialects.md, "CSV", for a column that is not nested; nested ones are JSON text. */
export function csvPrimitive(type: PrimitiveType, sql: string): string {
  switch (type.kind) {
    case 'float':
    case 'double':
      return (
        `CASE WHEN isfinite(${sql}) THEN CAST(${sql} AS VARCHAR) WHEN isnan(${sql}) THEN 'NaN' ` +
        `WHEN ${sql} > 0 THEN 'Infinity' WHEN ${sql} < 0 THEN '-Infinity' END`
      )
    default:
      return textual(type, sql)
  }
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
      return calendarSql(sql, { literal: 'DATE', format: '' })
    case 'time':
      return `strftime(DATE '1970-01-01' + ${sql}, '%H:%M:%S.%f')`
    case 'timestamp':
      return calendarSql(sql, { literal: 'TIMESTAMP', format: 'T%H:%M:%S.%f' })
    case 'timestamptz':
      return calendarSql(sql, { literal: 'TIMESTAMPTZ', format: 'T%H:%M:%S.%f+00:00' })
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
 * As Iceberg writes dates: `2017-11-16`, `-0044-03-15`, `+12024-01-01`. The comparison with constants costs nothing
 * where the file's statistics decide it. What DuckDB takes for an infinity has no calendar.
 */
function calendarSql(
  sql: string,
  { literal, format }: { readonly literal: string; readonly format: string },
): string {
  const zone = literal === 'TIMESTAMPTZ' ? '+00' : ''
  const rest = format === '' ? `-%m-%d` : `-%m-%d${format}`
  return (
    `CASE WHEN ${sql} >= ${literal} '0001-01-01${midnight(literal)}${zone}' ` +
    `AND ${sql} < ${literal} '10000-01-01${midnight(literal)}${zone}' ` +
    `THEN strftime(${sql}, '%Y${rest}') ` +
    `WHEN ${sql} IS NULL THEN NULL ` +
    `WHEN NOT isfinite(${sql}) THEN error('a date or timestamp outside of the calendar') ` +
    `ELSE (CASE WHEN year(${sql}) < 0 THEN printf('%05d', year(${sql})) ` +
    `WHEN year(${sql}) > 9999 THEN printf('+%d', year(${sql})) ELSE '0000' END) ` +
    `|| strftime(${sql}, '${rest}') END`
  )
}

function midnight(literal: string): string {
  return literal === 'DATE' ? '' : ' 00:00:00'
}

function struct(members: readonly { readonly name: string; readonly value: string }[]): string {
  return `struct_pack(${members.map(({ name, value }) => `${quoteName(name)} := ${value}`).join(', ')})`
}
