import { hexText } from '../../../core/value/bytes-text.ts'
import { valueToText } from '../../../core/value/single-value.ts'
import type { PrimitiveType } from '../../../core/value/type.ts'
import type { Value } from '../../../core/value/value.ts'
import { quoteText } from './sql-text.ts'

/** A value of the type, or of one that SQL casts to it. */
export function valueSql(type: PrimitiveType, value: Value): string {
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
      return quoteText(numberText(value) ?? valueToText(type, value))
  }
}

function int(value: Value): string {
  return `(${value})`
}

// String(-0) is 0.
function numberText(value: Value): string | undefined {
  return Object.is(value, -0) ? '-0.0' : undefined
}
