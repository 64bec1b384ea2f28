import { CatalogError } from '../../core/errors.ts'
import type {
  BoundByFieldId,
  CountByFieldId,
  DataFile,
  EntryStatus,
  FileContent,
  ManifestEntry,
  ManifestFile,
} from '../../core/file/data-file.ts'
import type { PartitionSpec } from '../../core/partition/partition-spec.ts'
import { toTwosComplement } from '../../core/value/decimal.ts'
import { type PrimitiveType, type Schema, typeName } from '../../core/value/type.ts'
import type { Value } from '../../core/value/value.ts'
import {
  type AvroContainerContent,
  type RecordCodec,
  type StoredBlock,
  writeAvroContainer,
  writeAvroContainerInTurns,
} from '../avro/avro-container.ts'
import { corrupt } from '../corrupt.ts'
import { stringifyExactJson } from '../json/exact-json.ts'
import { schemaToJson } from '../metadata/schema-json.ts'
import { partitionFieldsToJson } from '../metadata/spec-json.ts'
import { compileRecordCodec } from './avro-record-codec.ts'
import { schemaText } from './manifest-list-schema.ts'
import {
  decimalBytes,
  type ManifestVersion,
  manifestEntrySchema,
  type PartitionColumn,
  partitionColumns,
} from './manifest-schema.ts'
import { coerceNumber, isOfType, joinSummaries, summarizePartitions } from './partition-summary.ts'

export interface ManifestContent {
  readonly entries: readonly ManifestEntry[]
  /** Must contain the source columns of `spec`. */
  readonly schema: Schema
  /** Partition spec of every entry. */
  readonly spec: PartitionSpec
  readonly content: 'data' | 'deletes'
  /** 2 by default. Deletion vectors and row ids need version 3. */
  readonly version?: ManifestVersion
  /** Manifests whose entries follow unchanged. */
  readonly copied?: readonly CopiedManifest[]
}

/** A manifest with only `existing` entries, as its stored blocks. */
export interface CopiedManifest {
  readonly file: ManifestFile
  readonly blocks: readonly StoredBlock[]
}

const STATUS_CODES: Record<EntryStatus, number> = { existing: 0, added: 1, deleted: 2 }
const CONTENT_CODES: Record<FileContent, number> = {
  data: 0,
  'position-deletes': 1,
  'equality-deletes': 2,
}

/** Schema text of the entries of a manifest that this writer produces. */
export function entrySchemaText({
  schema,
  spec,
  version = 2,
}: Pick<ManifestContent, 'schema' | 'spec' | 'version'>): string {
  return compiledFor({ schema, spec, version }).text
}

/** Encodes a manifest. The length of the array is the one that manifest lists need. */
export function encodeManifest(manifest: ManifestContent): Uint8Array {
  return writeAvroContainer(containerOf(manifest))
}

/** The same; others get turns in between: one of 10,000 entries takes a tenth of a second. */
export function encodeManifestInTurns(manifest: ManifestContent): Promise<Uint8Array> {
  return writeAvroContainerInTurns(containerOf(manifest))
}

function containerOf(manifest: ManifestContent): AvroContainerContent<object> {
  const { entries, schema, spec, content, version = 2, copied = [] } = manifest
  const { columns, text, codec } = compiledFor({ schema, spec, version })
  return {
    schemaText: text,
    metadata: {
      schema: stringifyExactJson(schemaToJson(schema)),
      'schema-id': String(schema.schemaId),
      'partition-spec': JSON.stringify(partitionFieldsToJson(spec)),
      'partition-spec-id': String(spec.specId),
      'format-version': String(version),
      content,
    },
    codec,
    records: records(entries, columns, version),
    storedBlocks: copied.flatMap(({ blocks }) => blocks),
  }
}

interface Compiled {
  readonly columns: readonly PartitionColumn[]
  readonly text: string
  readonly codec: RecordCodec<object>
}

