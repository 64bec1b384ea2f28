import { hexText } from '../../../core/value/bytes-text.ts'
import { valueFromJson, valueToText } from '../../../core/value/single-value.ts'
import { type Field, isNested } from '../../../core/value/type.ts'
import type { Value } from '../../../core/value/value.ts'
import { notImplemented, quoteText } from './sql-text.ts'
import { typeSql } from './type-sql.ts'

/** The value of rows written before the column was added (Iceberg spec, "Default values"). */
export function initialDefaultSql(field: Field, column: string): string {
  const { type, initialDefault } = field
  if (type.kind === 'unknown') return 'NULL'
  const duckDbType = typeSql(type, column)
  if (initialDefault === undefined || initialDefault === null) return `CAST(NULL AS ${duckDbType})`
  if (isNested(type)) throw notImplemented(column, 'a default of a nested type cannot be converted')
  return `CAST(${valueSql(field, valueFromJson(type, initialDefault))} AS ${duckDbType})`
}

function valueSql({ type }: Field, value: Value): string {
  switch (type.kind) {
    // By number, not by text: DuckDB writes and reads years before 1 in its own way.
    case 'date':
      return `DATE '1970-01-01' + ${int(value)}`
    case 'time':
      return `CAST(make_timestamp(${int(value)}) AS TIME)`
    case 'timestamp':
      return `make_timestamp(${int(value)})`
    case 'timestamptz':
      return `make_timestamp(${int(value)}) AT TIME ZONE 'UTC'`
    case 'timestamp_ns':
      return `make_timestamp_ns(${int(value)})`
    case 'fixed':
    case 'binary':
      return `unhex('${hexText(value as Uint8Array)}')`
    default:
      return isNested(type) ? 'NULL' : quoteText(numberText(value) ?? valueToText(type, value))
  }
}

function int(value: Value): string {
  return `(${value})`
}

// String(-0) is 0.
function numberText(value: Value): string | undefined {
  return Object.is(value, -0) ? '-0.0' : undefined
}
