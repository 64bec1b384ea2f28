import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib'
import { Turns } from '../../core/turns.ts'
import { corrupt } from '../corrupt.ts'
import { parseExactJson } from '../json/exact-json.ts'
import { inflateZstandard, inflateZstandardInTurns } from '../zstandard/zstandard.ts'
import { AvroCursor } from './avro-cursor.ts'
import { type AvroType, parseAvroSchema } from './avro-schema.ts'

const MAGIC = Buffer.from('Obj\x01', 'latin1')
const SYNC_BYTES = 16
/** Parts of a header and one block. */
const MOST_PARTS = 7
const BLOCK_BYTES = 64 * 1024
/** Level 1 is 1.9 times as fast as 6, for 6.6 % more bytes. */
const DEFLATE_LEVEL = 1
/** Inflated size of all blocks together; manifests are written with up to 8 MB deflated. */
const INFLATED_BYTES_MAX = 256 * 1024 * 1024
/**
 * Size of the inflated blocks as a multiple of the file's, beyond what is small anyway. Entries
 * that differ by little more than a number in their paths deflate to a fiftieth.
 */
const INFLATION_MAX = 200
/** Size of a block that is written as a multiple of its deflated one. */
const DEFLATION_MAX = 100
const INFLATED_BYTES_FREE = 4 * 1024 * 1024
/** That of a manifest has a type for each partition field, and some dozens more. */
const SCHEMA_CHARACTERS_MAX = 1024 * 1024
/** Largest inflated data, since positions in it are held as uint32. */
const DATA_BYTES_MAX = 2 ** 32 - 2

/** Writes one record at `position` and returns its end, negative if the buffer is too small. */
export interface RecordCodec<T> {
  encode(record: T, buffer: Buffer, position: number): number
}

export interface AvroContainerContent<T> {
  /** Kept verbatim in the header. */
  readonly schemaText: string
  readonly metadata: Readonly<Record<string, string>>
  readonly codec: RecordCodec<T>
  readonly records: Iterable<T>
  readonly compression?: 'null' | 'deflate'
  /**
   * Blocks of other files of the same schema and compression; they follow the records unchanged.
   */
  readonly storedBlocks?: readonly StoredBlock[]
}

/** Writes an Avro object container file with blocks of about 64 KB. */
export function writeAvroContainer<T>(content: AvroContainerContent<T>): Uint8Array {
  return Buffer.concat([...containerParts(content)].flat())
}

/** The same; others get turns between two blocks, each of some milliseconds. */
export async function writeAvroContainerInTurns<T>(
  content: AvroContainerContent<T>,
): Promise<Uint8Array> {
  const turns = new Turns()
  const parts: Uint8Array[] = []
  for (const some of containerParts(content)) {
    parts.push(...some)
    // None after the header and the first block: most files have one.
    if (parts.length > MOST_PARTS) await turns.take()
  }
  return Buffer.concat(parts)
}

/** The header, then block by block. */
function* containerParts<T>(content: AvroContainerContent<T>): Generator<readonly Uint8Array[]> {
  const { schemaText, metadata, records, codec, compression = 'deflate' } = content
  const sync = randomBytes(SYNC_BYTES)
  const header = { 'avro.schema': schemaText, 'avro.codec': compression, ...metadata }
  yield [MAGIC, encodeMetadata(header), sync]
  for (const { count, bytes } of encodeBlocks(codec, records)) {
    const body = compression === 'null' ? bytes : deflated(bytes)
    yield [encodeInteger(count), encodeInteger(body.length), body, sync]
  }
  for (const { count, body } of content.storedBlocks ?? []) {
    yield [encodeInteger(count), encodeInteger(body.length), body, sync]
  }
}

/** Deflates encoded records in blocks. */
export function* storeRecords(records: Iterable<Uint8Array>): Generator<StoredBlock> {
  let parts: Uint8Array[] = []
  let length = 0
  for (const record of records) {
    parts.push(record)
    length += record.length
    if (length < BLOCK_BYTES) continue
    yield storeBlock(parts)
    parts = []
    length = 0
  }
  if (parts.length > 0) yield storeBlock(parts)
}

function storeBlock(records: readonly Uint8Array[]): StoredBlock {
  return { count: records.length, body: deflated(Buffer.concat(records)) }
}

/** Readers take a file that inflates very far for a bomb: such a block is only coded shorter. */
function deflated(bytes: Uint8Array): Uint8Array {
  const body = deflateRawSync(bytes, { level: DEFLATE_LEVEL })
  if (body.length * DEFLATION_MAX >= bytes.length) return body
  return deflateRawSync(bytes, { strategy: constants.Z_HUFFMAN_ONLY })
}

