const FIRST_PIECE_BYTES = 4 * 1024
const PIECE_BYTES_MAX = 1024 * 1024

/**
 * UTF-8 that grows at its end, in pieces: growing copies little, and what was taken before stays as
 * it was.
 */
export class GrowingText {
  readonly #full: Uint8Array[] = []
  #last = Buffer.allocUnsafe(FIRST_PIECE_BYTES)
  #lastLength = 0
  #fullBytes = 0

  get bytes(): number {
    return this.#fullBytes + this.#lastLength
  }

  /** What there is at this moment; later appends do not change it. */
  pieces(): readonly Uint8Array[] {
    return [...this.#full, this.#last.subarray(0, this.#lastLength)]
  }

  append(text: string): void {
    // At most three bytes a UTF-16 unit.
    this.#makeRoom(text.length * 3)
    this.#lastLength += this.#last.write(text, this.#lastLength)
  }

  #makeRoom(bytes: number): void {
    if (this.#lastLength + bytes <= this.#last.length) return
    const isFull = this.#lastLength * 2 >= PIECE_BYTES_MAX
    if (isFull) {
      this.#full.push(this.#last.subarray(0, this.#lastLength))
      this.#fullBytes += this.#lastLength
      this.#last = Buffer.allocUnsafe(Math.max(FIRST_PIECE_BYTES, bytes))
      this.#lastLength = 0
      return
    }
    const larger = Buffer.allocUnsafe(2 * (this.#lastLength + bytes))
    this.#last.copy(larger, 0, 0, this.#lastLength)
    this.#last = larger
  }
}
