import type { ManifestFile, PartitionFieldSummary } from '../../core/file/data-file.ts'
import {
  type AvroLimits,
  inflateAside,
  inflateWithin,
  openAvroContainer,
  type StoredContainer,
  writeAvroContainer,
} from '../avro/avro-container.ts'
import { AvroCursor } from '../avro/avro-cursor.ts'
import {
  boolean,
  bytes,
  type FieldValues,
  integer,
  list,
  long,
  mandatory,
  optionally,
  type Read,
  type ReaderOf,
  record,
  SkipCompiler,
  text,
} from '../avro/avro-reader.ts'
import { corrupt } from '../corrupt.ts'
import { compileRecordCodec } from './avro-record-codec.ts'
import { manifestListSchema, schemaText } from './manifest-list-schema.ts'

export interface ManifestListContent {
  readonly manifests: readonly ManifestFile[]
  readonly snapshotId: bigint
  readonly parentSnapshotId: bigint | null
  readonly sequenceNumber: bigint
  /** The snapshot's; a list with it is of format version 3, another of version 2. */
  readonly firstRowId?: bigint
}

/** Lines of one list. A table of 100,000 manifests has some billions of files. */
const MANIFESTS_MAX = 200_000
/** Partition summaries of one line, one for each field of a spec, and of one list. */
const SUMMARIES_PER_MANIFEST_MAX = 10_000
const SUMMARIES_MAX = 2_000_000
/** Lines read between two turns: some tenths of a millisecond. */
const LINES_PER_STEP = 64

const FORMS = { 2: formOf(2), 3: formOf(3) }

function formOf(version: 2 | 3) {
  const schema = manifestListSchema(version)
  return { codec: compileRecordCodec(schema), schemaText: schemaText(schema) }
}

/** Encodes a manifest list of format version 2, or with row ids of version 3. */
export function encodeManifestList(content: ManifestListContent): Uint8Array {
  const { manifests, snapshotId, parentSnapshotId, sequenceNumber, firstRowId } = content
  const version = firstRowId === undefined ? 2 : 3
  return writeAvroContainer({
    ...FORMS[version],
    metadata: {
      'snapshot-id': String(snapshotId),
      // `null` as text, like Iceberg's Java library.
      'parent-snapshot-id': String(parentSnapshotId),
      'sequence-number': String(sequenceNumber),
      ...(firstRowId !== undefined && { 'first-row-id': String(firstRowId) }),
      'format-version': String(version),
    },
    records: manifests.map(toRecord),
  })
}

function toRecord(manifest: ManifestFile): object {
  return {
    manifest_path: manifest.path,
    manifest_length: manifest.lengthBytes,
    partition_spec_id: manifest.specId,
    content: manifest.content === 'data' ? 0 : 1,
    sequence_number: manifest.sequenceNumber,
    min_sequence_number: manifest.minSequenceNumber,
    added_snapshot_id: manifest.addedSnapshotId,
    added_files_count: manifest.addedFilesCount,
    existing_files_count: manifest.existingFilesCount,
    deleted_files_count: manifest.deletedFilesCount,
    added_rows_count: manifest.addedRowsCount,
    existing_rows_count: manifest.existingRowsCount,
    deleted_rows_count: manifest.deletedRowsCount,
    partitions: manifest.partitions?.map(toSummaryRecord) ?? null,
    key_metadata: toBuffer(manifest.keyMetadata),
    // Version 3 only.
    first_row_id: manifest.firstRowId ?? null,
  }
}

function toSummaryRecord(summary: PartitionFieldSummary): object {
  return {
    contains_null: summary.containsNull,
    contains_nan: summary.containsNan ?? null,
    lower_bound: toBuffer(summary.lowerBound),
    upper_bound: toBuffer(summary.upperBound),
  }
}

function toBuffer(value: Uint8Array | undefined): Buffer | null {
  return value === undefined ? null : Buffer.from(value.buffer, value.byteOffset, value.length)
}

const SUMMARY_FIELDS = new Map<number, ReaderOf<unknown>>([
  [509, mandatory(boolean)],
  [518, optionally(boolean)],
  [510, optionally(bytes)],
  [511, optionally(bytes)],
])

const MANIFEST_FILE_FIELDS = new Map<number, ReaderOf<unknown>>([
  [500, mandatory(text)],
  [501, mandatory(integer)],
  [502, mandatory(integer)],
  [517, optionally(integer)],
  [515, optionally(long)],
  [516, optionally(long)],
  [503, optionally(long)],
  [504, optionally(integer)],
  [505, optionally(integer)],
  [506, optionally(integer)],
  [512, optionally(integer)],
  [513, optionally(integer)],
  [514, optionally(integer)],
  [507, optionally(list(record(SUMMARY_FIELDS), { itemsMax: SUMMARIES_PER_MANIFEST_MAX }))],
  [519, optionally(bytes)],
  [520, optionally(long)],
])

export interface ReadList {
  readonly manifests: readonly ManifestFile[]
  /** Size of the list's inflated blocks. */
  readonly inflatedBytes: number
}

