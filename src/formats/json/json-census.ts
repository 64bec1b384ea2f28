const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b])
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d])

/** Counts the values and levels of a JSON text, chunk by chunk, without parsing it. */
export class JsonCensus {
  #values = 0
  #depth = 0
  #depthMax = 0
  #stringBytes = 0
  #stringBytesMax = 0
  #isInString = false
  #isEscaped = false

  /** Commas and opening brackets: at least the number of values. */
  get values(): number {
    return this.#values
  }

  /** The deepest level so far. */
  get depth(): number {
    return this.#depthMax
  }

  /** Length of the longest string so far, as it is written, without quotes. */
  get longestString(): number {
    return this.#stringBytesMax
  }

  take(chunk: Uint8Array): void {
    let at = 0
    if (this.#isInString) at = this.#endOfString(chunk, at)
    while (at < chunk.length) {
      const byte = chunk[at] as number
      at += 1
      if (byte === QUOTE) {
        this.#isInString = true
        this.#stringBytes = 0
        at = this.#endOfString(chunk, at)
      } else if (byte === COMMA) {
        this.#values += 1
      } else if (OPENING.has(byte)) {
        this.#values += 1
        this.#depth += 1
        if (this.#depth > this.#depthMax) this.#depthMax = this.#depth
      } else if (CLOSING.has(byte)) {
        this.#depth -= 1
      }
    }
  }

  /** The offset after the string, or the end of the chunk. */
  #endOfString(chunk: Uint8Array, from: number): number {
    const end = this.#findEnd(chunk, from)
    const quotes = this.#isInString ? 0 : 1
    this.#stringBytes += end - from - quotes
    if (this.#stringBytes > this.#stringBytesMax) this.#stringBytesMax = this.#stringBytes
    return end
  }

  #findEnd(chunk: Uint8Array, from: number): number {
    let at = from
    while (at < chunk.length) {
      if (this.#isEscaped) {
        this.#isEscaped = false
      } else if (chunk[at] === QUOTE) {
        this.#isInString = false
        return at + 1
      } else if (chunk[at] === BACKSLASH) {
        this.#isEscaped = true
      }
      at += 1
    }
    return at
  }
}
