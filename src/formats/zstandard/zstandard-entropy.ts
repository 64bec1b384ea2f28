import { corrupt } from '../corrupt.ts'

/**
 * Reads bits from the end of a stream towards its start; the highest set bit of the last byte marks
 * the end.
 */
export class BackwardBits {
  readonly #bytes: Uint8Array
  /** Number of remaining bits. */
  #left: number

  constructor(bytes: Uint8Array) {
    const last = bytes.at(-1) ?? 0
    if (last === 0) throw corrupt('Zstandard bit stream without an end')
    this.#bytes = bytes
    this.#left = 8 * (bytes.length - 1) + highestBit(last)
  }

  get left(): number {
    return this.#left
  }

  /** Reads at most 31 bits. */
  read(count: number): number {
    if (count > 16) return this.read(count - 16) * 0x10000 + this.read(16)
    this.skip(count)
    return this.#at(this.#left) & ((1 << count) - 1)
  }

  /** Peeks at up to 16 bits, padded with zeros if fewer remain. */
  peek(count: number): number {
    const from = this.#left - count
    const mask = (1 << count) - 1
    return (from >= 0 ? this.#at(from) : this.#at(0) << -from) & mask
  }

  skip(count: number): void {
    if (count > this.#left) throw corrupt('Zstandard bit stream ends too early')
    this.#left -= count
  }

  /** At least 17 bits from a position. */
  #at(position: number): number {
    const byte = position >>> 3
    const [a = 0, b = 0, c = 0] = [this.#bytes[byte], this.#bytes[byte + 1], this.#bytes[byte + 2]]
    return (a | (b << 8) | (c << 16)) >>> (position & 7)
  }
}

export function highestBit(value: number): number {
  return 31 - Math.clz32(value)
}

/** A finite-state entropy decoder (RFC 8878, 4.1). All arrays are indexed by state. */
export interface FseTable {
  readonly accuracy: number
  readonly symbols: Uint8Array
  readonly bits: Uint8Array
  readonly bases: Uint16Array
}

/** A table for one symbol that takes no bits. */
export function singleSymbol(symbol: number): FseTable {
  return {
    accuracy: 0,
    symbols: Uint8Array.of(symbol),
    bits: new Uint8Array(1),
    bases: new Uint16Array(1),
  }
}

/**
 * Builds a table. `counts` are the symbols' shares of `2 ** accuracy`, which is their sum; -1 is a
 * share below one.
 */
export function fseTable(counts: readonly number[], accuracy: number): FseTable {
  const size = 2 ** accuracy
  const symbols = new Uint8Array(size)
  let rareFrom = size
  for (const [symbol, count] of counts.entries()) if (count === -1) symbols[--rareFrom] = symbol
  const step = (size >> 1) + (size >> 3) + 3
  let position = 0
  for (const [symbol, count] of counts.entries()) {
    for (let i = 0; i < count; i++) {
      symbols[position] = symbol
      do position = (position + step) & (size - 1)
      while (position >= rareFrom && position !== 0)
    }
  }
  const next = counts.map(Math.abs)
  const bits = new Uint8Array(size)
  const bases = new Uint16Array(size)
  for (const [state, symbol] of symbols.entries()) {
    const share = next[symbol] as number
    next[symbol] = share + 1
    const width = accuracy - highestBit(share)
    bits[state] = width
    bases[state] = (share << width) - size
  }
  return { accuracy, symbols, bits, bases }
}

export interface FseLimits {
  readonly accuracyMax: number
  readonly symbolMax: number
}

/** Reads a table's description from the start of `bytes`; `end` is where it ends. */
export function readFseTable(
  bytes: Uint8Array,
  { accuracyMax, symbolMax }: FseLimits,
): { readonly table: FseTable; readonly end: number } {
  const bits = new ForwardBits(bytes)
  const accuracy = bits.read(4) + 5
  if (accuracy > accuracyMax) throw corrupt(`Zstandard table of accuracy ${accuracy}`)
  const counts: number[] = []
  for (let left = 2 ** accuracy; left > 0; ) {
    const count = readCount(bits, left)
    counts.push(count)
    left -= Math.abs(count)
    if (count === 0) readZeros(bits, counts, symbolMax)
    if (left < 0 || counts.length > symbolMax + 1) throw corrupt('Zstandard table out of bounds')
  }
  return { table: fseTable(counts, accuracy), end: bits.bytesTaken }
}

/** Reads a count from -1 to `left`; low ones take one bit less. */
function readCount(bits: ForwardBits, left: number): number {
  const width = highestBit(left + 1) + 1
  const shortValues = 2 ** width - 2 - left
  const short = bits.peek(width - 1)
  if (short < shortValues) return bits.read(width - 1) - 1
  const value = bits.read(width)
  return (value >= 2 ** (width - 1) ? value - shortValues : value) - 1
}

/** Reads how many zeros follow a zero: in threes, until there are fewer. */
function readZeros(bits: ForwardBits, counts: number[], symbolMax: number): void {
  let zeros = 3
  while (zeros === 3 && counts.length <= symbolMax) {
    zeros = bits.read(2)
    for (let i = 0; i < zeros; i++) counts.push(0)
  }
}

/** Reads bits from the start of a stream. */
class ForwardBits {
  readonly #bytes: Uint8Array
  #position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get bytesTaken(): number {
    return (this.#position + 7) >>> 3
  }

  /** Peeks at up to 17 bits, padded with zeros at the end of the stream. */
  peek(count: number): number {
    const at = this.#position >>> 3
    const [a = 0, b = 0, c = 0] = [this.#bytes[at], this.#bytes[at + 1], this.#bytes[at + 2]]
    return ((a | (b << 8) | (c << 16)) >>> (this.#position & 7)) & ((1 << count) - 1)
  }

  read(count: number): number {
    const value = this.peek(count)
    this.#position += count
    if (this.bytesTaken > this.#bytes.length) throw corrupt('Zstandard table ends too early')
    return value
  }
}

/** Reads the symbols of an FSE stream one by one. */
export class FseState {
  readonly #table: FseTable
  #state: number

  constructor(table: FseTable, bits: BackwardBits) {
    this.#table = table
    this.#state = bits.read(table.accuracy)
  }

  get symbol(): number {
    return this.#table.symbols[this.#state] as number
  }

  /** Number of bits that the next step takes. */
  get bits(): number {
    return this.#table.bits[this.#state] as number
  }

  move(bits: BackwardBits): void {
    this.#state = (this.#table.bases[this.#state] as number) + bits.read(this.bits)
  }
}

/** A Huffman decoder: symbol and code length, indexed by the next `bitsMax` bits. */
export interface HuffmanTable {
  readonly bitsMax: number
  readonly symbols: Uint8Array
  readonly lengths: Uint8Array
}

const HUFFMAN_BITS_MAX = 11
const WEIGHTS_MAX = 255

/** Reads a Huffman table's description (RFC 8878, 4.2.1) from the start of `bytes`. */
export function readHuffmanTable(bytes: Uint8Array): {
  readonly table: HuffmanTable
  readonly end: number
} {
  const header = bytes[0] ?? 0
  if (header < 128) {
    const end = 1 + header
    if (end > bytes.length) throw corrupt('Zstandard table ends too early')
    return { table: huffmanTable(readWeights(bytes.subarray(1, end))), end }
  }
  const count = header - 127
  const end = 1 + Math.ceil(count / 2)
  if (end > bytes.length) throw corrupt('Zstandard table ends too early')
  const weights = Array.from({ length: count }, (_, i) => {
    const byte = bytes[1 + (i >> 1)] as number
    return i % 2 === 0 ? byte >> 4 : byte & 15
  })
  return { table: huffmanTable(weights), end }
}

/**
 * Two states alternate until the bits do not suffice for a step: then the other one gives the last
 * symbol.
 */
function readWeights(bytes: Uint8Array): number[] {
  const { table, end } = readFseTable(bytes, { accuracyMax: 6, symbolMax: WEIGHTS_MAX })
  const bits = new BackwardBits(bytes.subarray(end))
  let [current, other] = [new FseState(table, bits), new FseState(table, bits)]
  const weights: number[] = []
  while (weights.length < WEIGHTS_MAX) {
    weights.push(current.symbol)
    if (bits.left < current.bits) {
      weights.push(other.symbol)
      return weights
    }
    current.move(bits)
    ;[current, other] = [other, current]
  }
  throw corrupt('Zstandard table out of bounds')
}

/** The weight of the last symbol is what is missing to reach a power of two. */
function huffmanTable(weights: number[]): HuffmanTable {
  let sum = 0
  for (const weight of weights) {
    if (weight > HUFFMAN_BITS_MAX) throw corrupt('Zstandard table out of bounds')
    if (weight > 0) sum += 2 ** (weight - 1)
  }
  const bitsMax = highestBit(sum) + 1
  const missing = 2 ** bitsMax - sum
  if (sum === 0 || bitsMax > HUFFMAN_BITS_MAX || (missing & (missing - 1)) !== 0) {
    throw corrupt('Zstandard table out of bounds')
  }
  weights.push(highestBit(missing) + 1)
  const symbols = new Uint8Array(2 ** bitsMax)
  const lengths = new Uint8Array(2 ** bitsMax)
  let code = 0
  for (let weight = 1; weight <= bitsMax; weight++) {
    for (const [symbol, own] of weights.entries()) {
      if (own !== weight) continue
      const end = code + 2 ** (weight - 1)
      symbols.fill(symbol, code, end)
      lengths.fill(bitsMax + 1 - weight, code, end)
      code = end
    }
  }
  return { bitsMax, symbols, lengths }
}

/** Decodes a stream that fills `output` exactly. */
export function decodeHuffman(table: HuffmanTable, stream: Uint8Array, output: Uint8Array): void {
  const bits = new BackwardBits(stream)
  for (let i = 0; i < output.length; i++) {
    const code = bits.peek(table.bitsMax)
    output[i] = table.symbols[code] as number
    bits.skip(table.lengths[code] as number)
  }
  if (bits.left > 0) throw corrupt('Zstandard literals with bits left over')
}
