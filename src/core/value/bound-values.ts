import { indexOfRow } from './row-numbers.ts'
import type { PrimitiveType } from './type.ts'
import { compareBytes } from './value.ts'

/** Width of each value in bytes; 0 if they differ. */
export type BoundWidth = 0 | 4 | 8

/** Plain data, so that it can be sent between threads. */
export interface BoundParts {
  /** Rows with a bound, ascending; `undefined` if all have one. */
  readonly rows: Uint32Array | undefined
  readonly width: BoundWidth
  /** All values one after the other, from the start of their buffer. */
  readonly bytes: Uint8Array
  /** End of each value, if their widths differ. */
  readonly ends: Uint32Array
  readonly count: number
}

/** Lower or upper bounds of one column in many files, in binary single-value form. */
export class BoundValues {
  readonly rows: Uint32Array | undefined
  readonly width: BoundWidth
  readonly bytes: Uint8Array
  readonly count: number
  readonly ends: Uint32Array
  readonly #edges = new Map<string, Uint8Array | undefined>()

  constructor({ rows, width, bytes, ends, count }: BoundParts) {
    this.rows = rows
    this.width = width
    this.bytes = bytes
    this.count = count
    this.ends = ends
  }

  start(index: number): number {
    if (this.width > 0) return index * this.width
    return index === 0 ? 0 : (this.ends[index - 1] as number)
  }

  end(index: number): number {
    return this.width > 0 ? (index + 1) * this.width : (this.ends[index] as number)
  }

  /** A view. */
  at(index: number): Uint8Array {
    return this.bytes.subarray(this.start(index), this.end(index))
  }

  /** A view; `undefined` if the row has no bound. */
  find(row: number): Uint8Array | undefined {
    const index = indexOfRow(this.rows, row)
    return index < 0 ? undefined : this.at(index)
  }

  /**
   * The values as numbers; `undefined` if that would be inexact or the bytes are something else.
   */
  numbers({ kind }: PrimitiveType): Int32Array | Float32Array | Float64Array | undefined {
    const { buffer, byteOffset } = this.bytes
    switch (kind) {
      case 'int':
      case 'date':
      case 'long':
        // A long may have been written as an int, before the column was widened.
        return this.width === 4 ? new Int32Array(buffer, byteOffset, this.count) : undefined
      case 'float':
      case 'double':
        if (this.width === 4) return new Float32Array(buffer, byteOffset, this.count)
        return this.width === 8 ? new Float64Array(buffer, byteOffset, this.count) : undefined
      default:
        return undefined
    }
  }

  /** Alternating low and high halves; `undefined` unless the values are 64-bit integers. */
  halves(type: PrimitiveType): Int32Array | undefined {
    if (this.width !== 8 || !isLong(type)) return undefined
    return new Int32Array(this.bytes.buffer, this.bytes.byteOffset, 2 * this.count)
  }

  /**
   * The least (sign -1) or greatest (sign 1) bound, computed once for each type; `undefined` if
   * unknown, for example because a row has no bound.
   */
  edge(type: PrimitiveType, sign: 1 | -1): Uint8Array | undefined {
    if (this.rows !== undefined || this.count === 0) return undefined
    const key = `${type.kind}${sign}`
    if (!this.#edges.has(key)) this.#edges.set(key, this.#findEdge(type, sign))
    return this.#edges.get(key)
  }

  #findEdge(type: PrimitiveType, sign: 1 | -1): Uint8Array | undefined {
    const order = this.#orderOf(type)
    if (order === undefined) return undefined
    let edge = 0
    for (let index = 0; index < this.count; index++) {
      const difference = order(index, edge) * sign
      if (Number.isNaN(difference)) return undefined
      if (difference > 0) edge = index
    }
    return this.at(edge)
  }

  /** An order of the values; NaN where they cannot be compared. */
  #orderOf(type: PrimitiveType): ((left: number, right: number) => number) | undefined {
    const numbers = this.numbers(type)
    if (numbers !== undefined) return (left, right) => orderOfNumbers(numbers, left, right)
    const halves = this.halves(type)
    if (halves !== undefined) return (left, right) => orderOfHalves(halves, left, right)
    if (type.kind !== 'string' && type.kind !== 'binary' && type.kind !== 'fixed') return undefined
    return (left, right) => compareBytes(this.at(left), this.at(right))
  }
}

// The difference of two infinities is NaN.
function orderOfNumbers(numbers: Float64Array | Float32Array | Int32Array, i: number, j: number) {
  const left = numbers[i] as number
  const right = numbers[j] as number
  if (left < right) return -1
  if (left > right) return 1
  return left >= right ? 0 : Number.NaN
}

function orderOfHalves(halves: Int32Array, i: number, j: number): number {
  const difference = (halves[2 * i + 1] as number) - (halves[2 * j + 1] as number)
  if (difference !== 0) return difference
  return ((halves[2 * i] as number) >>> 0) - ((halves[2 * j] as number) >>> 0)
}

function isLong({ kind }: PrimitiveType): boolean {
  return kind === 'long' || kind === 'time' || kind.startsWith('timestamp')
}
