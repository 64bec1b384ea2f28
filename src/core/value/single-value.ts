import { CatalogError } from '../errors.ts'
import { hexText, parseHex, parseUuid, uuidText } from './bytes-text.ts'
import {
  dateText,
  MICROS_PER_DAY,
  NANOS_PER_DAY,
  parseDate,
  parseTime,
  parseTimestamp,
  timestampText,
  timeText,
} from './date-time.ts'
import {
  decimalText,
  fitsPrecision,
  fromTwosComplement,
  parseDecimal,
  rescale,
  toTwosComplement,
} from './decimal.ts'
import { type DecimalType, type PrimitiveType, typeName } from './type.ts'
import type { Value } from './value.ts'

const UTF8_ENCODER = new TextEncoder()
// A byte order mark is part of the value.
const UTF8_DECODER = new TextDecoder('utf-8', { ignoreBOM: true })
/** A decimal of 38 digits needs 16 bytes, but other writers may pad. */
const DECIMAL_BYTES_MAX = 32

export const INT_MIN = -(2 ** 31)
export const INT_MAX = 2 ** 31 - 1
export const LONG_MIN = -(2n ** 63n)
export const LONG_MAX = 2n ** 63n - 1n

/** Iceberg's binary single-value form (Iceberg spec, Appendix D). */
export function encodeSingleValue(type: PrimitiveType, value: Value): Uint8Array {
  switch (type.kind) {
    case 'boolean':
      return Uint8Array.of(value === true ? 1 : 0)
    case 'int':
    case 'date':
      return scalarBytes(4, (view) => view.setInt32(0, value as number, true))
    case 'float':
      return scalarBytes(4, (view) => view.setFloat32(0, value as number, true))
    case 'double':
      return scalarBytes(8, (view) => view.setFloat64(0, value as number, true))
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return scalarBytes(8, (view) => view.setBigInt64(0, value as bigint, true))
    case 'decimal':
      return toTwosComplement(value as bigint)
    case 'string':
      return UTF8_ENCODER.encode(value as string)
    default:
      return value as Uint8Array
  }
}

function scalarBytes(length: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length)
  write(new DataView(bytes.buffer))
  return bytes
}

/**
 * The inverse of `encodeSingleValue`. A value written before its column was widened is widened (int
 * to long, float to double, date to timestamp). Throws `metadata-corrupt` if the length is
 * impossible. Types of later versions stay bytes.
 */
export function decodeSingleValue(type: PrimitiveType, bytes: Uint8Array): Value {
  switch (type.kind) {
    case 'boolean':
      if (bytes.length !== 1) throw impossibleLength(type, bytes)
      return bytes[0] !== 0
    case 'string':
      return UTF8_DECODER.decode(bytes)
    case 'decimal':
      if (bytes.length === 0 || bytes.length > DECIMAL_BYTES_MAX) {
        throw impossibleLength(type, bytes)
      }
      return fromTwosComplement(bytes)
    case 'uuid':
      if (bytes.length !== 16) throw impossibleLength(type, bytes)
      return bytes
    case 'fixed':
      if (bytes.length !== type.length) throw impossibleLength(type, bytes)
      return bytes
    case 'binary':
    case 'unknown':
    case 'variant':
    case 'opaque':
      return bytes
    default:
      return decodeScalar(type, bytes)
  }
}

const SCRATCH_BYTES = new Uint8Array(8)
const SCRATCH = new DataView(SCRATCH_BYTES.buffer)

function decodeScalar(type: PrimitiveType, bytes: Uint8Array): Value {
  const { length } = bytes
  // Creating a view would cost more than reading the bytes one by one.
  if (length === 4 || length === 8) {
    for (let i = 0; i < length; i++) SCRATCH_BYTES[i] = bytes[i] as number
  }
  if (length === 4) {
    const value = decodeFourBytes(type, SCRATCH)
    if (value !== undefined) return value
  } else if (length === 8) {
    if (type.kind === 'double') return SCRATCH.getFloat64(0, true)
    if (type.kind !== 'int' && type.kind !== 'date' && type.kind !== 'float') {
      return SCRATCH.getBigInt64(0, true)
    }
  }
  throw impossibleLength(type, bytes)
}

function decodeFourBytes(type: PrimitiveType, view: DataView): Value | undefined {
  switch (type.kind) {
    case 'int':
    case 'date':
      return view.getInt32(0, true)
    case 'float':
    case 'double':
      return view.getFloat32(0, true)
    case 'long':
      return BigInt(view.getInt32(0, true))
    case 'timestamp':
      return BigInt(view.getInt32(0, true)) * MICROS_PER_DAY
    case 'timestamp_ns':
      return BigInt(view.getInt32(0, true)) * NANOS_PER_DAY
    default:
      return undefined
  }
}

function impossibleLength(type: PrimitiveType, bytes: Uint8Array): CatalogError {
  return new CatalogError(
    'metadata-corrupt',
    `a value of type ${typeName(type)} cannot have ${bytes.length} bytes`,
  )
}

