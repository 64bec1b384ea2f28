import type {
  BoundByFieldId,
  ColumnMetrics,
  CountByFieldId,
  DataFile,
  EntryStatus,
  FileContent,
  FileFormat,
  ManifestEntry,
  ManifestFile,
} from '../../core/file/data-file.ts'
import { type FileColumns, partitionOfRow, statisticsOfRow } from '../../core/file/file-columns.ts'
import type { FileStatistics } from '../../core/file/file-statistics.ts'
import type { PartitionSpec } from '../../core/partition/partition-spec.ts'
import { BoundValues } from '../../core/value/bound-values.ts'
import { findNumber, numberAt } from '../../core/value/row-numbers.ts'
import type { Schema } from '../../core/value/type.ts'
import type { AvroLimits } from '../avro/avro-container.ts'
import { AvroCursor } from '../avro/avro-cursor.ts'
import {
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
  text,
} from '../avro/avro-reader.ts'
import { corrupt } from '../corrupt.ts'
import { longAt } from './long-column.ts'
import { type ManifestContent, ManifestDecoder } from './manifest-decoder.ts'
import type { ManifestColumns } from './manifest-scan.ts'
import { type BoundName, bitOf, type CountName } from './metric-columns.ts'
import { BytesColumn, PathColumn } from './text-columns.ts'

/**
 * A manifest stored by column; entries are created on request and numbered from 0. Results keep the
 * manifest in memory only where stated.
 */
export interface DecodedManifest {
  readonly entryCount: number
  /** Size in memory. */
  readonly retainedBytes: number
  readonly specId: number
  readonly content: 'data' | 'deletes'
  /** From the manifest's own header. */
  readonly spec: PartitionSpec
  /** The table's schema when the manifest was written; `undefined` if unreadable. */
  readonly schema: Schema | undefined
  /** The id of that schema; `undefined` if the header does not give it. */
  readonly schemaId: number | undefined
  /** Statistics of all entries, including deleted ones. */
  readonly files: FileColumns
  status(i: number): EntryStatus
  /** Whether the entry is added or existing. */
  isLive(i: number): boolean
  path(i: number): string
  recordCount(i: number): number
  fileSizeBytes(i: number): number
  /** Inherited if the entry has null. */
  snapshotId(i: number): bigint | null
  /** Inherited if the entry has null; still null for an existing entry written incorrectly. */
  sequenceNumber(i: number): bigint | null
  /**
   * The whole entry, including inherited ids and numbers; it does not keep the manifest in memory.
   * Column metrics cost most, so those not requested are absent.
   */
  entry(i: number, metrics?: readonly MetricName[]): ManifestEntry
  /**
   * Statistics of an entry as a new object that keeps the manifest in memory; its bounds are views.
   */
  statistics(i: number): FileStatistics
}

/**
 * Decodes a manifest, checking every length and count once. Throws `metadata-corrupt` if the bytes
 * are not a manifest of format version 1 to 3. `manifest` is its entry in the manifest list, from
 * which entries inherit.
 */
export function decodeManifest(
  file: Uint8Array,
  manifest: ManifestFile,
  limits?: AvroLimits,
): DecodedManifest {
  return manifestOf(readManifestContent(file, manifest, limits), manifest)
}

/**
 * The slow part of `decodeManifest`. Its result is plain data, so that another thread can run it.
 */
export function readManifestContent(
  file: Uint8Array,
  manifest: ManifestIdentity,
  limits?: AvroLimits,
): ManifestContent {
  return openManifest(file, manifest, limits).decode()
}

/** What the manifest list says to identify a manifest. */
export type ManifestIdentity = Pick<ManifestFile, 'specId' | 'lengthBytes'>

export function manifestOf(content: ManifestContent, manifest: ManifestFile): DecodedManifest {
  return new ColumnarManifest(content, manifest)
}

/**
 * Does the same as `decodeManifest`, but calls `turn` between slices of well under a millisecond so
 * that others can work.
 */
export async function decodeManifestInTurns(
  file: Uint8Array,
  manifest: ManifestFile,
  turn: () => Promise<void> | undefined,
): Promise<DecodedManifest> {
  return manifestOf(await openManifest(file, manifest).decodeInTurns(turn), manifest)
}

function openManifest(
  file: Uint8Array,
  manifest: ManifestIdentity,
  limits?: AvroLimits,
): ManifestDecoder {
  // A file truncated between two blocks looks complete.
  if (file.length < manifest.lengthBytes) {
    throw corrupt(`manifest of ${file.length} bytes that should have ${manifest.lengthBytes}`)
  }
  return new ManifestDecoder(file, { specId: manifest.specId, restIds: REST_IDS, limits })
}

