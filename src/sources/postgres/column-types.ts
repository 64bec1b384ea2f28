import type pg from 'pg'
import type { SourceColumn } from '../row-source.ts'

/** By the number of the type in PostgreSQL's own catalog, which is the same everywhere. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [16, 'boolean'],
  [17, 'binary'],
  [20, 'long'],
  [21, 'int'],
  [23, 'int'],
  [26, 'long'],
  [700, 'float'],
  [701, 'double'],
  [1082, 'date'],
  [1083, 'time'],
  [1114, 'timestamp'],
  [1184, 'timestamptz'],
  [2950, 'uuid'],
])
const NUMERIC = 1700
const DIGITS_MAX = 38
/** What PostgreSQL adds to every type modifier. */
const MODIFIER_OFFSET = 4

/**
 * Columns of a query. What Iceberg has no type for is a string, as it is in the CSV: numerics
 * without digits in their type, JSON, arrays, ranges.
 */
export function columnsOf(fields: readonly pg.FieldDef[]): readonly SourceColumn[] {
  return fields.map(({ name, dataTypeID, dataTypeModifier }) => ({
    name,
    type: dataTypeID === NUMERIC ? numericType(dataTypeModifier) : typeOf(dataTypeID),
  }))
}

function typeOf(id: number): string {
  return TYPES.get(id) ?? 'string'
}

function numericType(modifier: number): string {
  if (modifier < MODIFIER_OFFSET) return 'string'
  const digits = modifier - MODIFIER_OFFSET
  const precision = (digits >> 16) & 0xffff
  // Eleven bits with a sign, since PostgreSQL 15.
  const scale = ((digits & 0x7ff) ^ 1024) - 1024
  const isDecimal = precision <= DIGITS_MAX && scale >= 0 && scale <= precision
  return isDecimal ? `decimal(${precision},${scale})` : 'string'
}