/**
 * Iceberg's JSON single-value form (Iceberg spec, Appendix D). A long beyond 2^53 stays a bigint,
 * for a JSON writer that is exact; NaN and the infinities are strings.
 */
export function valueToJson(type: PrimitiveType, value: Value): unknown {
  switch (type.kind) {
    case 'boolean':
    case 'int':
      return value
    case 'long':
      return Number.isSafeInteger(Number(value)) ? Number(value) : value
    case 'float':
    case 'double':
      return Number.isFinite(value) ? value : String(value)
    default:
      return valueToText(type, value)
  }
}

/** The value for people: its JSON text without quotes. */
export function valueToText(type: PrimitiveType, value: Value): string {
  switch (type.kind) {
    case 'decimal':
      return decimalText({ unscaled: value as bigint, scale: type.scale })
    case 'date':
      return dateText(value as number)
    case 'time':
      return timeText(value as bigint, 6)
    case 'timestamp':
      return timestampText(value as bigint, 6)
    case 'timestamptz':
      return `${timestampText(value as bigint, 6)}+00:00`
    case 'timestamp_ns':
      return timestampText(value as bigint, 9)
    case 'timestamptz_ns':
      return `${timestampText(value as bigint, 9)}+00:00`
    case 'uuid':
      return uuidText(value as Uint8Array)
    default:
      return value instanceof Uint8Array ? hexText(value) : String(value)
  }
}

/** The inverse of `valueToJson`; Throws `metadata-corrupt` if `json` is not a value of the type. */
export function valueFromJson(type: PrimitiveType, json: unknown): Value {
  const value = findValueFromJson(type, json)
  if (value === undefined) {
    throw new CatalogError('metadata-corrupt', `not a JSON value of type ${typeName(type)}`)
  }
  return value
}

/**
 * Does the same as `valueFromJson` for input whose errors have another code: returns `undefined` if
 * it is not a value of the type.
 */
export function findValueFromJson(type: PrimitiveType, json: unknown): Value | undefined {
  switch (type.kind) {
    case 'boolean':
      return typeof json === 'boolean' ? json : undefined
    case 'int':
      return isInt(json) ? json : undefined
    case 'long':
      return longFromJson(json)
    case 'float':
    case 'double':
      return floatFromJson(type.kind, json)
    default:
      return typeof json === 'string' ? valueFromText(type, json) : undefined
  }
}

function isInt(json: unknown): json is number {
  return Number.isInteger(json) && (json as number) >= INT_MIN && (json as number) <= INT_MAX
}

function longFromJson(json: unknown): bigint | undefined {
  if (Number.isSafeInteger(json)) return BigInt(json as number)
  const value = typeof json === 'string' && /^-?\d{1,19}$/.test(json) ? BigInt(json) : json
  return typeof value === 'bigint' && value >= LONG_MIN && value <= LONG_MAX ? value : undefined
}

function floatFromJson(kind: 'float' | 'double', json: unknown): number | undefined {
  if (json === 'NaN' || json === 'Infinity' || json === '-Infinity') return Number(json)
  const number = typeof json === 'bigint' ? Number(json) : json
  if (typeof number !== 'number') return undefined
  return kind === 'float' ? Math.fround(number) : number
}

function valueFromText(type: PrimitiveType, text: string): Value | undefined {
  switch (type.kind) {
    case 'string':
      return text
    case 'decimal':
      return decimalFromText(type, text)
    case 'date':
      return intRange(parseDate(text))
    case 'time': {
      const time = parseTime(text)
      if (time === undefined || time.hasFinerDigits || time.nanos % 1000n !== 0n) return undefined
      return time.nanos / 1000n
    }
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return timestampFromText(type.kind, text)
    case 'uuid':
      return parseUuid(text)
    case 'fixed': {
      const bytes = parseHex(text)
      return bytes?.length === type.length ? bytes : undefined
    }
    default:
      return parseHex(text)
  }
}

function intRange(value: number | undefined): number | undefined {
  return isInt(value) ? value : undefined
}

function decimalFromText(type: DecimalType, text: string): bigint | undefined {
  const decimal = parseDecimal(text)
  const unscaled = decimal === undefined ? undefined : rescale(decimal, type.scale)
  return unscaled !== undefined && fitsPrecision(unscaled, type.precision) ? unscaled : undefined
}

function timestampFromText(
  kind: 'timestamp' | 'timestamptz' | 'timestamp_ns' | 'timestamptz_ns',
  text: string,
): bigint | undefined {
  const parsed = parseTimestamp(text)
  if (parsed === undefined || parsed.hasFinerDigits) return undefined
  if (parsed.hasOffset !== kind.startsWith('timestamptz')) return undefined
  const nanosPerTick = kind.endsWith('_ns') ? 1n : 1000n
  if (parsed.nanos % nanosPerTick !== 0n) return undefined
  const ticks = parsed.nanos / nanosPerTick
  return ticks >= LONG_MIN && ticks <= LONG_MAX ? ticks : undefined
}
