import {
  civilFromDays,
  dateText,
  MICROS_PER_DAY,
  NANOS_PER_DAY,
  NANOS_PER_HOUR,
  twoDigits,
  yearText,
} from '../value/date-time.ts'
import { floorDivide } from '../value/decimal.ts'
import { murmur3 } from '../value/murmur3.ts'
import { encodeSingleValue, INT_MAX, valueToText } from '../value/single-value.ts'
import type { PrimitiveType, Type } from '../value/type.ts'
import type { Value } from '../value/value.ts'

/** Partition transforms (Iceberg spec, "Partition Transforms"). */
export type Transform =
  | { readonly kind: 'identity' | 'year' | 'month' | 'day' | 'hour' | 'void' }
  | { readonly kind: 'bucket'; readonly buckets: number }
  | { readonly kind: 'truncate'; readonly width: number }
  /** A transform of a later version; it is kept, but never used to prune or write. */
  | { readonly kind: 'unknown'; readonly text: string }

const PLAIN_TRANSFORMS = ['identity', 'year', 'month', 'day', 'hour', 'void'] as const

/**
 * Parses `bucket[16]`, `truncate[4]`, `identity` and so on, in upper or lower case; anything else
 * becomes `unknown`.
 */
export function parseTransform(text: string): Transform {
  const lower = text.toLowerCase()
  const plain = PLAIN_TRANSFORMS.find((kind) => kind === lower)
  if (plain !== undefined) return { kind: plain }
  const [, name, digits] = /^(bucket|truncate)\[(\d{1,10})\]$/.exec(lower) ?? []
  const parameter = Number(digits)
  if (name === undefined || parameter < 1 || parameter > INT_MAX) return { kind: 'unknown', text }
  return name === 'bucket'
    ? { kind: 'bucket', buckets: parameter }
    : { kind: 'truncate', width: parameter }
}

/** The inverse of `parseTransform`. */
export function transformText(transform: Transform): string {
  switch (transform.kind) {
    case 'bucket':
      return `bucket[${transform.buckets}]`
    case 'truncate':
      return `truncate[${transform.width}]`
    case 'unknown':
      return transform.text
    default:
      return transform.kind
  }
}

/**
 * Type of the partition values. A day is a `date`, as engines write it, though the specification
 * says int.
 */
export function transformResultType(
  transform: Transform,
  sourceType: PrimitiveType,
): PrimitiveType {
  switch (transform.kind) {
    case 'identity':
    case 'truncate':
    case 'void':
      return sourceType
    case 'day':
      return { kind: 'date' }
    case 'unknown':
      return { kind: 'unknown' }
    default:
      return { kind: 'int' }
  }
}

/** Whether values of a partition can be read, or written, only by who knows the source's type. */
export function needsSourceType({ kind }: Transform): boolean {
  // Those of void are all null.
  return kind === 'identity' || kind === 'truncate'
}

const NOT_IDENTITY = new Set(['list', 'map', 'struct', 'variant', 'opaque', 'unknown'])
const NOT_BUCKET = new Set([...NOT_IDENTITY, 'boolean', 'float', 'double'])
const TRUNCATABLE = new Set(['int', 'long', 'decimal', 'string', 'binary'])
const TIMESTAMPS = new Set(['timestamp', 'timestamptz', 'timestamp_ns', 'timestamptz_ns'])

/** Whether the specification allows the transform for a column of this type. */
export function canTransform(transform: Transform, sourceType: Type): boolean {
  const kind = sourceType.kind
  switch (transform.kind) {
    case 'identity':
      return !NOT_IDENTITY.has(kind)
    case 'bucket':
      return !NOT_BUCKET.has(kind)
    case 'truncate':
      return TRUNCATABLE.has(kind)
    case 'year':
    case 'month':
    case 'day':
      return kind === 'date' || TIMESTAMPS.has(kind)
    case 'hour':
      return TIMESTAMPS.has(kind)
    case 'void':
      return true
    case 'unknown':
      return false
  }
}

