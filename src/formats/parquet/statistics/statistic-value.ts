import { floorDivide, fromTwosComplement } from '../../../core/value/decimal.ts'
import { LONG_MAX, LONG_MIN } from '../../../core/value/single-value.ts'
import type { PrimitiveType } from '../../../core/value/type.ts'
import type { Value } from '../../../core/value/value.ts'
import type { LeafType, StatisticForm } from '../schema/leaf-type.ts'
import {
  fixedBound,
  lowerBinaryBound,
  lowerTextBound,
  upperBinaryBound,
  upperTextBound,
  wholeText,
} from './text-bound.ts'

export type Side = 'lower' | 'upper'
/**
 * What is made of a minimum or maximum: a short bound of all values, or the value itself, by which
 * a partition is decided.
 */
export type Precision = 'bound' | 'value'

/** Decimals of 38 digits need 16 bytes, but some writers pad. */
const DECIMAL_BYTES_MAX = 32
/** A partition by a longer value is decided by the rows themselves, not by the footer. */
const VALUE_BYTES_MAX = 64 * 1024
const WIDTHS: Partial<Record<StatisticForm, number>> = {
  boolean: 1,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float: 4,
  double: 8,
  'time-millis': 4,
  millis: 8,
  nanos: 8,
}

export interface StatisticKind {
  readonly leafType: LeafType
  readonly tableType: PrimitiveType
  readonly side: Side
  readonly precision: Precision
}

/**
 * Converts a minimum or maximum in the file's statistics to the table's type. Lower bounds are
 * rounded down, upper ones up; values are what a reader of the column gets. Returns `undefined` if
 * the bytes are neither, and NaN unchanged.
 */
export function statisticValue(
  bytes: Uint8Array,
  { leafType, tableType, side, precision }: StatisticKind,
): Value | undefined {
  if (precision === 'value' && bytes.length > VALUE_BYTES_MAX) return undefined
  // Readers cut nanoseconds down, so the last ones of a day are still of that day.
  const rounding = precision === 'value' ? 'lower' : side
  const width = WIDTHS[leafType.form]
  if (width !== undefined && bytes.length !== width) return undefined
  const value =
    width === undefined
      ? byteStringValue(bytes, leafType, { side, precision })
      : scalarValue(bytes, leafType.form, { side, rounding })
  if (typeof value === 'number' && isBigintType(tableType)) return BigInt(value)
  if (typeof value === 'bigint') return fittingBigint(value, tableType)
  return value
}

function scalarValue(
  bytes: Uint8Array,
  form: StatisticForm,
  { side, rounding }: { readonly side: Side; readonly rounding: Side },
): Value | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (form) {
    case 'boolean':
      return bytes[0] === 1
    case 'int32':
      return view.getInt32(0, true)
    case 'uint32':
      return view.getUint32(0, true)
    case 'int64':
      return view.getBigInt64(0, true)
    case 'uint64':
      return view.getBigUint64(0, true)
    case 'float':
      return signedZero(view.getFloat32(0, true), side)
    case 'double':
      return signedZero(view.getFloat64(0, true), side)
    case 'time-millis':
      return BigInt(view.getInt32(0, true)) * 1000n
    case 'millis':
      return view.getBigInt64(0, true) * 1000n
    case 'nanos':
      return microsOf(view.getBigInt64(0, true), rounding)
    default:
      return undefined
  }
}

/** Writers consider -0 and +0 equal, Iceberg does not: a zero bound must include both. */
function signedZero(value: number, side: Side): number {
  if (value !== 0) return value
  return side === 'lower' ? -0 : 0
}

function microsOf(nanos: bigint, side: Side): bigint {
  return side === 'lower' ? floorDivide(nanos, 1000n) : -floorDivide(-nanos, 1000n)
}

function byteStringValue(
  bytes: Uint8Array,
  { type, form }: LeafType,
  { side, precision }: Pick<StatisticKind, 'side' | 'precision'>,
): Value | undefined {
  if (form === 'unusable') return undefined
  if (precision === 'value' && form === 'text') return wholeText(bytes)
  if (precision === 'value' && type.kind === 'binary') return bytes.slice()
  if (form === 'text') return side === 'lower' ? lowerTextBound(bytes) : upperTextBound(bytes)
  if (form === 'decimal-bytes') {
    const isPossible = bytes.length > 0 && bytes.length <= DECIMAL_BYTES_MAX
    return isPossible ? fromTwosComplement(bytes) : undefined
  }
  if (type.kind === 'fixed') return fixedBound(bytes, { length: type.length, side })
  if (type.kind === 'uuid') return fixedBound(bytes, { length: 16, side })
  return side === 'lower' ? lowerBinaryBound(bytes) : upperBinaryBound(bytes)
}

function isBigintType({ kind }: PrimitiveType): boolean {
  return kind === 'long' || kind === 'decimal'
}

function fittingBigint(value: bigint, { kind }: PrimitiveType): bigint | undefined {
  return kind === 'decimal' || (value >= LONG_MIN && value <= LONG_MAX) ? value : undefined
}
