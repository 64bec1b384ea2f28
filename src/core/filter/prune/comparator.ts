import { fromTwosComplement } from '../../value/decimal.ts'
import { decodeSingleValue, encodeSingleValue } from '../../value/single-value.ts'
import type { PrimitiveType } from '../../value/type.ts'
import { compareBytes, compareCodePoints, compareSlice, type Value } from '../../value/value.ts'

/**
 * Compares with one literal. Returns NaN when that is impossible, so that neither `< 0` nor `> 0`
 * is true.
 */
export interface Comparator {
  /** Negative if the bound, in binary single-value form, is below the literal. */
  bytes(bound: Uint8Array): number
  /** The same for a bound in a larger buffer. */
  slice(bytes: Uint8Array, start: number, end: number): number
  /** Negative if the value is below the literal. */
  value(value: Value): number
}

type CompareSlice = Comparator['slice']
type ReadSlice = (bytes: Uint8Array, start: number, end: number) => number | bigint

function newComparator(slice: CompareSlice, value: Comparator['value']): Comparator {
  return { slice, value, bytes: (bound) => slice(bound, 0, bound.length) }
}

/** A comparator for a literal of `type` that is not NaN. */
export function comparatorWith(type: PrimitiveType, literal: Value): Comparator {
  switch (type.kind) {
    case 'string':
      return stringComparator(literal as string)
    case 'uuid':
      return uuidComparator(literal as Uint8Array)
    case 'boolean':
      return booleanComparator(Number(literal))
    case 'int':
    case 'date':
      return numberComparator(literal as number, readInt)
    case 'float':
    case 'double':
      return numberComparator(literal as number, readFloat)
    case 'decimal':
      return numberComparator(literal as bigint, readDecimal)
    case 'fixed':
    case 'binary':
      return bytesComparator(literal as Uint8Array)
    default:
      return longComparator(type, literal as bigint)
  }
}

function numberComparator(literal: number | bigint, read: ReadSlice): Comparator {
  return newComparator(
    (bytes, start, end) => compareNumbers(read(bytes, start, end), literal),
    (value) => compareNumbers(value, literal),
  )
}

// JavaScript compares a number with a bigint exactly; a widened column may hold either.
function compareNumbers(left: Value, right: number | bigint): number {
  if (typeof left !== 'number' && typeof left !== 'bigint') return Number.NaN
  if (left < right) return -1
  if (left > right) return 1
  return left >= right ? 0 : Number.NaN
}

function readInt(bytes: Uint8Array, start: number, end: number): number {
  return end - start === 4 ? readInt32(bytes, start) : Number.NaN
}

function readInt32(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] as number) |
    ((bytes[offset + 1] as number) << 8) |
    ((bytes[offset + 2] as number) << 16) |
    ((bytes[offset + 3] as number) << 24)
  )
}

const SCRATCH = new DataView(new ArrayBuffer(8))

function readFloat(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length !== 4 && length !== 8) return Number.NaN
  SCRATCH.setInt32(0, readInt32(bytes, start), true)
  if (length === 4) return SCRATCH.getFloat32(0, true)
  SCRATCH.setInt32(4, readInt32(bytes, start + 4), true)
  return SCRATCH.getFloat64(0, true)
}

/** A decimal of 38 digits needs 16 bytes, but other writers may pad. */
const DECIMAL_BYTES_MAX = 32
const SMALL_DECIMAL_BYTES_MAX = 6

function readDecimal(bytes: Uint8Array, start: number, end: number): number | bigint {
  const length = end - start
  if (length === 0 || length > DECIMAL_BYTES_MAX) return Number.NaN
  if (length > SMALL_DECIMAL_BYTES_MAX) return fromTwosComplement(bytes.subarray(start, end))
  let value = ((bytes[start] as number) << 24) >> 24
  for (let i = start + 1; i < end; i++) value = value * 256 + (bytes[i] as number)
  return value
}

/** Compares halves of 32 bits: reading a bigint for each bound would cost an allocation. */
function longComparator(type: PrimitiveType, literal: bigint): Comparator {
  const high = Number(literal >> 32n)
  const low = Number(literal & 0xffffffffn)
  return newComparator(
    (bytes, start, end) => {
      if (end - start !== 8) {
        return compareNumbers(readWidened(type, bytes.subarray(start, end)), literal)
      }
      const difference = readInt32(bytes, start + 4) - high
      return difference === 0 ? (readInt32(bytes, start) >>> 0) - low : difference
    },
    (value) =>
      typeof value === 'bigint' || type.kind === 'long'
        ? compareNumbers(value, literal)
        : Number.NaN,
  )
}

/** Reads a bound that was written as an int or date, before the column was widened. */
function readWidened({ kind }: PrimitiveType, bytes: Uint8Array): Value {
  const isWidened = kind === 'long' || kind === 'timestamp' || kind === 'timestamp_ns'
  return isWidened && bytes.length === 4 ? decodeSingleValue({ kind }, bytes) : Number.NaN
}

function booleanComparator(literal: number): Comparator {
  return newComparator(
    (bytes, start, end) =>
      end - start === 1 ? Math.min(bytes[start] as number, 1) - literal : Number.NaN,
    (value) => Number(value) - literal,
  )
}

// UTF-8 bytes sort like code points, so bounds need neither decoding nor whole characters.
function stringComparator(literal: string): Comparator {
  const encoded = encodeSingleValue({ kind: 'string' }, literal)
  return newComparator(
    (bytes, start, end) => compareSlice(bytes, start, end, encoded),
    (value) => (typeof value === 'string' ? compareCodePoints(value, literal) : Number.NaN),
  )
}

function bytesComparator(literal: Uint8Array): Comparator {
  return newComparator(
    (bytes, start, end) => compareSlice(bytes, start, end, literal),
    (value) => (value instanceof Uint8Array ? compareBytes(value, literal) : Number.NaN),
  )
}

/**
 * Older Java writers compare UUIDs as two signed longs, others as unsigned bytes, so a bound counts
 * only where both orders agree.
 */
function uuidComparator(literal: Uint8Array): Comparator {
  const signedLiteral = withSignedHalves(literal)
  const scratch = new Uint8Array(16)
  const { value } = bytesComparator(literal)
  return newComparator((bytes, start, end) => {
    if (end - start !== 16) return Number.NaN
    for (let i = 0; i < 16; i++) scratch[i] = bytes[start + i] as number
    const order = compareBytes(scratch, literal)
    const signedOrder = compareBytes(flipSigns(scratch), signedLiteral)
    return Math.sign(order) === Math.sign(signedOrder) ? order : Number.NaN
  }, value)
}

function withSignedHalves(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(16)
  copy.set(bytes.subarray(0, 16))
  return flipSigns(copy)
}

/** Makes unsigned bytes sort as two signed big-endian longs. */
function flipSigns(bytes: Uint8Array): Uint8Array {
  bytes[0] = (bytes[0] as number) ^ 0x80
  bytes[8] = (bytes[8] as number) ^ 0x80
  return bytes
}
