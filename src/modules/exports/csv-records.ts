const QUOTE = 0x22
const LINE_END = 0x0a

/**
 * Counts the records of a CSV that arrives in pieces: line ends outside of quotes. A doubled quote
 * closes and opens again, which comes to the same.
 */
export class CsvRecords {
  #isQuoted = false
  #count = 0

  add(bytes: Uint8Array): void {
    let isQuoted = this.#isQuoted
    let count = 0
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]
      if (byte === QUOTE) isQuoted = !isQuoted
      else if (byte === LINE_END && !isQuoted) count++
    }
    this.#isQuoted = isQuoted
    this.#count += count
  }

  /** The header among them. */
  get count(): number {
    return this.#count
  }
}