export type MetricName = CountName | BoundName

const ALL_METRICS: readonly MetricName[] = [
  'columnSizes',
  'valueCounts',
  'nullValueCounts',
  'nanValueCounts',
  'lowerBounds',
  'upperBounds',
]

const STATUSES: readonly EntryStatus[] = ['existing', 'added', 'deleted']
const DELETED = 2
const ADDED = 1
const CONTENTS: readonly FileContent[] = ['data', 'position-deletes', 'equality-deletes']
const FORMATS: readonly FileFormat[] = ['parquet', 'avro', 'orc', 'puffin']

/** Fields of a data file that planning does not need. */
const RARE_FIELDS = new Map<number, ReaderOf<unknown>>([
  [101, mandatory(text)],
  [131, optionally(bytes)],
  [132, optionally(list(integer))],
  [135, optionally(list(integer))],
  [140, optionally(integer)],
  [142, optionally(long)],
  [143, optionally(text)],
  [144, optionally(integer)],
  [145, optionally(integer)],
])
const REST_IDS: ReadonlySet<number> = new Set(RARE_FIELDS.keys())

class ColumnarManifest implements DecodedManifest {
  readonly entryCount: number
  readonly retainedBytes: number
  readonly specId: number
  readonly content: 'data' | 'deletes'
  readonly spec: PartitionSpec
  readonly schema: Schema | undefined
  readonly schemaId: number | undefined
  readonly files: FileColumns
  readonly #manifest: ManifestFile
  readonly #columns: ManifestColumns
  readonly #paths: PathColumn
  readonly #boundColumns: BoundColumns
  readonly #restBytes: BytesColumn
  readonly #readRest: Read<FieldValues>
  readonly #firstRowIds: readonly (bigint | undefined)[] | undefined

