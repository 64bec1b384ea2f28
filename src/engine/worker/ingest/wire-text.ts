import { uuidText } from '../../../core/value/bytes-text.ts'
import { findValueFromJson, valueToText } from '../../../core/value/single-value.ts'
import { type PrimitiveType, typeName } from '../../../core/value/type.ts'
import type { Value } from '../../../core/value/value.ts'

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const INTEGER = /^[+-]?\d{1,40}$/
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const NOT_FINITE: ReadonlyMap<string, string> = new Map([
  ['nan', 'NaN'],
  ['inf', 'Infinity'],
  ['+inf', 'Infinity'],
  ['-inf', '-Infinity'],
  ['infinity', 'Infinity'],
  ['+infinity', 'Infinity'],
  ['-infinity', '-Infinity'],
])
/** Least finite timestamp in DuckDB, in microseconds, in 290309 BC. */
const MICROS_MIN = -9_223_372_022_400_000_000n
const TICKS_MAX = 2n ** 63n - 2n
const DAYS_MAX = 2 ** 31 - 2

/**
 * Converts a text to the one spelling that wire-sql.ts reads; `undefined` if it is not a value of
 * the type.
 */
export function wireText(type: PrimitiveType, text: string): string | undefined {
  switch (type.kind) {
    case 'string':
      return text
    case 'boolean': {
      const folded = text.toLowerCase()
      return folded === 'true' || folded === 'false' ? folded : undefined
    }
    case 'int':
    case 'long':
      return integerText(type, text)
    case 'float':
    case 'double':
      return floatText(type.kind, text)
    case 'binary':
    case 'fixed':
      return base64Text(type, text)
    default:
      return otherText(type, text)
  }
}

/** What was expected, for messages. */
export function expectation(type: PrimitiveType): string {
  switch (type.kind) {
    case 'binary':
    case 'fixed':
      return `${typeName(type)} as base64`
    default:
      return typeName(type)
  }
}

const FORMS: Readonly<Partial<Record<PrimitiveType['kind'], string>>> = {
  boolean: 'write true or false',
  int: 'write digits only, as 1234',
  long: 'write digits only, as 1234',
  decimal: 'write it as 12.5',
  date: 'write it as 2026-01-31',
  time: 'write it as 12:30:00',
  timestamp: 'write it as 2026-01-31T12:30:00',
  timestamptz: 'write it as 2026-01-31T12:30:00Z',
  timestamp_ns: 'write it as 2026-01-31T12:30:00',
  timestamptz_ns: 'write it as 2026-01-31T12:30:00Z',
}
const NULL_WORD = /^(?:na|n\/a|null|none|nil|\\n|-)$/i
/** As PostgreSQL has them. */
const INFINITE = /^-?infinity$/i
const DAYS_OR_TIMES: ReadonlySet<string> = new Set([
  ...['date', 'timestamp', 'timestamptz', 'timestamp_ns', 'timestamptz_ns'],
])
const DECIMAL_COMMA = /^[+-]?\d{1,18},\d{1,18}$/
const ISO_DAY = /^\d{4}-\d\d-\d\d$/
const WHOLE = /^([+-]?\d{1,18})\.0*$/

/** What to write in place of a text that is not a value of the type; empty if nobody can say. */
export function hint(type: PrimitiveType, text: string): string {
  if (text === '') return '; for NULL leave the field empty, without quotes'
  if (INFINITE.test(text) && DAYS_OR_TIMES.has(type.kind)) return '; none of a table is infinite'
  if (NULL_WORD.test(text)) return '; for NULL leave the field empty'
  const isFloat = type.kind === 'float' || type.kind === 'double'
  if ((isFloat || type.kind === 'decimal') && DECIMAL_COMMA.test(text)) {
    return `; write ${text.replace(',', '.')}`
  }
  const whole = type.kind === 'int' || type.kind === 'long' ? WHOLE.exec(text)?.[1] : undefined
  if (whole !== undefined) return `; write ${whole}`
  // The form is right, and the value is not one: too large, too exact, no day of the calendar.
  if (FLOAT.test(text) || ISO_DAY.test(text)) return ''
  const form = isFloat ? 'write it as 12.5' : FORMS[type.kind]
  return form === undefined ? '' : `; ${form}`
}

function integerText(type: PrimitiveType, text: string): string | undefined {
  if (!INTEGER.test(text)) return undefined
  const integer = BigInt(text)
  const json = type.kind === 'int' ? Number(integer) : integer
  return findValueFromJson(type, json) === undefined ? undefined : String(integer)
}

function floatText(kind: 'float' | 'double', text: string): string | undefined {
  if (!FLOAT.test(text)) return NOT_FINITE.get(text.toLowerCase())
  const number = kind === 'float' ? Math.fround(Number(text)) : Number(text)
  if (!Number.isFinite(number)) return undefined
  return Object.is(number, -0) ? '-0.0' : String(number)
}

function base64Text(type: PrimitiveType, text: string): string | undefined {
  if (!BASE64.test(text)) return undefined
  const padding = text.endsWith('==') ? 2 : Number(text.endsWith('='))
  const bytes = (text.length / 4) * 3 - padding
  return type.kind === 'fixed' && type.length !== bytes ? undefined : text
}

function otherText(type: PrimitiveType, text: string): string | undefined {
  // A time without offset is in UTC, and a day is its first moment, as of other timestamps.
  const moment = ISO_DAY.test(text) ? `${text}T00:00:00Z` : `${text}Z`
  const utc = type.kind.startsWith('timestamptz') ? findValueFromJson(type, moment) : undefined
  const value = findValueFromJson(type, text) ?? utc
  return value === undefined ? undefined : ticksText(type, value)
}

function ticksText(type: PrimitiveType, value: Value): string | undefined {
  switch (type.kind) {
    case 'date':
      return Math.abs(value as number) <= DAYS_MAX ? String(value) : undefined
    case 'timestamp':
    case 'timestamptz':
      return isWithin(value as bigint, MICROS_MIN) ? String(value) : undefined
    case 'timestamp_ns':
      return isWithin(value as bigint, -TICKS_MAX) ? String(value) : undefined
    case 'time':
      return String(value)
    case 'uuid':
      return uuidText(value as Uint8Array)
    default:
      return valueToText(type, value)
  }
}

function isWithin(ticks: bigint, min: bigint): boolean {
  return ticks >= min && ticks <= TICKS_MAX
}