function* encodeBlocks<T>(codec: RecordCodec<T>, records: Iterable<T>) {
  let buffer = Buffer.allocUnsafe(2 * BLOCK_BYTES)
  let position = 0
  let count = 0
  for (const record of records) {
    let end = codec.encode(record, buffer, position)
    while (end < 0) {
      const grown = Buffer.allocUnsafe(Math.max(2 * buffer.length, buffer.length - end))
      buffer.copy(grown, 0, 0, position)
      buffer = grown
      end = codec.encode(record, buffer, position)
    }
    position = end
    count++
    if (position >= BLOCK_BYTES) {
      yield { count, bytes: Buffer.from(buffer.subarray(0, position)) }
      position = 0
      count = 0
    }
  }
  if (count > 0) yield { count, bytes: Buffer.from(buffer.subarray(0, position)) }
}

function encodeMetadata(metadata: Readonly<Record<string, string>>): Uint8Array {
  const entries = Object.entries(metadata)
  const parts = entries.flatMap(([key, value]) => [encodeString(key), encodeString(value)])
  return Buffer.concat([encodeInteger(entries.length), ...parts, encodeInteger(0)])
}

function encodeString(text: string): Uint8Array {
  const bytes = Buffer.from(text)
  return Buffer.concat([encodeInteger(bytes.length), bytes])
}

/** Encodes a count or length as a zig-zag varint. */
function encodeInteger(count: number): Uint8Array {
  const bytes: number[] = []
  let rest = 2 * count
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  bytes.push(rest)
  return Uint8Array.from(bytes)
}

export interface AvroLimits {
  /** Size of the inflated blocks together; by default some hundred times the file's. */
  readonly inflatedBytesMax?: number
}

/** A container with its blocks still deflated. */
export interface StoredContainer {
  /** The file's own metadata, including `avro.schema` and `avro.codec`. */
  readonly metadata: ReadonlyMap<string, string>
  /** The writer's schema. */
  readonly schema: AvroType
  readonly blocks: readonly StoredBlock[]
  readonly codec: string
  /** Inflates the body of a block to a limited number of bytes. */
  readonly inflate: Inflater
  /** Size of the inflated blocks together. */
  readonly inflatedBytesMax: number
}

export interface StoredBlock {
  /** Number of records claimed; check it against the bytes. */
  readonly count: number
  readonly body: Uint8Array
}

/** Opens a container. Throws `metadata-corrupt` unless it is a complete file. */
export function openAvroContainer(bytes: Uint8Array, limits: AvroLimits = {}): StoredContainer {
  const { inflatedBytesMax = inflatedBytesOf(bytes) } = limits
  const cursor = new AvroCursor(bytes)
  if (!MAGIC.equals(cursor.readFixed(Math.min(MAGIC.length, bytes.length)))) {
    throw corrupt('no Avro file')
  }
  const metadata = readMetadata(cursor)
  const sync = cursor.readFixed(SYNC_BYTES)
  const codec = metadata.get('avro.codec') ?? 'null'
  return {
    metadata,
    blocks: indexBlocks(cursor, sync),
    codec,
    inflate: inflaterOf(codec),
    inflatedBytesMax: Math.min(inflatedBytesMax, DATA_BYTES_MAX),
    schema: readSchema(metadata),
  }
}

/** As much as a file may inflate to, unless its reader says. */
function inflatedBytesOf({ length }: Uint8Array): number {
  return Math.min(INFLATED_BYTES_MAX, Math.max(INFLATED_BYTES_FREE, INFLATION_MAX * length))
}

/** A container with its blocks inflated one by one. */
export interface AvroContainer extends Pick<StoredContainer, 'metadata' | 'schema'> {
  readonly data: Uint8Array
  readonly blocks: readonly AvroBlock[]
}

export interface AvroBlock {
  /** Number of records claimed; check it against the bytes. */
  readonly count: number
  readonly start: number
  readonly end: number
}

/** Opens a container. Throws `metadata-corrupt` unless it is a complete file. */
export function readAvroContainer(bytes: Uint8Array, limits?: AvroLimits): AvroContainer {
  const { metadata, schema, ...stored } = openAvroContainer(bytes, limits)
  const bodies: Uint8Array[] = []
  const blocks: AvroBlock[] = []
  let start = 0
  for (const { count, body } of stored.blocks) {
    const inflated = inflateWithin(stored, body, start)
    const end = start + inflated.length
    bodies.push(inflated)
    blocks.push({ count, start, end })
    start = end
  }
  const data = bodies.length === 1 ? (bodies[0] as Uint8Array) : Buffer.concat(bodies)
  return { metadata, schema, data, blocks }
}

