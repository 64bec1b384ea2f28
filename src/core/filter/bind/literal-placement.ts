import { parseHex, parseUuid } from '../../value/bytes-text.ts'
import { NANOS_PER_DAY, parseTime, parseTimestamp } from '../../value/date-time.ts'
import { type Decimal, floorAtScale, floorDivide, parseDecimal } from '../../value/decimal.ts'
import { INT_MAX, INT_MIN, LONG_MAX, LONG_MIN } from '../../value/single-value.ts'
import type { PrimitiveType } from '../../value/type.ts'
import type { Value } from '../../value/value.ts'
import type { Literal } from '../parse/expression.ts'

/** Where a literal lies among the values of a type. */
export type Placement =
  | { readonly kind: 'at'; readonly value: Value }
  /** Above `below` and below the next value of the type: 1.5 among ints. */
  | { readonly kind: 'after'; readonly below: Value }
  /** Engines disagree which of the two values it means: 0.1 among 32-bit floats. */
  | { readonly kind: 'around'; readonly low: number; readonly high: number }
  | { readonly kind: 'under-all' | 'over-all' | 'nan' }

/** Returns `undefined` if the literal does not fit the type. The literal must not be NULL. */
export function placeLiteral(type: PrimitiveType, literal: Literal): Placement | undefined {
  switch (type.kind) {
    case 'boolean':
      return placeBoolean(literal)
    case 'int':
    case 'long':
    case 'decimal':
      return placeNumber(type, literal)
    case 'float':
    case 'double':
      return placeFloat(type.kind, literal)
    case 'string':
      return literal.kind === 'string' ? { kind: 'at', value: literal.text } : undefined
    case 'uuid':
      return placeBytes(literal, (text) => parseUuid(text) ?? uuidFromHex(text))
    case 'fixed':
    case 'binary':
      return placeBytes(literal, parseHex)
    case 'time':
      return placeTime(literal)
    default:
      return placeInstant(type, literal)
  }
}

/**
 * The largest value below `value`, for a type with discrete values; `undefined` if there is none.
 */
export function nextBelow(type: PrimitiveType, value: Value): Value | undefined {
  if (typeof value === 'boolean') return value ? false : undefined
  if (typeof value === 'bigint') {
    return type.kind !== 'decimal' && value <= LONG_MIN ? undefined : value - 1n
  }
  return (value as number) <= INT_MIN ? undefined : (value as number) - 1
}

export function nextAbove(type: PrimitiveType, value: Value): Value | undefined {
  if (typeof value === 'boolean') return value ? undefined : true
  if (typeof value === 'bigint') {
    return type.kind !== 'decimal' && value >= LONG_MAX ? undefined : value + 1n
  }
  return (value as number) >= INT_MAX ? undefined : (value as number) + 1
}

/** Whether the values are discrete, so that `< 5` means `<= 4`. */
export function isDiscrete(type: PrimitiveType): boolean {
  return !['float', 'double', 'string', 'uuid', 'fixed', 'binary'].includes(type.kind)
}

function placeBoolean({ kind, text }: Literal): Placement | undefined {
  const word = text.toLowerCase()
  if (kind !== 'boolean' && kind !== 'string') return undefined
  return word === 'true' || word === 'false' ? { kind: 'at', value: word === 'true' } : undefined
}

function decimalOf({ kind, text }: Literal): Decimal | undefined {
  return kind === 'number' || kind === 'string' ? parseDecimal(text.trim()) : undefined
}

function placeNumber(type: PrimitiveType, literal: Literal): Placement | undefined {
  const decimal = decimalOf(literal)
  if (decimal === undefined) return undefined
  const scale = type.kind === 'decimal' ? type.scale : 0
  const floor = floorAtScale(decimal, scale)
  return placeInteger(type, floor, isAtScale(decimal, floor, scale))
}

function isAtScale(decimal: Decimal, unscaled: bigint, scale: number): boolean {
  return floorAtScale({ unscaled, scale }, decimal.scale) === decimal.unscaled
}

/** `floor` is the largest integer that is not above the literal. */
function placeInteger(type: PrimitiveType, floor: bigint, isExact: boolean): Placement {
  const isInt = type.kind === 'int' || type.kind === 'date'
  const [min, max] = isInt ? [BigInt(INT_MIN), BigInt(INT_MAX)] : [LONG_MIN, LONG_MAX]
  if (type.kind !== 'decimal') {
    if (floor < min) return { kind: 'under-all' }
    if (floor > max) return { kind: 'over-all' }
  }
  const value = isInt ? Number(floor) : floor
  return isExact ? { kind: 'at', value } : { kind: 'after', below: value }
}

const NOT_FINITE = /^([+-]?)(?:inf(?:inity)?|(nan))$/i

function placeFloat(kind: 'float' | 'double', literal: Literal): Placement | undefined {
  const special = literal.kind === 'string' ? NOT_FINITE.exec(literal.text.trim()) : null
  if (special !== null) {
    if (special[2] !== undefined) return { kind: 'nan' }
    const value = special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
    return { kind: 'at', value }
  }
  if (decimalOf(literal) === undefined) return undefined
  const value = Number(literal.text)
  if (kind === 'double' || Math.fround(value) === value) return { kind: 'at', value }
  return { kind: 'around', low: floatNotAbove(value), high: -floatNotAbove(-value) }
}

const FLOAT_SCRATCH = new DataView(new ArrayBuffer(4))

/** The largest 32-bit float that is not above `value`, which is not NaN. */
function floatNotAbove(value: number): number {
  const rounded = Math.fround(value)
  if (rounded <= value) return rounded
  FLOAT_SCRATCH.setFloat32(0, rounded)
  const bits = FLOAT_SCRATCH.getInt32(0)
  if (rounded === 0) FLOAT_SCRATCH.setInt32(0, -0x7fffffff)
  else FLOAT_SCRATCH.setInt32(0, rounded > 0 ? bits - 1 : bits + 1)
  return FLOAT_SCRATCH.getFloat32(0)
}

function placeBytes(
  { kind, text }: Literal,
  parse: (text: string) => Uint8Array | undefined,
): Placement | undefined {
  const bytes = kind === 'string' || kind === 'bytes' ? parse(text) : undefined
  return bytes === undefined ? undefined : { kind: 'at', value: bytes }
}

function uuidFromHex(text: string): Uint8Array | undefined {
  const bytes = parseHex(text)
  return bytes?.length === 16 ? bytes : undefined
}

function placeTime({ kind, text }: Literal): Placement | undefined {
  const time = kind === 'string' ? parseTime(text.trim()) : undefined
  if (time === undefined) return undefined
  return placeTicks({ kind: 'time' }, time, 1000n)
}

// A literal without an offset is in UTC; one with an offset is converted to UTC, for every column.
function placeInstant(type: PrimitiveType, { kind, text }: Literal): Placement | undefined {
  const parsed = kind === 'string' ? parseTimestamp(text.trim()) : undefined
  if (parsed === undefined) return undefined
  if (type.kind === 'date') return placeTicks(type, parsed, NANOS_PER_DAY)
  return placeTicks(type, parsed, type.kind.endsWith('_ns') ? 1n : 1000n)
}

function placeTicks(
  type: PrimitiveType,
  { nanos, hasFinerDigits }: { readonly nanos: bigint; readonly hasFinerDigits: boolean },
  nanosPerTick: bigint,
): Placement {
  const floor = floorDivide(nanos, nanosPerTick)
  return placeInteger(type, floor, floor * nanosPerTick === nanos && !hasFinerDigits)
}
