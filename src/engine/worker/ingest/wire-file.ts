import { closeSync, openSync, writeSync } from 'node:fs'

const FLUSH_LENGTH = 512 * 1024
/** A character of JavaScript's texts takes no more. */
const UTF8_BYTES_MAX = 3
const MINUS_ZERO = '-0.0'

/**
 * Writes rows of texts as CSV that DuckDB reads without guessing: every text is quoted, NULL is
 * empty.
 */
export class WireFile {
  readonly #file: number
  readonly #isWatched: boolean
  #pending: string[] = []
  #pendingLength = 0
  #longestBytes = 0
  #hasMinusZero = false

  constructor(path: string, { hasFloats }: { readonly hasFloats: boolean }) {
    this.#isWatched = hasFloats
    this.#file = openSync(path, 'wx')
  }

  /** Whether a value, or a part of a nested one, is minus zero. */
  get hasMinusZero(): boolean {
    return this.#hasMinusZero
  }

  get longestRowBytes(): number {
    return this.#longestBytes
  }

  add(values: readonly (string | null)[]): void {
    // The first column is unused, so that no row is an empty line.
    const row = `0,${values.map((value) => (value === null ? '' : quote(value))).join(',')}`
    // Not in the row, of which that would make a second copy.
    if (this.#isWatched && !this.#hasMinusZero) this.#hasMinusZero = values.some(isMinusZero)
    this.#pending.push(row, '\n')
    this.#pendingLength += row.length + 1
    if (row.length * UTF8_BYTES_MAX > this.#longestBytes) {
      this.#longestBytes = Math.max(this.#longestBytes, Buffer.byteLength(row))
    }
    if (this.#pendingLength >= FLUSH_LENGTH) this.#flush()
  }

  close(): void {
    try {
      this.#flush()
    } finally {
      closeSync(this.#file)
    }
  }

  #flush(): void {
    const bytes = Buffer.from(this.#pending.join(''), 'utf8')
    this.#pending = []
    this.#pendingLength = 0
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at)
  }
}

/** A value, or a part of a nested one. */
function isMinusZero(value: string | null): boolean {
  return value === MINUS_ZERO || value?.includes(`"${MINUS_ZERO}"`) === true
}

function quote(value: string): string {
  return `"${value.includes('"') ? value.replaceAll('"', '""') : value}"`
}
