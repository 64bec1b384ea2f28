import { absentValue, type ConstantColumns } from '../../../core/schema/column-projection.ts'
import { hexText } from '../../../core/value/bytes-text.ts'
import { valueToText } from '../../../core/value/single-value.ts'
import { type Field, isNested } from '../../../core/value/type.ts'
import type { Value } from '../../../core/value/value.ts'
import { notImplemented, quoteText } from './sql-text.ts'
import { typeSql } from './type-sql.ts'

/** The value of a column that the file lacks, in every row. */
export function absentSql(field: Field, column: string, constants: ConstantColumns): string {
  const { type, initialDefault } = field
  if (type.kind === 'unknown') return 'NULL'
  const duckDbType = typeSql(type, column)
  if (isNested(type) && initialDefault !== undefined && initialDefault !== null) {
    throw notImplemented(column, 'a default of a nested type cannot be converted')
  }
  const value = absentValue(field, constants)
  return `CAST(${value === null ? 'NULL' : valueSql(field, value)} AS ${duckDbType})`
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