/**
 * Number of compiled schemas kept: compiling takes half a millisecond, as long as encoding a small
 * manifest.
 */
const COMPILED_MAX = 256
const codecByText = new Map<string, RecordCodec<object>>()
/**
 * Building the text takes a third of that; a table's schema and spec stay the same objects across
 * commits.
 */
const compiledBySpec = new WeakMap<PartitionSpec, { schema: Schema; compiled: Compiled[] }>()

function compiledFor({
  schema,
  spec,
  version,
}: {
  readonly schema: Schema
  readonly spec: PartitionSpec
  readonly version: ManifestVersion
}): Compiled {
  let known = compiledBySpec.get(spec)
  if (known?.schema !== schema) {
    known = { schema, compiled: [] }
    compiledBySpec.set(spec, known)
  }
  known.compiled[version] ??= compile(partitionColumns(spec, schema), version)
  return known.compiled[version]
}

function compile(columns: readonly PartitionColumn[], version: ManifestVersion): Compiled {
  const schema = manifestEntrySchema(columns, version)
  const text = schemaText(schema)
  let codec = codecByText.get(text)
  if (codec === undefined) {
    codec = compileRecordCodec(schema)
    if (codecByText.size >= COMPILED_MAX) codecByText.clear()
    codecByText.set(text, codec)
  }
  return { columns, text, codec }
}

function* records(
  entries: readonly ManifestEntry[],
  columns: readonly PartitionColumn[],
  version: ManifestVersion,
) {
  for (const entry of entries) {
    yield {
      status: STATUS_CODES[entry.status],
      snapshot_id: entry.snapshotId,
      sequence_number: entry.sequenceNumber,
      file_sequence_number: entry.fileSequenceNumber,
      data_file: dataFileRecord(entry.dataFile, columns, version),
    }
  }
}

function dataFileRecord(
  file: DataFile,
  columns: readonly PartitionColumn[],
  version: ManifestVersion,
): object {
  if (version === 2 && (file.contentOffset !== undefined || file.format === 'puffin')) {
    const detail = `${file.path}: a deletion vector cannot be written to a table of version 2`
    throw new CatalogError('not-implemented', detail)
  }
  return {
    content: CONTENT_CODES[file.content],
    file_path: file.path,
    // In capitals, like every other writer.
    file_format: file.format.toUpperCase(),
    partition: partitionRecord(file, columns),
    record_count: file.recordCount,
    file_size_in_bytes: file.fileSizeBytes,
    column_sizes: countPairs(file.columnSizes),
    value_counts: countPairs(file.valueCounts),
    null_value_counts: countPairs(file.nullValueCounts),
    nan_value_counts: countPairs(file.nanValueCounts),
    lower_bounds: boundPairs(file.lowerBounds),
    upper_bounds: boundPairs(file.upperBounds),
    key_metadata: file.keyMetadata === undefined ? null : asBuffer(file.keyMetadata),
    split_offsets: file.splitOffsets ?? null,
    equality_ids: file.equalityIds ?? null,
    sort_order_id: file.sortOrderId ?? null,
    referenced_data_file: file.referencedDataFile ?? null,
    // Version 3 only.
    first_row_id: file.firstRowId ?? null,
    content_offset: file.contentOffset ?? null,
    content_size_in_bytes: file.contentSizeBytes ?? null,
  }
}

function countPairs(counts: CountByFieldId | undefined): object[] | null {
  return counts === undefined ? null : Array.from(counts, ([key, value]) => ({ key, value }))
}

