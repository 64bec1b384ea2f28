import type { BoundParts, BoundWidth } from '../../core/value/bound-values.ts'
import type { Numbers, SparseNumbers } from '../../core/value/row-numbers.ts'

/**
 * Initial capacity of a column. It is doubled when full, so that memory follows the real content of
 * the file.
 */
const ROOM_MIN = 16
const UINT32_MAX = 2 ** 32 - 1

/** Rows in ascending order, which take no memory as long as none is left out. */
class RowsBuilder {
  #rows: Uint32Array | undefined
  #last = -1
  count = 0

  /** Returns false if the row is already there. */
  add(row: number): boolean {
    if (row === this.#last) return false
    if (this.#rows === undefined && row !== this.count) this.#rows = ascending(this.count)
    if (this.#rows !== undefined) {
      this.#rows = withRoom(this.#rows, this.count, this.count + 1)
      this.#rows[this.count] = row
    }
    this.#last = row
    this.count++
    return true
  }

  finish(rowCount: number): Uint32Array | undefined {
    if (this.count === rowCount) return undefined
    return (this.#rows ?? ascending(this.count)).slice(0, this.count)
  }
}

function ascending(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i)
}

/** Numbers in a row, which take no memory as long as all are equal. */
class GrowingNumbers {
  count = 0
  #first = 0
  #least = 0
  #most = 0
  #values: Uint32Array | Float64Array | undefined

  push(value: number): void {
    if (this.count === 0) {
      this.#first = value
      this.#least = value
      this.#most = value
    } else if (value < this.#least) this.#least = value
    else if (value > this.#most) this.#most = value
    if (this.#least !== this.#most) this.#store(value)
    this.count++
  }

  finish(): Numbers {
    const values = this.#values
    if (values === undefined) return this.#first
    return narrowed(values.subarray(0, this.count), this.#least, this.#most)
  }

  #store(value: number): void {
    const { count } = this
    let values = this.#values ?? new Uint32Array(2 * (count + ROOM_MIN)).fill(this.#first, 0, count)
    const isWide = values instanceof Uint32Array && (this.#least < 0 || this.#most > UINT32_MAX)
    if (isWide) values = new Float64Array(values)
    values = withRoom(values, count, count + 1)
    if (isWide && this.#values === undefined) values.fill(this.#first, 0, count)
    values[count] = value
    this.#values = values
  }
}

/** A number for each row of a growing manifest, 0 unless set. Rows must ascend. */
export class NumberRowsBuilder {
  readonly #numbers = new GrowingNumbers()

  set(row: number, value: number): void {
    while (this.#numbers.count < row) this.#numbers.push(0)
    if (this.#numbers.count === row) this.#numbers.push(value)
  }

  finish(rowCount: number): Numbers {
    while (this.#numbers.count < rowCount) this.#numbers.push(0)
    return this.#numbers.finish()
  }
}

/** Numbers of one column of a growing manifest; the first of two for a row counts. */
export class NumbersBuilder {
  readonly fieldId: number
  readonly #rows = new RowsBuilder()
  readonly #numbers = new GrowingNumbers()

  constructor(fieldId: number) {
    this.fieldId = fieldId
  }

  append(row: number, value: number): void {
    if (this.#rows.add(row)) this.#numbers.push(value)
  }

  finish(rowCount: number): SparseNumbers {
    return { rows: this.#rows.finish(rowCount), values: this.#numbers.finish() }
  }
}

/** Bounds of one column of a growing manifest; the first of two for a row counts. */
export class BoundsBuilder {
  readonly fieldId: number
  readonly #rows = new RowsBuilder()
  #width: BoundWidth = 0
  #bytes = new Uint8Array(8 * ROOM_MIN)
  #length = 0
  #ends = new Uint32Array(0)

  constructor(fieldId: number) {
    this.fieldId = fieldId
  }

  append(row: number, source: Uint8Array, start: number, end: number): void {
    const { count } = this.#rows
    if (!this.#rows.add(row)) return
    const length = end - start
    if (count === 0 && (length === 4 || length === 8)) this.#width = length
    if (length !== this.#width || this.#width === 0) this.#appendEnd(count, length)
    const at = this.#length
    if (at + length > this.#bytes.length) this.#bytes = withRoom(this.#bytes, at, at + length)
    const bytes = this.#bytes
    for (let i = 0; i < length; i++) bytes[at + i] = source[start + i] as number
    this.#length = at + length
  }

  finish(rowCount: number): BoundParts {
    const { count } = this.#rows
    return {
      rows: this.#rows.finish(rowCount),
      width: this.#width,
      bytes: this.#bytes.slice(0, this.#length),
      ends: this.#ends.slice(0, this.#width === 0 ? count : 0),
      count,
    }
  }

  /** From the first value of a different width on, all ends are kept. */
  #appendEnd(count: number, length: number): void {
    if (this.#width !== 0) {
      const width = this.#width
      this.#ends = Uint32Array.from({ length: count }, (_, i) => (i + 1) * width)
      this.#width = 0
    }
    this.#ends = withRoom(this.#ends, count, count + 1)
    this.#ends[count] = this.#length + length
  }
}

type Growable = Uint8Array | Uint32Array | Float64Array

/** Returns the same array, or a larger one with its first `used` elements. */
export function withRoom<T extends Growable>(array: T, used: number, wanted: number): T {
  if (wanted <= array.length) return array
  const length = Math.max(ROOM_MIN, wanted, 2 * array.length)
  const grown = new (array.constructor as new (length: number) => T)(length)
  grown.set(array.subarray(0, used))
  return grown
}

/** Stores the numbers in the narrowest type that holds them all exactly. */
function narrowed(values: Uint32Array | Float64Array, least: number, most: number): Numbers {
  if (least < 0 || most > UINT32_MAX) return values.slice()
  if (most <= 0xff) return new Uint8Array(values)
  return most <= 0xffff ? new Uint16Array(values) : new Uint32Array(values)
}

/** Size of the array; a single number takes nothing. */
export function bytesOfNumbers(numbers: Numbers): number {
  return typeof numbers === 'number' ? 0 : numbers.byteLength
}
