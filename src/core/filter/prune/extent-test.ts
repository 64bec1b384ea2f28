import { encodeSingleValue } from '../../value/single-value.ts'
import type { PrimitiveType } from '../../value/type.ts'
import { compareSlice, compareValues, type Value } from '../../value/value.ts'
import type { Endpoint } from '../bind/bound-filter.ts'
import { type Comparator, comparatorWith } from './comparator.ts'

/** Whether values of one column can satisfy one predicate. Returns true in case of doubt. */
export interface ExtentTest {
  /**
   * Values that are neither null nor NaN, between two bounds in binary form; either may be unknown.
   */
  extent(lower: Uint8Array | undefined, upper: Uint8Array | undefined): boolean
  /** One exact value, neither null nor NaN. */
  value(value: Value): boolean
}

export function rangeTest(type: PrimitiveType, { low, high }: Endpoints): ExtentTest {
  const isOver = high === undefined ? undefined : excluder(type, high, 1)
  const isUnder = low === undefined ? undefined : excluder(type, low, -1)
  const countsBounds = boundsCount(type, { low, high })
  return {
    extent: (lower, upper) =>
      !countsBounds ||
      (!(lower !== undefined && isOver?.bytes(lower)) &&
        !(upper !== undefined && isUnder?.bytes(upper))),
    value: (value) => !isOver?.value(value) && !isUnder?.value(value),
  }
}

export interface Endpoints {
  readonly low?: Endpoint | undefined
  readonly high?: Endpoint | undefined
}

/**
 * Whether bounds say anything about a range. Those of UUIDs may be in either of two orders: the
 * least of both 1 and 2^127 is 2^127 in the order of signed longs, which says nothing about values
 * below 2^127. Only a single value lies outside in both orders.
 */
export function boundsCount(type: PrimitiveType, { low, high }: Endpoints): boolean {
  if (type.kind !== 'uuid') return true
  if (low === undefined || high === undefined) return false
  return compareValues(type, low.value, high.value) === 0
}

interface Excluder {
  bytes(bound: Uint8Array): boolean
  value(value: Value): boolean
}

/** Whether something lies beyond the endpoint, on the side of `sign`. */
function excluder(type: PrimitiveType, endpoint: Endpoint, sign: 1 | -1): Excluder {
  const comparator = comparatorWith(type, endpoint.value)
  if (endpoint.isInclusive) {
    return {
      bytes: (bound) => comparator.bytes(bound) * sign > 0,
      value: (value) => comparator.value(value) * sign > 0,
    }
  }
  return {
    bytes: (bound) => comparator.bytes(bound) * sign >= 0,
    value: (value) => comparator.value(value) * sign >= 0,
  }
}

/** A test for a set; `values` are sorted and not empty. */
export function setTest(type: PrimitiveType, values: readonly Value[]): ExtentTest {
  const [only, ...more] = values
  if (only !== undefined && more.length === 0) {
    const endpoint = { value: only, isInclusive: true }
    return rangeTest(type, { low: endpoint, high: endpoint })
  }
  const comparators = values.map((value) => comparatorWith(type, value))
  // The bounds of UUIDs may be in either of two orders, so they cannot be searched.
  if (type.kind === 'uuid') return scannedSetTest(comparators)
  return {
    extent(lower, upper) {
      const first = lower === undefined ? 0 : firstNotUnder(comparators, (c) => c.bytes(lower))
      const comparator = comparators[first]
      if (comparator === undefined) return false
      return upper === undefined || !(comparator.bytes(upper) < 0)
    },
    value(value) {
      const first = firstNotUnder(comparators, (c) => c.value(value))
      const comparator = comparators[first]
      return comparator !== undefined && !(comparator.value(value) < 0)
    },
  }
}

function scannedSetTest(comparators: readonly Comparator[]): ExtentTest {
  return {
    extent: (lower, upper) =>
      comparators.some(
        (comparator) =>
          !(lower !== undefined && comparator.bytes(lower) > 0) &&
          !(upper !== undefined && comparator.bytes(upper) < 0),
      ),
    value: (value) => comparators.some((comparator) => comparator.value(value) === 0),
  }
}

/** Index of the first literal that is at or above what `order` compares with it. */
function firstNotUnder(
  comparators: readonly Comparator[],
  order: (comparator: Comparator) => number,
): number {
  let start = 0
  let end = comparators.length
  while (start < end) {
    const middle = (start + end) >>> 1
    if (order(comparators[middle] as Comparator) > 0) start = middle + 1
    else end = middle
  }
  return start
}

/**
 * Whether equal bounds prove a single value. Bounds of strings and binary may be truncated, and not
 * every writer rounds the upper one up.
 */
export function isExactBound({ kind }: PrimitiveType): boolean {
  return kind !== 'string' && kind !== 'binary' && kind !== 'fixed'
}

export function notEqualTest(type: PrimitiveType, literal: Value): ExtentTest {
  const comparator = comparatorWith(type, literal)
  const isExact = isExactBound(type)
  return {
    extent: (lower, upper) =>
      !isExact ||
      lower === undefined ||
      upper === undefined ||
      comparator.bytes(lower) !== 0 ||
      comparator.bytes(upper) !== 0,
    value: (value) => comparator.value(value) !== 0,
  }
}

/**
 * A test for strings that start with `prefix`, which is not empty: bytes from the prefix up to its
 * successor.
 */
export function prefixTest(prefix: string): ExtentTest {
  const bytes = encodePrefix(prefix)
  return {
    extent: (lower, upper) =>
      !(lower !== undefined && comparePrefix(lower, 0, lower.length, bytes) > 0) &&
      !(upper !== undefined && comparePrefix(upper, 0, upper.length, bytes) < 0),
    value: (value) => typeof value !== 'string' || value.startsWith(prefix),
  }
}

export function notPrefixTest(prefix: string): ExtentTest {
  const bytes = encodePrefix(prefix)
  return {
    extent: (lower, upper) =>
      lower === undefined ||
      upper === undefined ||
      comparePrefix(lower, 0, lower.length, bytes) !== 0 ||
      comparePrefix(upper, 0, upper.length, bytes) !== 0,
    value: (value) => typeof value !== 'string' || !value.startsWith(prefix),
  }
}

export function encodePrefix(prefix: string): Uint8Array {
  return encodeSingleValue({ kind: 'string' }, prefix)
}

/** Zero if the bytes start with the prefix, else the side of all such bytes on which they lie. */
export function comparePrefix(
  bytes: Uint8Array,
  start: number,
  end: number,
  prefix: Uint8Array,
): number {
  const order = compareSlice(bytes, start, Math.min(end, start + prefix.length), prefix)
  return Math.sign(order)
}