function boundPairs(bounds: BoundByFieldId | undefined): object[] | null {
  if (bounds === undefined) return null
  return Array.from(bounds, ([key, value]) => ({ key, value: asBuffer(value) }))
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function partitionRecord(file: DataFile, columns: readonly PartitionColumn[]): object {
  if (file.partition.length !== columns.length) {
    throw corrupt(`${file.path}: ${file.partition.length} partition values, not ${columns.length}`)
  }
  return Object.fromEntries(
    columns.map(({ avroName, type }, i) => {
      const value = file.partition[i] ?? null
      return [avroName, value === null ? null : avroValue(type, value)]
    }),
  )
}

/** Throws `metadata-corrupt` if another writer's manifest had a value of another type. */
function avroValue(type: PrimitiveType, given: Value): unknown {
  const value = coerceNumber(type, given)
  if (!isOfType(type, value)) throw corrupt(`partition value that is no ${typeName(type)}`)
  if (type.kind === 'decimal') return decimalValue(value as bigint, decimalBytes(type.precision))
  return value instanceof Uint8Array ? asBuffer(value) : value
}

function decimalValue(unscaled: bigint, length: number): Buffer {
  const bytes = toTwosComplement(unscaled)
  if (bytes.length > length) throw corrupt(`decimal ${unscaled} of more than ${length} bytes`)
  const padded = Buffer.alloc(length, unscaled < 0n ? 0xff : 0)
  padded.set(bytes, length - bytes.length)
  return padded
}

export interface WrittenManifest extends ManifestContent {
  readonly path: string
  readonly lengthBytes: number
  /** The snapshot that adds the manifest. Its id and number replace null in entries. */
  readonly snapshotId: bigint
  readonly sequenceNumber: bigint
}

/** The entry for a manifest list. */
export function describeManifest(manifest: WrittenManifest): ManifestFile {
  const { entries, spec, schema, sequenceNumber } = manifest
  const copied = (manifest.copied ?? []).map(({ file }) => file)
  const partitions = entries.map((entry) => entry.dataFile.partition)
  const summaries = copied.flatMap((file) => (file.partitions ? [file.partitions] : []))
  const added = tally(entries, 'added')
  const existing = tally(entries, 'existing')
  const deleted = tally(entries, 'deleted')
  return {
    path: manifest.path,
    lengthBytes: manifest.lengthBytes,
    specId: spec.specId,
    content: manifest.content,
    sequenceNumber,
    minSequenceNumber: minSequenceNumber(entries, { copied, inherited: sequenceNumber }),
    addedSnapshotId: manifest.snapshotId,
    addedFilesCount: added.files,
    existingFilesCount: sumOf(copied, 'existingFilesCount', existing.files),
    deletedFilesCount: deleted.files,
    addedRowsCount: added.rows,
    existingRowsCount: sumOf(copied, 'existingRowsCount', existing.rows),
    deletedRowsCount: deleted.rows,
    partitions: joinSummaries(spec, schema, [
      ...(entries.length > 0 ? [summarizePartitions(spec, schema, partitions)] : []),
      ...summaries,
    ]),
  }
}

function sumOf(
  files: readonly ManifestFile[],
  count: 'existingFilesCount' | 'existingRowsCount',
  others: number,
): number {
  return files.reduce((sum, file) => sum + file[count], others)
}

function tally(entries: readonly ManifestEntry[], status: EntryStatus) {
  let files = 0
  let rows = 0
  for (const entry of entries) {
    if (entry.status !== status) continue
    files++
    rows += entry.dataFile.recordCount
  }
  return { files, rows }
}

/** The least sequence number of the live entries, or the manifest's own if there are none. */
function minSequenceNumber(
  entries: readonly ManifestEntry[],
  { copied, inherited }: { readonly copied: readonly ManifestFile[]; readonly inherited: bigint },
): bigint {
  let minimum: bigint | undefined
  for (const file of copied) {
    if (minimum === undefined || file.minSequenceNumber < minimum) minimum = file.minSequenceNumber
  }
  for (const { status, sequenceNumber } of entries) {
    if (status === 'deleted') continue
    const number = sequenceNumber ?? inherited
    if (minimum === undefined || number < minimum) minimum = number
  }
  return minimum ?? inherited
}
