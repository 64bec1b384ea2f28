/** Chunks from this size on are kept as they came. */
const KEPT_BYTES = 16 * 1024
const BLOCK_BYTES_MIN = 4 * 1024
const BLOCK_BYTES_MAX = 64 * 1024

/**
 * Bytes that arrive in chunks. Small chunks are copied together: each keeps the whole buffer alive
 * that it is a view of, and a body may come byte by byte.
 */
export class GatheredBytes {
  readonly #parts: Uint8Array[] = []
  /** Free memory for the next small chunks; `#used` bytes of it are no part yet. */
  #block = new Uint8Array()
  #used = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  add(chunk: Uint8Array): void {
    // Most bodies have one chunk.
    if (this.#size === 0 || chunk.length >= KEPT_BYTES) {
      this.#endPart()
      this.#parts.push(chunk)
    } else {
      this.#copy(chunk)
    }
    this.#size += chunk.length
  }

  joined(): Uint8Array {
    this.#endPart()
    const [first] = this.#parts
    return this.#parts.length === 1 && first !== undefined
      ? first
      : Buffer.concat(this.#parts, this.#size)
  }

  #copy(chunk: Uint8Array): void {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#used === this.#block.length) this.#newBlock()
      const fitting = rest.subarray(0, this.#block.length - this.#used)
      this.#block.set(fitting, this.#used)
      this.#used += fitting.length
      rest = rest.subarray(fitting.length)
    }
  }

  #newBlock(): void {
    this.#endPart()
    const bytes = Math.min(Math.max(this.#size, BLOCK_BYTES_MIN), BLOCK_BYTES_MAX)
    this.#block = new Uint8Array(bytes)
  }

  #endPart(): void {
    if (this.#used === 0) return
    this.#parts.push(this.#block.subarray(0, this.#used))
    this.#block = this.#block.subarray(this.#used)
    this.#used = 0
  }
}
