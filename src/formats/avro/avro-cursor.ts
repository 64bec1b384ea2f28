import { corrupt } from '../corrupt.ts'

const UINT32 = 2 ** 32
/** Length of a 64-bit integer, with seven bits in a byte. */
const VARINT_BYTES_MAX = 10

/**
 * Reads Avro's binary encoding. Throws `metadata-corrupt` for a read beyond `end` and for
 * impossible values.
 */
export class AvroCursor {
  readonly bytes: Uint8Array
  position: number
  end: number
  /** Halves of the integer read by `readHalves`, each as an int32. */
  low = 0
  high = 0
  readonly #buffer: Buffer

  constructor(bytes: Uint8Array, position = 0, end = bytes.length) {
    this.bytes = bytes
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = position
    this.end = end
  }

  get remaining(): number {
    return this.end - this.position
  }

  readByte(): number {
    if (this.position >= this.end) throw corrupt('Avro data ends too early')
    return this.bytes[this.position++] as number
  }

  /** Reads an int or long that is exact in a number. */
  readInteger(): number {
    const first = this.readByte()
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    const { bytes, position } = this
    // Most longer ones have two or three bytes.
    if (position + 1 < this.end) {
      const second = bytes[position] as number
      const two = (first & 0x7f) | ((second & 0x7f) << 7)
      if (second < 0x80) {
        this.position = position + 1
        return (two >>> 1) ^ -(two & 1)
      }
      const third = bytes[position + 1] as number
      if (third < 0x80) {
        this.position = position + 2
        const three = two | (third << 14)
        return (three >>> 1) ^ -(three & 1)
      }
    }
    this.position--
    return this.#readLongInteger()
  }

  #readLongInteger(): number {
    this.readHalves()
    const value = this.high * UINT32 + (this.low >>> 0)
    if (!Number.isSafeInteger(value))
      throw corrupt('Avro integer beyond 2^53 where a count belongs')
    return value
  }

  readInt(): number {
    const value = this.readInteger()
    if (value !== (value | 0)) throw corrupt(`Avro int ${value} of more than 32 bits`)
    return value
  }

  readLong(): bigint {
    this.readHalves()
    return (BigInt(this.high) << 32n) | BigInt(this.low >>> 0)
  }

  /** Reads an int or long of any size into `low` and `high`. */
  readHalves(): void {
    let low = 0
    let high = 0
    let shift = 0
    let byte = 0
    do {
      if (shift === 7 * VARINT_BYTES_MAX) throw corrupt('Avro integer of more than 64 bits')
      byte = this.readByte()
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (shift - 32)
      shift += 7
    } while (byte >= 0x80)
    const sign = -(low & 1)
    this.low = ((low >>> 1) | (high << 31)) ^ sign
    this.high = (high >>> 1) ^ sign
  }

  skipInteger(): void {
    const limit = Math.min(this.end, this.position + VARINT_BYTES_MAX)
    while (this.position < limit) {
      if ((this.bytes[this.position++] as number) < 0x80) return
    }
    throw corrupt('Avro integer without an end')
  }

  /** Reads the length of bytes or a string, which is never more than remain. */
  readLength(): number {
    const length = this.readInteger()
    if (length < 0 || length > this.end - this.position) {
      throw corrupt(`Avro length ${length} where ${this.remaining} bytes remain`)
    }
    return length
  }

  /**
   * Number of items in the next block of an array or map, 0 at its end; never more than bytes
   * remain.
   */
  readItemCount(): number {
    const count = this.readInteger()
    if (count >= 0) return this.#checkedCount(count)
    // A negative count is followed by the block's size, which is not needed when every item is
    // checked.
    this.skipInteger()
    return this.#checkedCount(-count)
  }

  #checkedCount(count: number): number {
    if (count > this.end - this.position) {
      throw corrupt(`Avro block of ${count} items where ${this.remaining} bytes remain`)
    }
    return count
  }

  skip(length: number): void {
    if (length > this.end - this.position) throw corrupt('Avro data ends too early')
    this.position += length
  }

  skipBytes(): void {
    const length = this.readLength()
    this.position += length
  }

  /** A view, not a copy. */
  readFixed(length: number): Uint8Array {
    const start = this.position
    this.skip(length)
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, length)
  }

  /** A view, not a copy. */
  readBytes(): Uint8Array {
    return this.readFixed(this.readLength())
  }

  readString(): string {
    const length = this.readLength()
    const start = this.position
    this.position += length
    return this.#buffer.toString('utf8', start, start + length)
  }

  readBoolean(): boolean {
    const byte = this.readByte()
    if (byte > 1) throw corrupt(`Avro boolean ${byte}`)
    return byte === 1
  }

  readFloat(): number {
    const start = this.position
    this.skip(4)
    return this.#buffer.readFloatLE(start)
  }

  readDouble(): number {
    const start = this.position
    this.skip(8)
    return this.#buffer.readDoubleLE(start)
  }
}