/**
 * Reads a manifest list of any writer and format version. In version 1 the counts may be unknown
 * and are read as 1, because the specification requires readers to assume that they are not zero:
 * with 0, files would be lost. Some writers say -1 then.
 */
export function readManifestList(file: Uint8Array, limits?: AvroLimits): readonly ManifestFile[] {
  const container = openAvroContainer(file, limits)
  const lines = new ListLines(container)
  for (const { body, count } of container.blocks) {
    for (const _ of lines.readBlock(inflateWithin(container, body, lines.inflatedBytes), count)) {
      // Runs to the end without yielding.
    }
  }
  return lines.manifests
}

/** Does the same between other work: large blocks are inflated on another thread. */
export async function readManifestListInTurns(
  file: Uint8Array,
  turn: () => Promise<void> | undefined,
): Promise<ReadList> {
  const container = openAvroContainer(file)
  const lines = new ListLines(container)
  for (const [i, { body, count }] of container.blocks.entries()) {
    // None before the only block of a short list.
    if (i > 0) await turn()
    const { inflatedBytes } = lines
    const data = await inflateAside(container, body, { inflatedBytes, turn })
    for (const _ of lines.readBlock(data, count)) {
      const waiting = turn()
      if (waiting !== undefined) await waiting
    }
  }
  return lines
}

/** The lines of a list, from its blocks one by one. Throws before there are more than may be. */
class ListLines implements ReadList {
  readonly manifests: ManifestFile[] = []
  inflatedBytes = 0
  readonly #read: Read<FieldValues>
  readonly #lineBytesMin: number
  #summaries = 0

  constructor({ schema, blocks }: StoredContainer) {
    this.#read = record(MANIFEST_FILE_FIELDS)(schema)
    this.#lineBytesMin = Math.max(1, new SkipCompiler().minimumBytes(schema))
    const count = blocks.reduce((sum, block) => sum + block.count, 0)
    if (count > MANIFESTS_MAX) {
      throw corrupt(`manifest list of ${count} manifests: at most ${MANIFESTS_MAX} are read`)
    }
  }

  /** Reads the next inflated block in steps of some lines each. */
  *readBlock(data: Uint8Array, count: number): Generator<void> {
    if (count * this.#lineBytesMin > data.length) throw corrupt(`Avro block of ${count} records`)
    this.inflatedBytes += data.length
    const cursor = new AvroCursor(data)
    for (let i = 0; i < count; i++) {
      const manifest = toManifestFile(this.#read(cursor))
      this.#summaries += manifest.partitions?.length ?? 0
      if (this.#summaries > SUMMARIES_MAX) {
        throw corrupt(`manifest list of more than ${SUMMARIES_MAX} partition summaries`)
      }
      this.manifests.push(manifest)
      if (i % LINES_PER_STEP === LINES_PER_STEP - 1) yield
    }
  }
}

const UNKNOWN_COUNT = 1

function toManifestFile(values: FieldValues): ManifestFile {
  const partitions = values.get(507) as readonly FieldValues[] | undefined
  const keyMetadata = values.get(519) as Uint8Array | undefined
  const firstRowId = values.get(520) as bigint | undefined
  return {
    path: required(values, 500) as string,
    lengthBytes: count(required(values, 501)),
    specId: count(required(values, 502)),
    content: toContent(values.get(517)),
    sequenceNumber: (values.get(515) ?? 0n) as bigint,
    minSequenceNumber: (values.get(516) ?? 0n) as bigint,
    addedSnapshotId: required(values, 503) as bigint,
    addedFilesCount: countOrUnknown(values.get(504)),
    existingFilesCount: countOrUnknown(values.get(505)),
    deletedFilesCount: countOrUnknown(values.get(506)),
    addedRowsCount: countOrUnknown(values.get(512)),
    existingRowsCount: countOrUnknown(values.get(513)),
    deletedRowsCount: countOrUnknown(values.get(514)),
    ...(partitions !== undefined && { partitions: partitions.map(toSummary) }),
    ...(keyMetadata !== undefined && { keyMetadata }),
    ...(firstRowId !== undefined && { firstRowId }),
  }
}

function toContent(value: unknown): ManifestFile['content'] {
  if (value === undefined || value === 0) return 'data'
  if (value === 1) return 'deletes'
  throw corrupt(`manifest list with content ${value}`)
}

function toSummary(values: FieldValues): PartitionFieldSummary {
  const containsNan = values.get(518) as boolean | undefined
  const lowerBound = values.get(510) as Uint8Array | undefined
  const upperBound = values.get(511) as Uint8Array | undefined
  return {
    containsNull: required(values, 509) as boolean,
    ...(containsNan !== undefined && { containsNan }),
    ...(lowerBound !== undefined && { lowerBound }),
    ...(upperBound !== undefined && { upperBound }),
  }
}

function required(values: FieldValues, id: number): unknown {
  const value = values.get(id)
  if (value === undefined) throw corrupt(`manifest list without field ${id}`)
  return value
}

function countOrUnknown(value: unknown): number {
  return value === undefined || (value as number) < 0 ? UNKNOWN_COUNT : (value as number)
}

function count(value: unknown): number {
  if ((value as number) < 0) throw corrupt(`manifest list with a count of ${value}`)
  return value as number
}
