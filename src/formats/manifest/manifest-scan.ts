import type { Numbers } from '../../core/value/row-numbers.ts'
import { AvroCursor } from '../avro/avro-cursor.ts'
import { isNull, SkipCompiler, unexpected } from '../avro/avro-reader.ts'
import {
  type AvroField,
  type AvroRecord,
  type AvroType,
  unwrapOptional,
} from '../avro/avro-schema.ts'
import { corrupt } from '../corrupt.ts'
import { bytesOfNumbers, NumberRowsBuilder } from './column-builders.ts'
import { bytesOfLongs, type LongColumn, LongColumnBuilder } from './long-column.ts'
import { isMetric, type MetricColumns, MetricColumnsBuilder } from './metric-columns.ts'
import type { PartitionColumns, PartitionColumnsBuilder } from './partition-columns.ts'
import {
  BytesColumnBuilder,
  type BytesParts,
  PathColumnBuilder,
  type PathParts,
} from './text-columns.ts'

const STATUS = 0
const SNAPSHOT_ID = 1
const DATA_FILE = 2
const SEQUENCE_NUMBER = 3
const FILE_SEQUENCE_NUMBER = 4
const PATH = 100
const PARTITION = 102
const RECORD_COUNT = 103
const FILE_SIZE = 104
const CONTENT = 134
/** Number of entries between two chances for others to work. */
const ENTRIES_PER_STEP = 64
/** Size of the objects of one manifest besides its columns. */
const OVERHEAD_BYTES = 4_000

/** The entries of a manifest by column. Plain data, so that it can be sent between threads. */
export interface ManifestColumns {
  readonly entryCount: number
  /** Size of the arrays, plus an estimate for the rest. */
  readonly byteLength: number
  /** False for manifests of format version 1. */
  readonly hasSequenceNumbers: boolean
  readonly status: Numbers
  readonly content: Numbers
  readonly recordCounts: Numbers
  readonly fileSizesBytes: Numbers
  readonly snapshotIds: LongColumn
  readonly sequenceNumbers: LongColumn
  readonly fileSequenceNumbers: LongColumn
  readonly paths: PathParts
  readonly partitions: PartitionColumns['columns']
  /** The metrics maps of an entry: the sum of their `MetricColumns.bits`. */
  readonly metricMaps: Numbers
  readonly metrics: MetricColumns
  /** The other requested fields as Avro, in the order of `restType`. */
  readonly rest: BytesParts
  readonly restType: AvroRecord
}

export interface ScanRequest {
  /** The writer's schema of an entry. */
  readonly schema: AvroType
  readonly partitionsOf: (type: AvroRecord) => PartitionColumnsBuilder
  /** Fields of a data file without a column of their own. */
  readonly restIds: ReadonlySet<number>
}

type Scan = (cursor: AvroCursor, row: number) => void

/** Fills the columns in one pass over the entries of a manifest, checking each length and value. */
export class ManifestScan {
  readonly #skips = new SkipCompiler()
  readonly #entryBytesMin: number
  readonly #hasSequenceNumbers: boolean
  readonly #status = new NumberRowsBuilder()
  readonly #content = new NumberRowsBuilder()
  readonly #recordCounts = new NumberRowsBuilder()
  readonly #fileSizesBytes = new NumberRowsBuilder()
  readonly #snapshotIds = new LongColumnBuilder()
  readonly #sequenceNumbers = new LongColumnBuilder()
  readonly #fileSequenceNumbers = new LongColumnBuilder()
  readonly #paths = new PathColumnBuilder()
  readonly #partitions: PartitionColumnsBuilder
  readonly #metricMaps = new NumberRowsBuilder()
  readonly #metrics = new MetricColumnsBuilder()
  readonly #rest = new BytesColumnBuilder()
  readonly #restFields: AvroField[] = []
  readonly #restIds: ReadonlySet<number>
  readonly #scanEntry: Scan
  /** Metrics maps of the current entry. */
  #maps = 0
  #row = 0