  constructor({ spec, schema, schemaId, columns }: ManifestContent, manifest: ManifestFile) {
    this.#manifest = manifest
    this.#columns = columns
    this.entryCount = columns.entryCount
    this.specId = manifest.specId
    this.content = manifest.content
    this.schema = schema
    this.schemaId = schemaId
    this.spec = spec
    this.#paths = new PathColumn(columns.paths)
    this.#restBytes = new BytesColumn(columns.rest)
    this.#boundColumns = {
      lowerBounds: boundColumns(columns, 'lowerBounds'),
      upperBounds: boundColumns(columns, 'upperBounds'),
    }
    this.files = fileColumns(columns, this.#boundColumns, manifest.specId)
    this.#readRest = record(RARE_FIELDS)(columns.restType)
    this.#firstRowIds = this.#inheritFirstRowIds()
    this.retainedBytes = columns.byteLength + ROW_ID_BYTES * (this.#firstRowIds?.length ?? 0)
  }

  status(i: number): EntryStatus {
    return STATUSES[numberAt(this.#columns.status, this.#checked(i))] as EntryStatus
  }

  isLive(i: number): boolean {
    return numberAt(this.#columns.status, this.#checked(i)) !== DELETED
  }

  path(i: number): string {
    return this.#paths.get(this.#checked(i))
  }

  recordCount(i: number): number {
    return numberAt(this.#columns.recordCounts, this.#checked(i))
  }

  fileSizeBytes(i: number): number {
    return numberAt(this.#columns.fileSizesBytes, this.#checked(i))
  }

  snapshotId(i: number): bigint | null {
    return longAt(this.#columns.snapshotIds, this.#checked(i)) ?? this.#manifest.addedSnapshotId
  }

  sequenceNumber(i: number): bigint | null {
    return longAt(this.#columns.sequenceNumbers, this.#checked(i)) ?? this.#inheritedNumber(i)
  }

  entry(i: number, metrics: readonly MetricName[] = ALL_METRICS): ManifestEntry {
    return {
      status: this.status(i),
      snapshotId: this.snapshotId(i),
      sequenceNumber: this.sequenceNumber(i),
      fileSequenceNumber: longAt(this.#columns.fileSequenceNumbers, i) ?? this.#inheritedNumber(i),
      dataFile: this.#dataFile(i, this.#metrics(i, metrics)),
    }
  }

  statistics(i: number): FileStatistics {
    return statisticsOfRow(this.files, this.#checked(i))
  }

  #checked(i: number): number {
    if (i >= 0 && i < this.entryCount) return i
    throw new RangeError(`entry ${i} of a manifest with ${this.entryCount}`)
  }

  /**
   * Iceberg spec, "Sequence Number Inheritance": only added files inherit. But all files of a
   * manifest without the column have 0, and so do those of a manifest listed with 0.
   */
  #inheritedNumber(i: number): bigint | null {
    if (!this.#columns.hasSequenceNumbers) return 0n
    const { sequenceNumber } = this.#manifest
    const inherits = numberAt(this.#columns.status, i) === ADDED || sequenceNumber === 0n
    return inherits ? sequenceNumber : null
  }

  #dataFile(i: number, metrics: ColumnMetrics): DataFile {
    const rest = this.#rest(i)
    return {
      content: CONTENTS[numberAt(this.#columns.content, i)] as FileContent,
      path: this.path(i),
      format: toFormat(rest.get(101)),
      specId: this.specId,
      partition: partitionOfRow(this.files, i),
      recordCount: this.recordCount(i),
      fileSizeBytes: this.fileSizeBytes(i),
      ...metrics,
      ...present('keyMetadata', rest.get(131)),
      ...present('splitOffsets', rest.get(132)),
      ...present('equalityIds', rest.get(135)),
      ...present('sortOrderId', rest.get(140)),
      ...present('firstRowId', rest.get(142) ?? this.#firstRowIds?.[i]),
      ...present('referencedDataFile', rest.get(143)),
      ...present('contentOffset', rest.get(144)),
      ...present('contentSizeBytes', rest.get(145)),
    }
  }

  #rest(i: number): FieldValues {
    return this.#readRest(new AvroCursor(this.#restBytes.get(i)))
  }

  #metrics(i: number, names: readonly MetricName[]): ColumnMetrics {
    const metrics: { -readonly [name in keyof ColumnMetrics]: ColumnMetrics[name] } = {}
    const maps = numberAt(this.#columns.metricMaps, i)
    for (const name of names) {
      if ((maps & bitOf(name)) === 0) continue
      if (name === 'lowerBounds' || name === 'upperBounds') metrics[name] = this.#bounds(name, i)
      else metrics[name] = this.#counts(name, i)
    }
    return metrics
  }

  #counts(name: CountName, i: number): CountByFieldId {
    const counts = new Map<number, number>()
    for (const [fieldId, column] of this.#columns.metrics.counts[name]) {
      const value = findNumber(column, i)
      if (value !== undefined) counts.set(fieldId, value)
    }
    return counts
  }

  #bounds(name: BoundName, i: number): BoundByFieldId {
    const bounds = new Map<number, Uint8Array>()
    for (const [fieldId, column] of this.#boundColumns[name]) {
      const value = column.find(i)
      if (value !== undefined) bounds.set(fieldId, value.slice())
    }
    return bounds
  }

  /**
   * Iceberg spec, "First Row ID Inheritance": computed from the records of earlier data files
   * without an id.
   */
  #inheritFirstRowIds(): readonly (bigint | undefined)[] | undefined {
    const { firstRowId, content } = this.#manifest
    if (firstRowId === undefined || content !== 'data') return undefined
    let next = firstRowId
    return Array.from({ length: this.entryCount }, (_, i) => {
      if (!this.isLive(i) || this.#rest(i).get(142) !== undefined) return undefined
      const inherited = next
      next += BigInt(this.recordCount(i))
      return inherited
    })
  }
}

/** Heap size of a bigint in an array. */
const ROW_ID_BYTES = 32

type BoundColumns = Readonly<Record<BoundName, ReadonlyMap<number, BoundValues>>>

function boundColumns({ metrics }: ManifestColumns, name: BoundName) {
  const columns = new Map<number, BoundValues>()
  for (const [fieldId, parts] of metrics.bounds[name]) columns.set(fieldId, new BoundValues(parts))
  return columns
}

function fileColumns(columns: ManifestColumns, bounds: BoundColumns, specId: number): FileColumns {
  const { counts } = columns.metrics
  return {
    rowCount: columns.entryCount,
    specId,
    recordCounts: columns.recordCounts,
    partitions: columns.partitions,
    valueCounts: (fieldId) => counts.valueCounts.get(fieldId),
    nullCounts: (fieldId) => counts.nullValueCounts.get(fieldId),
    nanCounts: (fieldId) => counts.nanValueCounts.get(fieldId),
    lowerBounds: (fieldId) => bounds.lowerBounds.get(fieldId),
    upperBounds: (fieldId) => bounds.upperBounds.get(fieldId),
  }
}

function toFormat(value: unknown): FileFormat {
  const name = String(value).toLowerCase()
  const format = FORMATS.find((known) => known === name)
  if (format === undefined) throw corrupt(`file format ${JSON.stringify(name.slice(0, 100))}`)
  return format
}

function present<K extends keyof DataFile>(key: K, value: unknown): Partial<Pick<DataFile, K>> {
  return value === undefined ? {} : ({ [key]: value } as Partial<Pick<DataFile, K>>)
}
