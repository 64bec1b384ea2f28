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
} from '../../core/data-file.ts'
import type { FileStatistics } from '../../core/file-statistics.ts'
import type { PartitionSpec } from '../../core/partition-spec.ts'
import type { Schema } from '../../core/type.ts'
import type { Value } from '../../core/value.ts'
import { type AvroContainer, type AvroLimits, readAvroContainer } from './avro-container.ts'
import { AvroCursor } from './avro-cursor.ts'
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
} from './avro-reader.ts'
import { corrupt } from './corrupt.ts'
import { parseExactJson } from './exact-json.ts'
import { JsonNode } from './json-node.ts'
import { ABSENT, ManifestScan, type MetricName } from './manifest-scan.ts'
import { partitionReader } from './partition-values.ts'
import { schemaFromJson } from './schema-json.ts'
import { readPartitionFields } from './spec-json.ts'

/**
 * A manifest as columns over its inflated bytes: nothing of an entry is materialised until it is asked
 * for. Entries are numbered from 0. What is answered keeps the manifest in memory only where said.
 */
export interface DecodedManifest {
  readonly entryCount: number
  /** Memory that it takes. */
  readonly retainedBytes: number
  readonly specId: number
  readonly content: 'data' | 'deletes'
  /** From the manifest's own header. */
  readonly spec: PartitionSpec
  /** Of the table when the manifest was written; `undefined` when it is unreadable. */
  readonly schema: Schema | undefined
  status(i: number): EntryStatus
  /** Added or existing. */
  isLive(i: number): boolean
  path(i: number): string
  recordCount(i: number): number
  fileSizeBytes(i: number): number
  /** Inherited where the entry leaves it null; null still for a wrongly written existing entry. */
  sequenceNumber(i: number): bigint | null
  /** All that is known, inherited ids and numbers included; keeps nothing of the manifest in memory. */
  entry(i: number): ManifestEntry
  /** A new object that keeps the manifest in memory. Its bounds are views of the manifest's bytes. */
  statistics(i: number): FileStatistics
}

/**
 * Checks every offset and length once. Throws `metadata-corrupt` when the bytes are no manifest of format
 * version 1 to 3. `manifest` is its line in the manifest list, from which entries inherit.
 */
export function decodeManifest(
  file: Uint8Array,
  manifest: ManifestFile,
  limits?: AvroLimits,
): DecodedManifest {
  // A file that was cut between two blocks is whole in itself.
  if (file.length < manifest.lengthBytes) {
    throw corrupt(`manifest of ${file.length} bytes that should have ${manifest.lengthBytes}`)
  }
  return new AvroManifest(readAvroContainer(file, limits), manifest)
}

const STATUSES: readonly EntryStatus[] = ['existing', 'added', 'deleted']
const DELETED = 2
const ADDED = 1
const CONTENTS: readonly FileContent[] = ['data', 'position-deletes', 'equality-deletes']
const FORMATS: readonly FileFormat[] = ['parquet', 'avro', 'orc', 'puffin']

/** Fields of a data file that planning has no use for. */
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

class AvroManifest implements DecodedManifest {
  readonly entryCount: number
  readonly retainedBytes: number
  readonly specId: number
  readonly content: 'data' | 'deletes'
  readonly spec: PartitionSpec
  readonly schema: Schema | undefined
  readonly #manifest: ManifestFile
  readonly #scan: ManifestScan
  readonly #cursor: AvroCursor
  readonly #readPartition: Read<readonly (Value | null)[]>
  readonly #readRareFields: Read<FieldValues>
  readonly #firstRowIds: readonly (bigint | undefined)[] | undefined

  constructor(container: AvroContainer, manifest: ManifestFile) {
    this.#manifest = manifest
    this.#scan = new ManifestScan(container)
    this.#cursor = new AvroCursor(compact(container.data))
    this.entryCount = this.#scan.entryCount
    this.retainedBytes = this.#cursor.bytes.buffer.byteLength + this.#scan.byteLength
    this.specId = manifest.specId
    this.content = manifest.content
    this.schema = findSchema(container)
    this.spec = { specId: manifest.specId, fields: readSpecFields(container) }
    const { dataFileType } = this.#scan
    const partitionType = dataFileType.fields.find(({ id }) => id === 102)?.type
    if (partitionType?.kind !== 'record') throw corrupt('manifest without partitions')
    this.#readPartition = partitionReader(partitionType, this.spec, this.schema)
    this.#readRareFields = record(RARE_FIELDS)(dataFileType)
    this.#firstRowIds = this.#inheritFirstRowIds()
  }

