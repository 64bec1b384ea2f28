import type { PrimitiveType } from './type.ts'

/**
 * A single value of a primitive type, in memory: boolean: boolean; int, date (days): number; long,
 * time, timestamp, timestamptz (microseconds), the _ns types (nanoseconds) and decimal (unscaled):
 * bigint; float, double: number; string: string; uuid, fixed, binary: Uint8Array.
 */
export type Value = boolean | number | bigint | string | Uint8Array

/**
 * Negative, zero or positive, in Iceberg's order for the type (Iceberg spec, "Sorting": bytes
 * unsigned, strings by code point, -NaN..., -0 before +0 for floats is not applied here: -0 equals
 * +0). Both values must be of `type`; NaN must not reach this function.
 */
export function compareValues(type: PrimitiveType, left: Value, right: Value): number {
  if (type.kind === 'string') return compareCodePoints(left as string, right as string)
  if (left instanceof Uint8Array) return compareBytes(left, right as Uint8Array)
  // Not `===`: in a widened column one may be a number and the other a bigint, which compare
  // exactly.
  if (left < right) return -1
  return left > right ? 1 : 0
}

/** Compares unsigned bytes one by one; a prefix comes first. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  return compareSlice(left, 0, left.length, right)
}

/**
 * Does the same as `compareBytes` for the bytes from `start` to `end`: cheaper than creating a
 * view.
 */
export function compareSlice(
  left: Uint8Array,
  start: number,
  end: number,
  right: Uint8Array,
): number {
  const length = end - start
  const shared = Math.min(length, right.length)
  for (let i = 0; i < shared; i++) {
    const difference = (left[start + i] as number) - (right[i] as number)
    if (difference !== 0) return difference
  }
  return length - right.length
}

/** Compares by code point, as UTF-8 bytes would; JavaScript's own `<` compares UTF-16 units. */
export function compareCodePoints(left: string, right: string): number {
  const shared = Math.min(left.length, right.length)
  for (let i = 0; i < shared; i++) {
    const l = left.charCodeAt(i)
    const r = right.charCodeAt(i)
    if (l !== r) return codeUnitRank(l) - codeUnitRank(r)
  }
  return left.length - right.length
}

// Surrogates (0xD800-0xDFFF) stand for code points above 0xFFFF, so they rank after 0xE000-0xFFFF.
function codeUnitRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
