import { type Numbers, numberAt } from '../../core/value/row-numbers.ts'
import { NumberRowsBuilder, withRoom } from './column-builders.ts'

/** Longest chain of texts that each share a prefix with the one before. */
const CHAIN_MAX = 16

/** Plain data, so that it can be sent between threads. */
export interface PathParts {
  readonly bytes: Uint8Array
  readonly ends: Numbers
  /** Number of bytes that each text shares with the one before it. */
  readonly shared: Numbers
}

/** Texts by row in UTF-8, without the prefix that each shares with the one before it. */
export class PathColumn {
  readonly #bytes: Uint8Array
  readonly #ends: Numbers
  readonly #shared: Numbers

  constructor({ bytes, ends, shared }: PathParts) {
    this.#bytes = bytes
    this.#ends = ends
    this.#shared = shared
  }

  get(row: number): string {
    const start = this.#start(row)
    const end = numberAt(this.#ends, row)
    let missing = numberAt(this.#shared, row)
    const text = Buffer.allocUnsafe(missing + end - start)
    copyBytes(this.#bytes, { start, end }, { to: text, at: missing })
    for (let other = row - 1; missing > 0; other--) {
      const shared = numberAt(this.#shared, other)
      if (shared >= missing) continue
      const otherStart = this.#start(other)
      const range = { start: otherStart, end: otherStart + missing - shared }
      copyBytes(this.#bytes, range, { to: text, at: shared })
      missing = shared
    }
    return text.toString('utf8')
  }

  #start(row: number): number {
    return row === 0 ? 0 : numberAt(this.#ends, row - 1)
  }
}

// For so few bytes, a loop is faster than a call.
function copyBytes(
  from: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
  { to, at }: { readonly to: Uint8Array; readonly at: number },
): void {
  for (let i = start; i < end; i++) to[at + i - start] = from[i] as number
}

export class PathColumnBuilder {
  readonly #ends = new NumberRowsBuilder()
  readonly #shared = new NumberRowsBuilder()
  #bytes = new Uint8Array(0)
  #length = 0
  #previous: Uint8Array = new Uint8Array(0)
  #previousStart = 0
  #previousEnd = 0

  /**
   * Sets a row's text to the bytes from `start` to `end`, which must not change until the next
   * call. Rows must ascend.
   */
  set(row: number, bytes: Uint8Array, start: number, end: number): void {
    const previous = row % CHAIN_MAX === 0 ? 0 : this.#previousEnd - this.#previousStart
    const sharedMax = Math.min(previous, end - start)
    let shared = 0
    while (
      shared < sharedMax &&
      bytes[start + shared] === this.#previous[this.#previousStart + shared]
    ) {
      shared++
    }
    const at = this.#length
    const length = at + end - start - shared
    if (length > this.#bytes.length) this.#bytes = withRoom(this.#bytes, at, length)
    copyBytes(bytes, { start: start + shared, end }, { to: this.#bytes, at })
    this.#length = length
    this.#ends.set(row, length)
    this.#shared.set(row, shared)
    this.#previous = bytes
    this.#previousStart = start
    this.#previousEnd = end
  }

  finish(rowCount: number): PathParts {
    return {
      bytes: this.#bytes.slice(0, this.#length),
      ends: this.#ends.finish(rowCount),
      shared: this.#shared.finish(rowCount),
    }
  }
}

/** Plain data, so that it can be sent between threads. */
export interface BytesParts {
  readonly bytes: Uint8Array
  /** Ends of the distinct values. */
  readonly ends: Numbers
  /** Index of the distinct value of each row. */
  readonly codes: Numbers
}

/** Bytes by row, with each distinct value stored once. */
export class BytesColumn {
  readonly #bytes: Uint8Array
  readonly #ends: Numbers
  readonly #codes: Numbers

  constructor({ bytes, ends, codes }: BytesParts) {
    this.#bytes = bytes
    this.#ends = ends
    this.#codes = codes
  }

  /** A view. */
  get(row: number): Uint8Array {
    const code = numberAt(this.#codes, row)
    const start = code === 0 ? 0 : numberAt(this.#ends, code - 1)
    return this.#bytes.subarray(start, numberAt(this.#ends, code))
  }
}

export class BytesColumnBuilder {
  readonly #codes = new NumberRowsBuilder()
  readonly #codeByText = new Map<string, number>()
  readonly #ends = new NumberRowsBuilder()
  #bytes = Buffer.alloc(256)
  #length = 0
  #row = 0
  /** Start of the current row's value and of the previous row's. */
  #start = 0
  #last = { start: 0, end: 0, code: -1 }

  /** Adds the bytes from `start` to `end` to the value of the current row. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const at = this.#length
    const length = at + end - start
    if (length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(2 * length)
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes = grown
    }
    copyBytes(bytes, { start, end }, { to: this.#bytes, at })
    this.#length = length
  }

  endRow(): void {
    this.#codes.set(this.#row++, this.#isAsLast() ? this.#last.code : this.#codeOf())
    this.#length = this.#start
  }

  finish(rowCount: number): BytesParts {
    return {
      bytes: new Uint8Array(this.#bytes.subarray(0, this.#length)),
      ends: this.#ends.finish(this.#codeByText.size),
      codes: this.#codes.finish(rowCount),
    }
  }

  #isAsLast(): boolean {
    const { start, end, code } = this.#last
    const length = end - start
    if (code < 0 || length !== this.#length - this.#start) return false
    for (let i = 0; i < length; i++) {
      if (this.#bytes[start + i] !== this.#bytes[this.#start + i]) return false
    }
    return true
  }

  #codeOf(): number {
    const [start, end] = [this.#start, this.#length]
    const text = this.#bytes.toString('latin1', start, end)
    const known = this.#codeByText.get(text)
    if (known !== undefined) return known
    const code = this.#codeByText.size
    this.#codeByText.set(text, code)
    this.#ends.set(code, end)
    this.#last = { start, end, code }
    this.#start = end
    return code
  }
}
