/** Largest number of rows: DuckDB addresses bits by an int. */
export const ROWS_MAX = 2 ** 31 - 1

/**
 * A set of row positions, one bit each. The first row is the highest bit of the first byte, as in
 * DuckDB's BIT.
 */
export class RowSet {
  readonly bits: Uint8Array
  readonly #rowCount: number
  #count = 0

  constructor(rowCount: number) {
    this.#rowCount = rowCount
    this.bits = new Uint8Array(Math.ceil(rowCount / 8))
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** Adds a position; one beyond the rows is ignored. */
  add(position: bigint): void {
    if (position < 0n || position >= this.#rowCount) return
    const index = Number(position)
    const mask = 0x80 >> (index & 7)
    const byte = this.bits[index >> 3] ?? 0
    if ((byte & mask) === 0) this.#count++
    this.bits[index >> 3] = byte | mask
  }
}
