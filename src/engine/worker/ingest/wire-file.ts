import { closeSync, openSync, writeSync } from 'node:fs'

const FLUSH_LENGTH = 512 * 1024

/**
 * Writes rows of texts as CSV that DuckDB reads without guessing: every text is quoted, NULL is
 * empty.
 */
export class WireFile {
  readonly #file: number
  #pending: string[] = []
  #pendingLength = 0
  #longest = 0

  constructor(path: string) {
    this.#file = openSync(path, 'wx')
  }

  /** An upper bound of the longest row, in bytes. */
  get longestRowBytes(): number {
    return this.#longest * 3
  }

  add(values: readonly (string | null)[]): void {
    // The first column is unused, so that no row is an empty line.
    const row = `0,${values.map((value) => (value === null ? '' : quote(value))).join(',')}`
    this.#pending.push(row, '\n')
    this.#pendingLength += row.length + 1
    if (row.length > this.#longest) this.#longest = row.length
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

function quote(value: string): string {
  return `"${value.includes('"') ? value.replaceAll('"', '""') : value}"`
}
