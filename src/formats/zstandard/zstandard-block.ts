import { corrupt } from '../corrupt.ts'
import {
  BackwardBits,
  decodeHuffman,
  FseState,
  type FseTable,
  fseTable,
  type HuffmanTable,
  readFseTable,
  readHuffmanTable,
  singleSymbol,
} from './zstandard-entropy.ts'

export const BLOCK_BYTES_MAX = 128 * 1024

/** The output of a frame so far, from which matches copy. */
export class ZstandardOutput {
  readonly #bytesMax: number
  #bytes = new Uint8Array(0)
  #length = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get length(): number {
    return this.#length
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  append(bytes: Uint8Array): void {
    const start = this.#grow(bytes.length)
    this.#bytes.set(bytes, start)
  }

  fill(byte: number, count: number): void {
    const start = this.#grow(count)
    this.#bytes.fill(byte, start, start + count)
  }

  /** Repeats bytes from `offset` back; they may overlap with the copy. */
  copy(offset: number, count: number): void {
    if (offset < 1 || offset > this.#length) throw corrupt('Zstandard match before the start')
    const start = this.#grow(count)
    if (offset >= count) {
      this.#bytes.copyWithin(start, start - offset, start - offset + count)
      return
    }
    const bytes = this.#bytes
    for (let to = start; to < start + count; to++) bytes[to] = bytes[to - offset] as number
  }

  #grow(count: number): number {
    const start = this.#length
    const end = start + count
    if (end > this.#bytesMax) throw corrupt(`more than ${this.#bytesMax} bytes after inflation`)
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(this.#bytesMax, Math.max(2 * end, 4096)))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#length = end
    return start
  }
}

/** Baselines and extra bits of length codes, above those equal to their length. */
const LITERAL_LENGTHS = lengthCodes(
  16,
  16,
  [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
)
const MATCH_LENGTHS = lengthCodes(
  32,
  35,
  [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
)

interface LengthCodes {
  readonly bases: readonly number[]
  readonly bits: readonly number[]
}

function lengthCodes(plain: number, firstBase: number, extraBits: readonly number[]): LengthCodes {
  const bits = [...Array<number>(plain).fill(0), ...extraBits]
  let base = firstBase - plain
  const bases = bits.map((width) => {
    const own = base
    base += 2 ** width
    return own
  })
  return { bases, bits }
}

/** Largest offset code; offsets beyond 2^27 exceed any output. */
const OFFSET_CODE_MAX = 31

const KINDS = {
  literalLengths: {
    limits: { accuracyMax: 9, symbolMax: 35 },
    usual: fseTable(
      [
        4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1,
        1, -1, -1, -1, -1,
      ],
      6,
    ),
  },
  offsets: {
    limits: { accuracyMax: 8, symbolMax: OFFSET_CODE_MAX },
    usual: fseTable(
      [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
      5,
    ),
  },
  matchLengths: {
    limits: { accuracyMax: 9, symbolMax: 52 },
    usual: fseTable(
      [1, 4, 3, 2, 2, 2, 2, 2, 2, ...Array<number>(37).fill(1), -1, -1, -1, -1, -1, -1, -1],
      6,
    ),
  },
} as const

type Kind = keyof typeof KINDS

/**
 * Inflates the compressed blocks of one frame (RFC 8878, 3.1.1.3); later blocks use tables of
 * earlier ones.
 */
export class BlockInflater {
  readonly #output: ZstandardOutput
  readonly #tables = new Map<Kind, FseTable>()
  #huffman: HuffmanTable | undefined
  /** Offsets of the previous three matches. */
  #recent: [number, number, number] = [1, 4, 8]

  constructor(output: ZstandardOutput) {
    this.#output = output
  }

  inflate(block: Uint8Array): void {
    const { literals, end } = this.#readLiterals(block)
    const start = this.#output.length
    const used = this.#runSequences(block.subarray(end), literals, start)
    this.#output.append(literals.subarray(used))
    this.#checkSize(start)
  }

  #checkSize(start: number): void {
    if (this.#output.length - start > BLOCK_BYTES_MAX) throw corrupt('Zstandard block too large')
  }

  #readLiterals(block: Uint8Array): { literals: Uint8Array; end: number } {
    const header = readUint(block, 0, Math.min(5, block.length))
    const kind = header & 3
    const format = (header >>> 2) & 3
    const isHuffman = kind >= 2
    if (isHuffman) return this.#readHuffmanLiterals(block, format, kind === 3)
    const headerBytes = [1, 2, 1, 3][format] as number
    const size = readUint(block, 0, headerBytes) >>> (headerBytes === 1 ? 3 : 4)
    if (size > BLOCK_BYTES_MAX) throw corrupt('Zstandard literals too large')
    if (kind === 1) {
      const byte = readUint(block, headerBytes, 1)
      return { literals: new Uint8Array(size).fill(byte), end: headerBytes + 1 }
    }
    return { literals: slice(block, headerBytes, size), end: headerBytes + size }
  }

  #readHuffmanLiterals(
    block: Uint8Array,
    format: number,
    reusesTable: boolean,
  ): { literals: Uint8Array; end: number } {
    const headerBytes = [3, 3, 4, 5][format] as number
    const sizeBits = [10, 10, 14, 18][format] as number
    const sizes = Math.floor(readUint(block, 0, headerBytes) / 16)
    const size = sizes % 2 ** sizeBits
    const storedSize = Math.floor(sizes / 2 ** sizeBits)
    if (size > BLOCK_BYTES_MAX) throw corrupt('Zstandard literals too large')
    let stored = slice(block, headerBytes, storedSize)
    if (!reusesTable) {
      const { table, end } = readHuffmanTable(stored)
      this.#huffman = table
      stored = stored.subarray(end)
    }
    if (this.#huffman === undefined) throw corrupt('Zstandard literals without a table')
    const literals = new Uint8Array(size)
    if (format === 0) decodeHuffman(this.#huffman, stored, literals)
    else decodeFourStreams(this.#huffman, stored, literals)
    return { literals, end: headerBytes + storedSize }
  }

  /** Returns how many literals were used. */
  #runSequences(section: Uint8Array, literals: Uint8Array, start: number): number {
    const { count, end } = readSequenceCount(section)
    if (count === 0) return 0
    const modes = readUint(section, end, 1)
    let at = end + 1
    const table = (kind: Kind, mode: number) => {
      const read = this.#readTable(kind, mode, section.subarray(at))
      at += read.end
      return read.table
    }
    const tables = {
      literalLengths: table('literalLengths', modes >>> 6),
      offsets: table('offsets', (modes >>> 4) & 3),
      matchLengths: table('matchLengths', (modes >>> 2) & 3),
    }
    const bits = new BackwardBits(section.subarray(at))
    const literalLength = new FseState(tables.literalLengths, bits)
    const offset = new FseState(tables.offsets, bits)
    const matchLength = new FseState(tables.matchLengths, bits)
    let used = 0
    for (let left = count; left > 0; left--) {
      const offsetCode = offset.symbol
      const offsetValue = 2 ** offsetCode + bits.read(offsetCode)
      const matched = readLength(MATCH_LENGTHS, matchLength.symbol, bits)
      const literal = readLength(LITERAL_LENGTHS, literalLength.symbol, bits)
      if (literal > literals.length - used) throw corrupt('Zstandard block without its literals')
      this.#output.append(literals.subarray(used, used + literal))
      used += literal
      this.#output.copy(this.#resolveOffset(offsetValue, literal === 0), matched)
      this.#checkSize(start)
      if (left > 1) {
        literalLength.move(bits)
        matchLength.move(bits)
        offset.move(bits)
      }
    }
    return used
  }

  #readTable(kind: Kind, mode: number, bytes: Uint8Array): { table: FseTable; end: number } {
    const read = this.#newTable(kind, mode, bytes)
    this.#tables.set(kind, read.table)
    return read
  }

  #newTable(kind: Kind, mode: number, bytes: Uint8Array): { table: FseTable; end: number } {
    const { limits, usual } = KINDS[kind]
    if (mode === 0) return { table: usual, end: 0 }
    if (mode === 2) return readFseTable(bytes, limits)
    if (mode === 1) {
      const symbol = readUint(bytes, 0, 1)
      if (symbol > limits.symbolMax) throw corrupt('Zstandard table out of bounds')
      return { table: singleSymbol(symbol), end: 1 }
    }
    const table = this.#tables.get(kind)
    if (table === undefined) throw corrupt('Zstandard sequences without a table')
    return { table, end: 0 }
  }

  /** Values up to 3 refer to a recent offset; without literals, to the one after it. */
  #resolveOffset(value: number, isAfterMatch: boolean): number {
    const [first, second, third] = this.#recent
    if (value > 3) {
      this.#recent = [value - 3, first, second]
      return value - 3
    }
    switch (isAfterMatch ? value : value - 1) {
      case 0:
        return first
      case 1:
        this.#recent = [second, first, third]
        return second
      case 2:
        this.#recent = [third, first, second]
        return third
      default:
        this.#recent = [first - 1, first, second]
        return first - 1
    }
  }
}

function readLength(
  { bases, bits: widths }: LengthCodes,
  code: number,
  bits: BackwardBits,
): number {
  const width = widths[code]
  if (width === undefined) throw corrupt('Zstandard length out of bounds')
  return (bases[code] as number) + bits.read(width)
}

function readSequenceCount(section: Uint8Array): { count: number; end: number } {
  const first = readUint(section, 0, 1)
  if (first < 128) return { count: first, end: 1 }
  if (first < 255) return { count: (first - 128) * 256 + readUint(section, 1, 1), end: 2 }
  return { count: readUint(section, 1, 2) + 0x7f00, end: 3 }
}

/**
 * Decodes four streams, each with a quarter of the literals, rounded up; the first six bytes have
 * the sizes of three streams.
 */
function decodeFourStreams(table: HuffmanTable, stored: Uint8Array, literals: Uint8Array): void {
  const quarter = Math.ceil(literals.length / 4)
  let at = 6
  for (let i = 0; i < 4; i++) {
    const size = i < 3 ? readUint(stored, 2 * i, 2) : stored.length - at
    const output = literals.subarray(i * quarter, i < 3 ? (i + 1) * quarter : undefined)
    decodeHuffman(table, slice(stored, at, size), output)
    at += size
  }
}

/** Reads a little-endian integer of up to five bytes. */
function readUint(bytes: Uint8Array, at: number, length: number): number {
  if (at + length > bytes.length) throw corrupt('Zstandard block ends too early')
  let value = 0
  for (let i = length - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] as number)
  return value
}

function slice(bytes: Uint8Array, at: number, length: number): Uint8Array {
  if (length < 0 || at + length > bytes.length) throw corrupt('Zstandard block ends too early')
  return bytes.subarray(at, at + length)
}