  /** Throws `metadata-corrupt` if this is not the schema of a manifest. */
  constructor({ schema, partitionsOf, restIds }: ScanRequest) {
    const entryType = recordType(schema)
    const dataFileType = recordType(getField(entryType, DATA_FILE))
    this.#restIds = restIds
    this.#partitions = partitionsOf(recordType(getField(dataFileType, PARTITION)))
    this.#entryBytesMin = Math.max(1, this.#skips.minimumBytes(schema))
    this.#hasSequenceNumbers = entryType.fields.some(({ id }) => id === SEQUENCE_NUMBER)
    this.#scanEntry = this.#compileEntry(entryType, this.#compileDataFile(dataFileType))
  }

  /** Scans the next inflated block in steps of some entries each. Its bytes must not change. */
  *scanBlock(data: Uint8Array, count: number): Generator<void> {
    if (count * this.#entryBytesMin > data.length) throw corrupt(`Avro block of ${count} records`)
    const cursor = new AvroCursor(data)
    for (let i = 0; i < count; i++) {
      this.#maps = 0
      this.#scanEntry(cursor, this.#row)
      this.#metricMaps.set(this.#row, this.#maps)
      this.#rest.endRow()
      this.#row++
      if (i % ENTRIES_PER_STEP === ENTRIES_PER_STEP - 1) yield
    }
  }

  finish(): ManifestColumns {
    const entryCount = this.#row
    const partitions = this.#partitions.finish(entryCount)
    const numbers = {
      status: this.#status.finish(entryCount),
      content: this.#content.finish(entryCount),
      recordCounts: this.#recordCounts.finish(entryCount),
      fileSizesBytes: this.#fileSizesBytes.finish(entryCount),
      metricMaps: this.#metricMaps.finish(entryCount),
    }
    const longs = {
      snapshotIds: this.#snapshotIds.finish(entryCount),
      sequenceNumbers: this.#sequenceNumbers.finish(entryCount),
      fileSequenceNumbers: this.#fileSequenceNumbers.finish(entryCount),
    }
    const paths = this.#paths.finish(entryCount)
    const rest = this.#rest.finish(entryCount)
    const metrics = this.#metrics.finish(entryCount)
    let byteLength = OVERHEAD_BYTES + partitions.byteLength + metrics.byteLength
    byteLength += paths.bytes.length + rest.bytes.length
    const others = [paths.ends, paths.shared, rest.ends, rest.codes, ...Object.values(numbers)]
    for (const column of others) byteLength += bytesOfNumbers(column)
    for (const column of Object.values(longs)) byteLength += bytesOfLongs(column)
    return {
      ...numbers,
      ...longs,
      paths,
      rest,
      metrics,
      entryCount,
      byteLength,
      hasSequenceNumbers: this.#hasSequenceNumbers,
      partitions: partitions.columns,
      restType: { kind: 'record', fields: this.#restFields },
    }
  }

  #compileEntry(entryType: AvroRecord, scanDataFile: Scan): Scan {
    getField(entryType, STATUS)
    return this.#compileRecord(entryType, ({ id, type }) => {
      switch (id) {
        case STATUS:
          return code(type, this.#status, 'status')
        case SNAPSHOT_ID:
          return longInto(type, this.#snapshotIds)
        case SEQUENCE_NUMBER:
          return longInto(type, this.#sequenceNumbers)
        case FILE_SEQUENCE_NUMBER:
          return longInto(type, this.#fileSequenceNumbers)
        case DATA_FILE:
          return scanDataFile
        default:
          return this.#skips.skipOf(type)
      }
    })
  }

  #compileDataFile(dataFileType: AvroRecord): Scan {
    for (const id of [PATH, PARTITION, RECORD_COUNT, FILE_SIZE]) getField(dataFileType, id)
    return this.#compileRecord(dataFileType, (field) => {
      const { id, type } = field
      switch (id) {
        case CONTENT:
          return code(type, this.#content, 'content')
        case PATH:
          if (type.kind !== 'string') throw unexpected(type)
          return (cursor, row) => {
            const length = cursor.readLength()
            const start = cursor.position
            cursor.position = start + length
            this.#paths.set(row, cursor.bytes, start, cursor.position)
          }
        case PARTITION:
          return (cursor, row) => this.#partitions.read(cursor, row)
        case RECORD_COUNT:
          return count(type, this.#recordCounts)
        case FILE_SIZE:
          return count(type, this.#fileSizesBytes)
        default:
          return this.#compileMetric(field) ?? this.#compileRest(field)
      }
    })
  }

  #compileMetric({ id, type: declared }: AvroField): Scan | undefined {
    if (id === undefined || !isMetric(id)) return undefined
    const { type, nullIndex } = unwrapOptional(declared)
    const { bit, scan } = this.#metrics.compile(id, type)
    return unlessNull(declared, nullIndex, (cursor, row) => {
      this.#maps |= bit
      scan(cursor, row)
    })
  }

  #compileRest(field: AvroField): Scan {
    const skip = this.#skips.skipOf(field.type)
    if (field.id === undefined || !this.#restIds.has(field.id)) return skip
    this.#restFields.push(field)
    return (cursor) => {
      const start = cursor.position
      skip(cursor)
      this.#rest.add(cursor.bytes, start, cursor.position)
    }
  }

  /** Compiles a record; the first of two fields with one id counts. */
  #compileRecord({ fields }: AvroRecord, compileField: (field: AvroField) => Scan): Scan {
    const known = new Set<number>()
    const scans = fields.map((field): Scan => {
      const { id, type } = field
      if (id === undefined || known.has(id)) return this.#skips.skipOf(type)
      known.add(id)
      return compileField(field)
    })
    return (cursor, row) => {
      for (const scan of scans) scan(cursor, row)
    }
  }
}

/** Scans a status or content: 0, 1 or 2. */
function code(declared: AvroType, column: NumberRowsBuilder, name: string): Scan {
  const { type, nullIndex } = unwrapOptional(declared)
  if (type.kind !== 'int') throw unexpected(type)
  return unlessNull(declared, nullIndex, (cursor, row) => {
    const value = cursor.readInteger()
    if (value < 0 || value > 2) throw corrupt(`manifest entry with ${name} ${value}`)
    column.set(row, value)
  })
}

function count(declared: AvroType, column: NumberRowsBuilder): Scan {
  const { type, nullIndex } = unwrapOptional(declared)
  if (type.kind !== 'long' && type.kind !== 'int') throw unexpected(type)
  return unlessNull(declared, nullIndex, (cursor, row) => {
    const value = cursor.readInteger()
    if (value < 0) throw corrupt(`manifest entry with a count of ${value}`)
    column.set(row, value)
  })
}

function longInto(declared: AvroType, column: LongColumnBuilder): Scan {
  const { type, nullIndex } = unwrapOptional(declared)
  if (type.kind !== 'long' && type.kind !== 'int') throw unexpected(type)
  return unlessNull(declared, nullIndex, (cursor, row) => column.set(row, cursor.readLong()))
}

function unlessNull(declared: AvroType, nullIndex: number, scan: Scan): Scan {
  if (declared.kind !== 'union') return scan
  if (nullIndex < 0) throw unexpected(declared)
  return (cursor, row) => {
    if (!isNull(cursor, nullIndex)) scan(cursor, row)
  }
}

function recordType(declared: AvroType): AvroRecord {
  if (declared.kind !== 'record') throw unexpected(declared)
  return declared
}

function getField(type: AvroRecord, id: number): AvroType {
  const field = type.fields.find((candidate) => candidate.id === id)
  if (field === undefined) throw corrupt(`manifest whose schema lacks field ${id}`)
  return field.type
}
