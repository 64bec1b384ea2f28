/** Largest number of rows: DuckDB addresses bits by an int. */
export const ROWS_MAX = 2 ** 31 - 1

/** Number of bits set in each byte. */
const BITS_SET = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1
  return count
})

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

  /** Adds the rows of a set like this one's `bits`; those beyond the rows are ignored. */
  addBits(bits: Uint8Array): void {
    const end = Math.min(bits.length, this.bits.length)
    for (let i = 0; i < end; i++) {
      const isLast = i === this.bits.length - 1
      const beyond = isLast ? 8 * this.bits.length - this.#rowCount : 0
      const added = ((bits[i] ?? 0) >> beyond) << beyond
      const before = this.bits[i] ?? 0
      this.#count += BITS_SET[added & ~before] ?? 0
      this.bits[i] = before | added
    }
  }
}
