import { createHash } from 'node:crypto'
import { gzip } from 'node:zlib'
import { CatalogError } from '../../core/errors.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

/** Room for the largest export: a bound against a query that never ends. */
const ARCHIVE_BYTES_MAX = 1024 ** 4
const PIECE_BYTES = 256 * 1024
/** One is written while two are packed. */
const PIECES_AT_ONCE = 3
const QUOTE = 0x22
const LINE_END = 0x0a
const QUOTES = 0x22222222
const LINE_ENDS = 0x0a0a0a0a

export interface Archive {
  readonly sizeBytes: number
  readonly sha256: string
  /** Rows that are in the file, as counted in it. */
  readonly records: number
}

export interface ArchiveTarget {
  readonly location: string
  readonly compression: 'gzip' | 'none'
  report(progress: { readonly rows: number; readonly bytes: number }): void
}

/** Writes CSV with a header to a new object; durable when it resolves, in constant memory. */
export async function archiveRows(
  objects: Pick<ObjectStore, 'putStreamIfAbsent'>,
  rows: AsyncIterable<Uint8Array>,
  { location, compression, report }: ArchiveTarget,
): Promise<Archive> {
  const records = new CsvRecords()
  const hash = createHash('sha256')
  let sizeBytes = 0
  const counted = async function* () {
    for await (const chunk of gathered(rows)) {
      records.add(chunk)
      yield chunk
    }
  }
  const packed = compression === 'gzip' ? gzipped(counted()) : counted()
  const hashed = async function* () {
    for await (const chunk of packed) {
      hash.update(chunk)
      sizeBytes += chunk.byteLength
      report({ rows: Math.max(0, records.count - 1), bytes: sizeBytes })
      yield chunk
    }
  }
  const { outcome } = await objects.putStreamIfAbsent(location, hashed(), {
    bytesMax: ARCHIVE_BYTES_MAX,
  })
  if (outcome === 'already-exists') {
    throw new CatalogError('overloaded', 'another attempt writes the same file: try again')
  }
  return { sizeBytes, sha256: hash.digest('hex'), records: Math.max(0, records.count - 1) }
}

/** In pieces that are worth a trip to another thread: the source sends single rows. */
async function* gathered(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    held.push(chunk)
    bytes += chunk.byteLength
    if (bytes < PIECE_BYTES) continue
    yield Buffer.concat(held, bytes)
    held = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(held, bytes)
}

/** Members of gzip, one a piece (RFC 1952, section 2.2), which threads pack beside each other. */
async function* gzipped(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const packing: Promise<Uint8Array>[] = []
  const begin = (piece: Uint8Array) => {
    const packed = pack(piece)
    // Whoever waits for it is told; nobody does where the rows fail first.
    packed.catch(() => undefined)
    packing.push(packed)
  }
  let isEmpty = true
  for await (const piece of pieces) {
    isEmpty = false
    begin(piece)
    const [first] = packing.length < PIECES_AT_ONCE ? [] : packing.splice(0, 1)
    if (first !== undefined) yield await first
  }
  if (isEmpty) begin(new Uint8Array())
  for (const packed of packing) yield await packed
}

function pack(piece: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    gzip(piece, (error, packed) => (error === null ? resolve(packed) : reject(error)))
  })
}

/**
 * Counts the records of a CSV that arrives in pieces: line ends outside of quotes. A doubled quote
 * closes and opens again, which comes to the same. Bytes are looked at one by one only in words of
 * four that have either.
 */
export class CsvRecords {
  #isQuoted = false
  #count = 0

  add(bytes: Uint8Array): void {
    const { buffer, byteOffset, length } = bytes
    const from = Math.min(length, -byteOffset & 3)
    const words =
      length - from < 4 ? [] : new Int32Array(buffer, byteOffset + from, (length - from) >> 2)
    this.#addBytes(bytes, 0, from)
    for (let i = 0; i < words.length; i++) {
      const word = words[i] as number
      if (hasZero(word ^ QUOTES) || hasZero(word ^ LINE_ENDS)) {
        this.#addBytes(bytes, from + 4 * i, from + 4 * i + 4)
      }
    }
    this.#addBytes(bytes, from + 4 * words.length, length)
  }

  #addBytes(bytes: Uint8Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const byte = bytes[i]
      if (byte === QUOTE) this.#isQuoted = !this.#isQuoted
      else if (byte === LINE_END && !this.#isQuoted) this.#count++
    }
  }

  /** The header among them. */
  get count(): number {
    return this.#count
  }
}

/** Whether one of the four bytes is zero. */
function hasZero(word: number): boolean {
  return ((word - 0x01010101) & ~word & 0x80808080) !== 0
}
