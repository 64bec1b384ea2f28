import type { BoundValues } from '../../value/bound-values.ts'
import { indexOfRow } from '../../value/row-numbers.ts'
import type { PrimitiveType } from '../../value/type.ts'
import type { Value } from '../../value/value.ts'
import type { ComparingPredicate, Endpoint } from '../bind/bound-filter.ts'
import { type Comparator, comparatorWith } from './comparator.ts'
import {
  boundsCount,
  comparePrefix,
  type Endpoints,
  encodePrefix,
  isExactBound,
  setTest,
} from './extent-test.ts'
import { clearRow, forEachValue, type RowSelection } from './row-selection.ts'

/** The lower and upper bounds of one column. */
export interface ColumnBounds {
  readonly lower: BoundValues | undefined
  readonly upper: BoundValues | undefined
}

/** Clears the rows whose bounds exclude a match: exactly those that `ExtentTest.extent` rejects. */
export type NarrowBounds = (bounds: ColumnBounds, rows: RowSelection) => void

export function boundNarrowing(predicate: ComparingPredicate): NarrowBounds {
  const { type } = predicate.column
  switch (predicate.kind) {
    case 'range':
      return rangeNarrowing(type, predicate)
    case 'in':
      return setNarrowing(type, predicate.values)
    case 'not-equal':
      return notEqualNarrowing(type, predicate.value)
    case 'starts-with':
      return prefixNarrowing(predicate.prefix)
    case 'not-starts-with':
      return notPrefixNarrowing(predicate.prefix)
  }
}

function rangeNarrowing(type: PrimitiveType, { low, high }: Endpoints): NarrowBounds {
  if (!boundsCount(type, { low, high })) return () => undefined
  const clearOver = high && clearerBeyond(type, high, 1)
  const clearUnder = low && clearerBeyond(type, low, -1)
  return ({ lower, upper }, rows) => {
    if (lower !== undefined) clearOver?.(lower, rows)
    if (upper !== undefined) clearUnder?.(upper, rows)
  }
}

function setNarrowing(type: PrimitiveType, values: readonly Value[]): NarrowBounds {
  const [first] = values
  const last = values.at(-1)
  if (first === undefined || last === undefined) return () => undefined
  const outside = rangeNarrowing(type, {
    low: { value: first, isInclusive: true },
    high: { value: last, isInclusive: true },
  })
  if (values.length === 1) return outside
  const { extent } = setTest(type, values)
  return ({ lower, upper }, rows) => {
    // Bounds of UUIDs may follow either of two orders, so the ends of the set say nothing about the
    // values between.
    if (type.kind !== 'uuid') outside({ lower, upper }, rows)
    const { start, marks } = rows
    for (let i = 0; i < marks.length; i++) {
      if (marks[i] === 0) continue
      if (!extent(lower?.find(start + i), upper?.find(start + i))) marks[i] = 0
    }
  }
}

function notEqualNarrowing(type: PrimitiveType, literal: Value): NarrowBounds {
  if (!isExactBound(type)) return () => undefined
  const { slice } = comparatorWith(type, literal)
  return clearWhereBoth((bytes, start, end) => slice(bytes, start, end) === 0)
}

function prefixNarrowing(text: string): NarrowBounds {
  const prefix = encodePrefix(text)
  const clear = (bounds: BoundValues | undefined, rows: RowSelection, sign: 1 | -1) => {
    if (bounds === undefined) return
    const { bytes } = bounds
    forEachValue(bounds.rows, rows, (index, row) => {
      const order = comparePrefix(bytes, bounds.start(index), bounds.end(index), prefix)
      if (order * sign > 0) clearRow(rows, row)
    })
  }
  return ({ lower, upper }, rows) => {
    clear(lower, rows, 1)
    clear(upper, rows, -1)
  }
}

function notPrefixNarrowing(text: string): NarrowBounds {
  const prefix = encodePrefix(text)
  return clearWhereBoth((bytes, start, end) => comparePrefix(bytes, start, end, prefix) === 0)
}

/** Clears the rows for which `isOut` is true of both bounds. */
function clearWhereBoth(
  isOut: (bytes: Uint8Array, start: number, end: number) => boolean,
): NarrowBounds {
  const isOutAt = (bounds: BoundValues, index: number) =>
    isOut(bounds.bytes, bounds.start(index), bounds.end(index))
  return ({ lower, upper }, rows) => {
    if (lower === undefined || upper === undefined) return
    forEachValue(lower.rows, rows, (index, row) => {
      if (!isOutAt(lower, index)) return
      const other = indexOfRow(upper.rows, row)
      if (other >= 0 && isOutAt(upper, other)) clearRow(rows, row)
    })
  }
}