/** Inflates one block; `inflatedBytes` is the size of the blocks before it. */
export function inflateWithin(
  { inflate, inflatedBytesMax }: Pick<StoredContainer, 'inflate' | 'inflatedBytesMax'>,
  body: Uint8Array,
  inflatedBytes: number,
): Uint8Array {
  const inflated = inflate(body, inflatedBytesMax - inflatedBytes)
  if (inflatedBytes + inflated.length > inflatedBytesMax) {
    throw corrupt(`Avro blocks of more than ${inflatedBytesMax} bytes`)
  }
  return inflated
}

/** Does the same as `inflateWithin`, on another thread or between other work if it is much. */
export async function inflateAside(
  container: StoredContainer,
  body: Uint8Array,
  {
    inflatedBytes,
    turn,
  }: { readonly inflatedBytes: number; readonly turn: () => Promise<void> | undefined },
): Promise<Uint8Array> {
  const bytesMax = container.inflatedBytesMax - inflatedBytes
  if (container.codec === 'zstandard') {
    return inflateZstandardInTurns(body, bytesMax, turn).catch((error) => {
      throw tooMuch(bytesMax, error)
    })
  }
  if (container.codec !== 'deflate') return inflateWithin(container, body, inflatedBytes)
  if (body.length <= SMALL_BODY_BYTES) {
    try {
      const maxOutputLength = Math.max(1, Math.min(SMALL_BLOCK_BYTES, bytesMax))
      return inflateRawSync(body, { maxOutputLength, chunkSize: chunkBytesFor(body) })
    } catch {
      // The block is damaged, or contains far more than it seems to.
    }
  }
  try {
    return await inflateRawAside(body, { maxOutputLength: Math.max(1, bytesMax) })
  } catch (error) {
    throw tooMuch(bytesMax, error)
  }
}

function tooMuch(bytesMax: number, cause: unknown): Error {
  return corrupt(`Avro block cannot be inflated to at most ${bytesMax} bytes`, cause)
}

const inflateRawAside = promisify(inflateRaw) as (
  body: Uint8Array,
  options: { readonly maxOutputLength: number },
) => Promise<Uint8Array>
/** Size of most blocks of 64 KB: switching threads would cost more than inflating them. */
const SMALL_BODY_BYTES = 64 * 1024
const SMALL_BLOCK_BYTES = 1024 * 1024

function readMetadata(cursor: AvroCursor): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>()
  for (let count = cursor.readItemCount(); count > 0; count = cursor.readItemCount()) {
    for (let i = 0; i < count; i++) metadata.set(cursor.readString(), cursor.readString())
  }
  return metadata
}

function readSchema(metadata: ReadonlyMap<string, string>): AvroType {
  const text = metadata.get('avro.schema')
  if (text === undefined) throw corrupt('Avro file without a schema')
  if (text.length > SCHEMA_CHARACTERS_MAX) {
    throw corrupt(`Avro schema of more than ${SCHEMA_CHARACTERS_MAX} characters`)
  }
  let json: unknown
  try {
    json = parseExactJson(text)
  } catch (error) {
    throw corrupt('Avro schema that is not JSON', error)
  }
  return parseAvroSchema(json)
}

function indexBlocks(cursor: AvroCursor, sync: Uint8Array): readonly StoredBlock[] {
  const blocks: StoredBlock[] = []
  while (cursor.remaining > 0) {
    const count = cursor.readInteger()
    if (count < 0) throw corrupt(`Avro block of ${count} records`)
    const body = cursor.readBytes()
    if (Buffer.compare(cursor.readFixed(SYNC_BYTES), sync) !== 0) {
      throw corrupt('Avro block without its sync marker')
    }
    blocks.push({ count, body })
  }
  return blocks
}

/** Chunk size that usually fits a whole block: joining chunks of 16 KB takes a third more time. */
function chunkBytesFor({ length }: Uint8Array): number {
  return Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, 5 * length))
}

const CHUNK_BYTES_MIN = 1024
const CHUNK_BYTES_MAX = 72 * 1024

type Inflater = (body: Uint8Array, bytesMax: number) => Uint8Array

function inflaterOf(codec: string): Inflater {
  switch (codec) {
    case 'null':
      return (body) => body
    case 'deflate':
      return guarded((body, bytesMax) =>
        // Bytes after the end of the stream are ignored: PyIceberg writes three.
        inflateRawSync(body, {
          maxOutputLength: Math.max(1, bytesMax),
          chunkSize: chunkBytesFor(body),
        }),
      )
    case 'zstandard':
      return guarded(inflateZstandard)
    default:
      throw corrupt(`unsupported Avro codec ${JSON.stringify(codec.slice(0, 100))}`)
  }
}

function guarded(inflate: Inflater): Inflater {
  return (body, bytesMax) => {
    try {
      return inflate(body, bytesMax)
    } catch (error) {
      throw tooMuch(bytesMax, error)
    }
  }
}