  status(i: number): EntryStatus {
    return STATUSES[this.#scan.status[this.#checked(i)] as number] as EntryStatus
  }

  isLive(i: number): boolean {
    return this.#scan.status[this.#checked(i)] !== DELETED
  }

  path(i: number): string {
    return this.#at(this.#scan.pathAt, i).readString()
  }

  recordCount(i: number): number {
    return this.#scan.recordCount[this.#checked(i)] as number
  }

  fileSizeBytes(i: number): number {
    return this.#scan.fileSizeBytes[this.#checked(i)] as number
  }

  sequenceNumber(i: number): bigint | null {
    return this.#scan.sequenceNumber.get(this.#checked(i)) ?? this.#inheritedNumber(i)
  }

  entry(i: number): ManifestEntry {
    const fileSequenceNumber = this.#scan.fileSequenceNumber.get(this.#checked(i))
    return {
      status: this.status(i),
      snapshotId: this.#scan.snapshotId.get(i) ?? this.#manifest.addedSnapshotId,
      sequenceNumber: this.sequenceNumber(i),
      fileSequenceNumber: fileSequenceNumber ?? this.#inheritedNumber(i),
      dataFile: this.#dataFile(i),
    }
  }

  statistics(i: number): FileStatistics {
    return new EntryStatistics(this, this.#checked(i))
  }

  partition(i: number): readonly (Value | null)[] {
    return this.#readPartition(this.#at(this.#scan.partitionAt, i))
  }

  count(name: MetricName, i: number, fieldId: number): number | undefined {
    return this.#find(name, i, fieldId) ? this.#cursor.readInteger() : undefined
  }

  bound(name: MetricName, i: number, fieldId: number): Uint8Array | undefined {
    return this.#find(name, i, fieldId) ? this.#cursor.readBytes() : undefined
  }

  /** Moves the cursor to the value. */
  #find(name: MetricName, i: number, fieldId: number): boolean {
    const column = this.#scan.metric(name)
    if (column === undefined || column.positions[i] === ABSENT) return false
    return column.map.find(this.#at(column.positions, i), fieldId)
  }

  #at(positions: Uint32Array, i: number): AvroCursor {
    this.#cursor.position = positions[this.#checked(i)] as number
    return this.#cursor
  }

  #checked(i: number): number {
    if (i >= 0 && i < this.entryCount) return i
    throw new RangeError(`entry ${i} of a manifest with ${this.entryCount}`)
  }

  /**
   * Iceberg spec, "Sequence Number Inheritance": only added files inherit, but all files of a manifest without
   * the column have 0, and those of one that was listed with 0 cannot have another.
   */
  #inheritedNumber(i: number): bigint | null {
    if (!this.#scan.hasSequenceNumbers) return 0n
    const { sequenceNumber } = this.#manifest
    const inherits = this.#scan.status[i] === ADDED || sequenceNumber === 0n
    return inherits ? sequenceNumber : null
  }