/** Whether `a <= b` implies `T(a) <= T(b)`. */
export function isOrderPreserving(transform: Transform): boolean {
  return !['bucket', 'void', 'unknown'].includes(transform.kind)
}

/**
 * The partition value; null stays null. Throws an `Error` for an unknown transform: call
 * `canTransform` first.
 */
export function applyTransform(
  transform: Transform,
  sourceType: PrimitiveType,
  value: Value | null,
): Value | null {
  if (value === null || transform.kind === 'void') return null
  switch (transform.kind) {
    case 'identity':
      return value
    case 'bucket':
      return (bucketHash(sourceType, value) & INT_MAX) % transform.buckets
    case 'truncate':
      return truncate(sourceType, value, transform.width)
    case 'unknown':
      throw new Error(`the transform ${transform.text} is unknown`)
    case 'hour':
      return Number(floorDivide(nanosOf(sourceType, value as bigint), NANOS_PER_HOUR))
    default:
      return calendarUnit(transform.kind, daysOf(sourceType, value))
  }
}

/**
 * The hash before the modulo (Iceberg spec, Appendix B). Equal for int and long, and for all
 * timestamp types of one instant.
 */
export function bucketHash(sourceType: PrimitiveType, value: Value): number {
  switch (sourceType.kind) {
    case 'int':
    case 'date':
      return murmur3(encodeSingleValue({ kind: 'long' }, BigInt(value as number)))
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return murmur3(encodeSingleValue({ kind: 'long' }, floorDivide(value as bigint, 1000n)))
    default:
      return murmur3(encodeSingleValue(sourceType, value))
  }
}

// Near the smallest int or long the result wraps around, as in the reference implementation.
function truncate(sourceType: PrimitiveType, value: Value, width: number): Value {
  switch (sourceType.kind) {
    case 'int':
      return (Math.floor((value as number) / width) * width) | 0
    case 'long':
      return BigInt.asIntN(64, truncateInteger(value as bigint, width))
    case 'decimal':
      return truncateInteger(value as bigint, width)
    case 'string':
      return firstCodePoints(value as string, width)
    default:
      return (value as Uint8Array).subarray(0, width)
  }
}

function truncateInteger(value: bigint, width: number): bigint {
  return floorDivide(value, BigInt(width)) * BigInt(width)
}

function firstCodePoints(text: string, count: number): string {
  if (text.length <= count) return text
  let end = 0
  for (let points = 0; points < count && end < text.length; points++) {
    end += (text.codePointAt(end) as number) > 0xffff ? 2 : 1
  }
  return text.slice(0, end)
}

function nanosOf(sourceType: PrimitiveType, ticks: bigint): bigint {
  return sourceType.kind.endsWith('_ns') ? ticks : ticks * 1000n
}

function daysOf(sourceType: PrimitiveType, value: Value): number {
  if (sourceType.kind === 'date') return value as number
  const perDay = sourceType.kind.endsWith('_ns') ? NANOS_PER_DAY : MICROS_PER_DAY
  return Number(floorDivide(value as bigint, perDay))
}

function calendarUnit(unit: 'year' | 'month' | 'day', days: number): number {
  if (unit === 'day') return days
  const { year, month } = civilFromDays(days)
  return unit === 'year' ? year - 1970 : (year - 1970) * 12 + month - 1
}

/** The value for people: month 374 is `2001-03`, hour 0 is `1970-01-01-00`, null is `null`. */
export function transformToHuman(
  transform: Transform,
  sourceType: PrimitiveType,
  value: Value | null,
): string {
  if (value === null) return 'null'
  switch (transform.kind) {
    case 'year':
      return yearText((value as number) + 1970)
    case 'month':
      return monthText(value as number)
    case 'hour': {
      const days = Math.floor((value as number) / 24)
      return `${dateText(days)}-${twoDigits((value as number) - days * 24)}`
    }
    default:
      return valueToText(transformResultType(transform, sourceType), value)
  }
}

function monthText(months: number): string {
  const year = Math.floor(months / 12)
  return `${yearText(year + 1970)}-${twoDigits(months - year * 12 + 1)}`
}