/** Clears the rows whose bound lies beyond the endpoint, on the side of `sign`. */
function clearerBeyond(
  type: PrimitiveType,
  { value, isInclusive }: Endpoint,
  sign: 1 | -1,
): (bounds: BoundValues, rows: RowSelection) => void {
  const { slice } = comparatorWith(type, value)
  const clearOthers = sliceClearer(slice, { isInclusive, sign })
  const clearNumbers = numberClearer(Number(value), { isInclusive, sign })
  const clearHalves = typeof value === 'bigint' ? halvesClearer(value, isInclusive) : undefined
  return (bounds, rows) => {
    const { bytes, rows: some } = bounds
    const { start, marks } = rows
    // A long that was an int is far from the range where numbers are inexact, and so is the
    // rounding of the literal.
    const numbers = some === undefined ? bounds.numbers(type) : undefined
    if (numbers !== undefined) {
      return clearNumbers(numbers.subarray(start, start + marks.length), marks)
    }
    const halves = some === undefined ? bounds.halves(type) : undefined
    if (halves !== undefined && clearHalves !== undefined) {
      return clearHalves[sign](halves.subarray(2 * start, 2 * (start + marks.length)), marks)
    }
    if (some === undefined) return clearOthers(bounds, rows)
    forEachValue(some, rows, (index, row) => {
      const order = slice(bytes, bounds.start(index), bounds.end(index)) * sign
      if (isInclusive ? order > 0 : order >= 0) clearRow(rows, row)
    })
  }
}

/** For bounds of any width that every row has. Skips rows that are already cleared. */
function sliceClearer(
  slice: Comparator['slice'],
  { isInclusive, sign }: { readonly isInclusive: boolean; readonly sign: 1 | -1 },
): (bounds: BoundValues, rows: RowSelection) => void {
  const isBeyond = isInclusive ? (order: number) => order > 0 : (order: number) => order >= 0
  return (bounds, { start, marks }) => {
    const { bytes, ends, width } = bounds
    let from = bounds.start(start)
    for (let i = 0; i < marks.length; i++) {
      const to = width > 0 ? from + width : (ends[start + i] as number)
      if (marks[i] === 1 && isBeyond(slice(bytes, from, to) * sign)) marks[i] = 0
      from = to
    }
  }
}

type RealNumbers = Int32Array | Float32Array | Float64Array

/** Each loop has one comparison, which is false for NaN. */
function numberClearer(
  literal: number,
  { isInclusive, sign }: { readonly isInclusive: boolean; readonly sign: 1 | -1 },
): (numbers: RealNumbers, marks: Uint8Array) => void {
  if (sign > 0) {
    return isInclusive
      ? (numbers, marks) => {
          for (let i = 0; i < marks.length; i++) if ((numbers[i] as number) > literal) marks[i] = 0
        }
      : (numbers, marks) => {
          for (let i = 0; i < marks.length; i++) if ((numbers[i] as number) >= literal) marks[i] = 0
        }
  }
  return isInclusive
    ? (numbers, marks) => {
        for (let i = 0; i < marks.length; i++) if ((numbers[i] as number) < literal) marks[i] = 0
      }
    : (numbers, marks) => {
        for (let i = 0; i < marks.length; i++) if ((numbers[i] as number) <= literal) marks[i] = 0
      }
}

/** Compares 64-bit integers as halves of 32 bits: a bigint for each would cost an allocation. */
function halvesClearer(literal: bigint, isInclusive: boolean) {
  const high = Number(literal >> 32n)
  const low = Number(literal & 0xffffffffn)
  const greatest = isInclusive ? low : low - 1
  const least = isInclusive ? low : low + 1
  return {
    [1]: (halves: Int32Array, marks: Uint8Array) => {
      for (let i = 0; i < marks.length; i++) {
        const h = halves[2 * i + 1] as number
        if (h > high || (h === high && (halves[2 * i] as number) >>> 0 > greatest)) marks[i] = 0
      }
    },
    [-1]: (halves: Int32Array, marks: Uint8Array) => {
      for (let i = 0; i < marks.length; i++) {
        const h = halves[2 * i + 1] as number
        if (h < high || (h === high && (halves[2 * i] as number) >>> 0 < least)) marks[i] = 0
      }
    },
  }
}