  #dataFile(i: number): DataFile {
    const rare = this.#readRareFields(this.#at(this.#scan.dataFileAt, i))
    return {
      content: CONTENTS[this.#scan.content[i] as number] as FileContent,
      path: this.path(i),
      format: toFormat(rare.get(101)),
      specId: this.specId,
      partition: this.partition(i),
      recordCount: this.recordCount(i),
      fileSizeBytes: this.fileSizeBytes(i),
      ...this.#metrics(i),
      ...present('keyMetadata', rare.get(131)),
      ...present('splitOffsets', rare.get(132)),
      ...present('equalityIds', rare.get(135)),
      ...present('sortOrderId', rare.get(140)),
      ...present('firstRowId', rare.get(142) ?? this.#firstRowIds?.[i]),
      ...present('referencedDataFile', rare.get(143)),
      ...present('contentOffset', rare.get(144)),
      ...present('contentSizeBytes', rare.get(145)),
    }
  }

  #metrics(i: number): ColumnMetrics {
    return {
      ...present('columnSizes', this.#counts('columnSizes', i)),
      ...present('valueCounts', this.#counts('valueCounts', i)),
      ...present('nullValueCounts', this.#counts('nullValueCounts', i)),
      ...present('nanValueCounts', this.#counts('nanValueCounts', i)),
      ...present('lowerBounds', this.#bounds('lowerBounds', i)),
      ...present('upperBounds', this.#bounds('upperBounds', i)),
    }
  }

  #counts(name: MetricName, i: number): CountByFieldId | undefined {
    return this.#readMap(name, i, (cursor) => cursor.readInteger())
  }

  #bounds(name: MetricName, i: number): BoundByFieldId | undefined {
    return this.#readMap(name, i, (cursor) => cursor.readBytes().slice())
  }

  #readMap<T>(name: MetricName, i: number, read: Read<T>): Map<number, T> | undefined {
    const column = this.#scan.metric(name)
    if (column === undefined || column.positions[i] === ABSENT) return undefined
    const values = new Map<number, T>()
    const cursor = this.#at(column.positions, i)
    column.map.forEach(cursor, (key) => values.set(key, read(cursor)))
    return values
  }

  /** Iceberg spec, "First Row ID Inheritance": by the records of earlier data files without an id. */
  #inheritFirstRowIds(): readonly (bigint | undefined)[] | undefined {
    const { firstRowId, content } = this.#manifest
    if (firstRowId === undefined || content !== 'data') return undefined
    let next = firstRowId
    return Array.from(this.#scan.status, (status, i) => {
      const own = this.#readRareFields(this.#at(this.#scan.dataFileAt, i)).get(142)
      if (status === DELETED || own !== undefined) return undefined
      const inherited = next
      next += BigInt(this.recordCount(i))
      return inherited
    })
  }
}

class EntryStatistics implements FileStatistics {
  readonly #manifest: AvroManifest
  readonly #entry: number

  constructor(manifest: AvroManifest, entry: number) {
    this.#manifest = manifest
    this.#entry = entry
  }

  get recordCount(): number {
    return this.#manifest.recordCount(this.#entry)
  }

  get specId(): number {
    return this.#manifest.specId
  }

  partition(): readonly (Value | null)[] {
    return this.#manifest.partition(this.#entry)
  }

  valueCount(fieldId: number): number | undefined {
    return this.#manifest.count('valueCounts', this.#entry, fieldId)
  }

  nullCount(fieldId: number): number | undefined {
    return this.#manifest.count('nullValueCounts', this.#entry, fieldId)
  }

  nanCount(fieldId: number): number | undefined {
    return this.#manifest.count('nanValueCounts', this.#entry, fieldId)
  }

  lowerBound(fieldId: number): Uint8Array | undefined {
    return this.#manifest.bound('lowerBounds', this.#entry, fieldId)
  }

  upperBound(fieldId: number): Uint8Array | undefined {
    return this.#manifest.bound('upperBounds', this.#entry, fieldId)
  }
}

/** Small buffers are cut from larger ones, which they would keep in memory. */
function compact(data: Uint8Array): Uint8Array {
  return data.buffer.byteLength > 1.25 * data.byteLength ? new Uint8Array(data) : data
}

function findSchema({ metadata }: AvroContainer): Schema | undefined {
  try {
    return schemaFromJson(parseExactJson(metadata.get('schema') ?? ''))
  } catch {
    return undefined
  }
}

function readSpecFields({ metadata }: AvroContainer): PartitionSpec['fields'] {
  const key = 'partition-spec'
  let json: unknown
  try {
    json = parseExactJson(metadata.get(key) ?? '')
  } catch (error) {
    throw corrupt('manifest without a readable partition spec', error)
  }
  const node = new JsonNode(json, { path: key })
  return readPartitionFields(node.isObject() ? node.get('fields') : node)
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
