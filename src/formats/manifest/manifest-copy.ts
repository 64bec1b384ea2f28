import type { ManifestFile } from '../../core/file/data-file.ts'
import { openAvroContainer, type StoredContainer } from '../avro/avro-container.ts'
import { AvroCursor } from '../avro/avro-cursor.ts'
import { isNull, type Read, SkipCompiler } from '../avro/avro-reader.ts'
import type { AvroType } from '../avro/avro-schema.ts'
import { type CopiedManifest, entrySchemaText, type ManifestContent } from './manifest-writer.ts'
import { canJoin } from './partition-summary.ts'

type Form = Pick<ManifestContent, 'schema' | 'spec' | 'version'>

const STATUS = { existing: 0, added: 1 }

/**
 * Whether, according to the manifest list, all entries have their own ids and numbers and none is
 * deleted.
 */
export function isCopyable(file: ManifestFile): boolean {
  return file.addedFilesCount === 0 && isRecodable(file)
}

/**
 * Whether, according to the manifest list, no entry is deleted and only ids and numbers are
 * inherited.
 */
function isRecodable(file: ManifestFile): boolean {
  return (
    file.deletedFilesCount === 0 &&
    file.keyMetadata === undefined &&
    file.firstRowId === undefined &&
    file.partitions?.every(({ containsNan }) => containsNan !== undefined) === true
  )
}

/**
 * The stored entries of a manifest, to be copied without decoding into another one of this schema
 * and spec. Returns `undefined` if they must be encoded again: some are added or deleted, or the
 * writer was a different one.
 */
export function findCopiedManifest(
  bytes: Uint8Array,
  file: ManifestFile,
  form: Form,
): CopiedManifest | undefined {
  if (!isCopyable(file)) return undefined
  const container = openAvroContainer(bytes)
  return isWrittenLike(container, file, form) ? { file, blocks: container.blocks } : undefined
}

function isWrittenLike(
  { metadata, codec, blocks }: StoredContainer,
  file: ManifestFile,
  form: Form,
): boolean {
  const count = blocks.reduce((sum, block) => sum + block.count, 0)
  return (
    codec === 'deflate' &&
    metadata.get('avro.schema') === entrySchemaText(form) &&
    metadata.get('content') === file.content &&
    count === file.addedFilesCount + file.existingFilesCount &&
    canJoin(form.spec, form.schema, file.partitions)
  )
}

export interface RecodedManifest {
  /** The description for a manifest list. */
  readonly file: ManifestFile
  /** Each is one encoded entry. */
  readonly records: readonly Uint8Array[]
}

/**
 * The entries of a manifest, with added ones as `existing` with their inherited ids and numbers.
 * The bytes that describe files do not change. Returns `undefined` if entries were deleted or the
 * writer was a different one.
 */
export function recodeManifest(
  bytes: Uint8Array,
  file: ManifestFile,
  form: Form,
): RecodedManifest | undefined {
  if (!isRecodable(file)) return undefined
  const container = openAvroContainer(bytes)
  if (!isWrittenLike(container, file, form)) return undefined
  const skip = fileSkipperOf(container.schema)
  const records: Uint8Array[] = []
  let left = container.inflatedBytesMax
  for (const { count, body } of container.blocks) {
    const cursor = new AvroCursor(container.inflate(body, left))
    left -= cursor.end
    for (let i = 0; i < count; i++) {
      const record = recodeEntry(cursor, { skip, file })
      if (record === undefined) return undefined
      records.push(record)
    }
  }
  const { addedFilesCount, existingFilesCount, addedRowsCount, existingRowsCount } = file
  const existing = {
    ...{ addedFilesCount: 0, existingFilesCount: addedFilesCount + existingFilesCount },
    ...{ addedRowsCount: 0, existingRowsCount: addedRowsCount + existingRowsCount },
  }
  return { file: { ...file, ...existing }, records }
}

/** Skips the last field of an entry, and checks it on the way. */
function fileSkipperOf(schema: AvroType): Read<void> {
  if (schema.kind !== 'record') throw new Error('a manifest entry is a record')
  return new SkipCompiler().skipOf(schema.fields.at(-1)?.type as AvroType)
}

function recodeEntry(
  cursor: AvroCursor,
  { skip, file }: { readonly skip: Read<void>; readonly file: ManifestFile },
): Uint8Array | undefined {
  const start = cursor.position
  const status = cursor.readInteger()
  const own = [readOptionalLong(cursor), readOptionalLong(cursor), readOptionalLong(cursor)]
  const fileStart = cursor.position
  skip(cursor)
  if (status === STATUS.existing) {
    return own.includes(undefined) ? undefined : cursor.bytes.subarray(start, cursor.position)
  }
  if (status !== STATUS.added) return undefined
  const inherited = [file.addedSnapshotId, file.sequenceNumber, file.sequenceNumber]
  const numbers = own.flatMap((number, i) => encodeOptionalLong(number ?? (inherited[i] as bigint)))
  const ofFile = cursor.bytes.subarray(fileStart, cursor.position)
  return Buffer.concat([Uint8Array.of(2 * STATUS.existing, ...numbers), ofFile])
}

function readOptionalLong(cursor: AvroCursor): bigint | undefined {
  return isNull(cursor, 0) ? undefined : cursor.readLong()
}

/** Encodes the second branch of a union and a zig-zag varint. */
function encodeOptionalLong(value: bigint): number[] {
  const bytes = [2]
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  bytes.push(Number(rest))
  return bytes
}
