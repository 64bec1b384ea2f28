import type { AvroContainer } from './avro-container.ts'
import { AvroCursor } from './avro-cursor.ts'
import { AvroIntMap } from './avro-int-map.ts'
import { isNull, SkipCompiler, unexpected } from './avro-reader.ts'
import { type AvroRecord, type AvroType, unwrapOptional } from './avro-schema.ts'
import { corrupt } from './corrupt.ts'

/** Position of a value that the entry does not have. */
export const ABSENT = 0xffffffff

const COUNT_KINDS: readonly AvroType['kind'][] = ['int', 'long']
const BOUND_KINDS: readonly AvroType['kind'][] = ['bytes']

/** The metrics of a data file: field id, ids of the map's key and value, and the Avro types of its values. */
const METRICS = {
  columnSizes: { id: 108, keyId: 117, valueId: 118, kinds: COUNT_KINDS },
  valueCounts: { id: 109, keyId: 119, valueId: 120, kinds: COUNT_KINDS },
  nullValueCounts: { id: 110, keyId: 121, valueId: 122, kinds: COUNT_KINDS },
  nanValueCounts: { id: 137, keyId: 138, valueId: 139, kinds: COUNT_KINDS },
  lowerBounds: { id: 125, keyId: 126, valueId: 127, kinds: BOUND_KINDS },
  upperBounds: { id: 128, keyId: 129, valueId: 130, kinds: BOUND_KINDS },
} as const

export type MetricName = keyof typeof METRICS

export interface MetricColumn {
  readonly map: AvroIntMap
  /** Of the map in the data, or `ABSENT`. */
  readonly positions: Uint32Array
}

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

/** 64-bit integers by row, some of them null. */
export class LongColumn {
  readonly #values: BigInt64Array
  readonly #present: Uint8Array

  constructor(rows: number) {
    this.#values = new BigInt64Array(rows)
    this.#present = new Uint8Array(rows)
  }

  get(row: number): bigint | null {
    return this.#present[row] === 1 ? (this.#values[row] as bigint) : null
  }

  set(row: number, value: bigint): void {
    this.#values[row] = value
    this.#present[row] = 1
  }

  get byteLength(): number {
    return this.#values.byteLength + this.#present.byteLength
  }
}

/** What one checked walk over a manifest keeps of each entry: all else is found by its position. */
export class ManifestScan {
  readonly entryCount: number
  readonly entryType: AvroRecord
  readonly dataFileType: AvroRecord
  readonly status: Uint8Array
  readonly content: Uint8Array
  readonly recordCount: Float64Array
  readonly fileSizeBytes: Float64Array
  readonly snapshotId: LongColumn
  readonly sequenceNumber: LongColumn
  readonly fileSequenceNumber: LongColumn
  /** False for manifests of format version 1. */
  readonly hasSequenceNumbers: boolean
  readonly dataFileAt: Uint32Array
  readonly pathAt: Uint32Array
  readonly partitionAt: Uint32Array
  readonly #metrics = new Map<MetricName, MetricColumn>()
  readonly #skips = new SkipCompiler()

  /** Throws `metadata-corrupt` unless every entry is whole and within its block. */
  constructor({ schema, data, blocks }: AvroContainer) {
    this.entryType = recordType(schema)
    this.dataFileType = recordType(getField(this.entryType, DATA_FILE))
    this.hasSequenceNumbers = this.entryType.fields.some(({ id }) => id === SEQUENCE_NUMBER)
    const entryBytesMin = Math.max(1, this.#skips.minimumBytes(schema))
    let rows = 0
    for (const { count, start, end } of blocks) {
      if (count * entryBytesMin > end - start) throw corrupt(`Avro block of ${count} records`)
      rows += count
    }
    this.entryCount = rows
    this.status = new Uint8Array(rows)
    this.content = new Uint8Array(rows)
    this.recordCount = new Float64Array(rows)
    this.fileSizeBytes = new Float64Array(rows)
    this.snapshotId = new LongColumn(rows)
    this.sequenceNumber = new LongColumn(rows)
    this.fileSequenceNumber = new LongColumn(rows)
    this.dataFileAt = new Uint32Array(rows)
    this.pathAt = new Uint32Array(rows)
    this.partitionAt = new Uint32Array(rows)
    const scanEntry = this.#compileEntry()
    let row = 0
    for (const { count, start, end } of blocks) {
      const cursor = new AvroCursor(data, start, end)
      for (let i = 0; i < count; i++) scanEntry(cursor, row++)
    }
  }

  metric(name: MetricName): MetricColumn | undefined {
    return this.#metrics.get(name)
  }

  /** Memory of the columns. */
  get byteLength(): number {
    let sum = this.snapshotId.byteLength * 3
    for (const column of [this.status, this.content, this.recordCount, this.fileSizeBytes]) {
      sum += column.byteLength
    }
    return sum + (3 + this.#metrics.size) * this.pathAt.byteLength
  }

  #compileEntry(): Scan {
    const { entryType } = this
    getField(entryType, STATUS)
    return this.#compileRecord(entryType, (id, type) => {
      switch (id) {
        case STATUS:
          return code(type, this.status, 'status')
        case SNAPSHOT_ID:
          return longInto(type, this.snapshotId)
        case SEQUENCE_NUMBER:
          return longInto(type, this.sequenceNumber)
        case FILE_SEQUENCE_NUMBER:
          return longInto(type, this.fileSequenceNumber)
        case DATA_FILE:
          return at(this.dataFileAt, this.#compileDataFile())
        default:
          return undefined
      }
    })
  }

  #compileDataFile(): Scan {
    const { dataFileType } = this
    for (const id of [PATH, PARTITION, RECORD_COUNT, FILE_SIZE]) getField(dataFileType, id)
    return this.#compileRecord(dataFileType, (id, type) => {
      switch (id) {
        case CONTENT:
          return code(type, this.content, 'content')
        case PATH:
          if (type.kind !== 'string') throw unexpected(type)
          return at(this.pathAt, (cursor) => cursor.skipBytes())
        case PARTITION:
          return at(this.partitionAt, this.#skips.skipOf(recordType(type)))
        case RECORD_COUNT:
          return count(type, this.recordCount)
        case FILE_SIZE:
          return count(type, this.fileSizeBytes)
        default:
          return this.#compileMetric(id, type)
      }
    })
  }

  #compileMetric(id: number, declared: AvroType): Scan | undefined {
    const name = (Object.keys(METRICS) as MetricName[]).find((key) => METRICS[key].id === id)
    if (name === undefined) return undefined
    const { type, nullIndex } = unwrapOptional(declared)
    const map = new AvroIntMap(type, METRICS[name], METRICS[name].kinds)
    const positions = new Uint32Array(this.entryCount).fill(ABSENT)
    this.#metrics.set(name, { map, positions })
    return unlessNull(declared, nullIndex, at(positions, this.#skips.skipOf(type)))
  }

  #compileRecord(
    { fields }: AvroRecord,
    compileField: (id: number, type: AvroType) => Scan | undefined,
  ): Scan {
    const known = new Set<number>()
    const scans = fields.map(({ id, type }): Scan => {
      if (id === undefined || known.has(id)) return this.#skips.skipOf(type)
      known.add(id)
      return compileField(id, type) ?? this.#skips.skipOf(type)
    })
    return (cursor, row) => {
      for (const scan of scans) scan(cursor, row)
    }
  }
}

type Scan = (cursor: AvroCursor, row: number) => void

function at(positions: Uint32Array, scan: Scan): Scan {
  return (cursor, row) => {
    positions[row] = cursor.position
    scan(cursor, row)
  }
}

/** A status or content: 0, 1 or 2. */
function code(declared: AvroType, column: Uint8Array, name: string): Scan {
  const { type, nullIndex } = unwrapOptional(declared)
  if (type.kind !== 'int') throw unexpected(type)
  return unlessNull(declared, nullIndex, (cursor, row) => {
    const value = cursor.readInteger()
    if (value < 0 || value > 2) throw corrupt(`manifest entry with ${name} ${value}`)
    column[row] = value
  })
}

function count(declared: AvroType, column: Float64Array): Scan {
  const { type, nullIndex } = unwrapOptional(declared)
  if (type.kind !== 'long' && type.kind !== 'int') throw unexpected(type)
  return unlessNull(declared, nullIndex, (cursor, row) => {
    const value = cursor.readInteger()
    if (value < 0) throw corrupt(`manifest entry with a count of ${value}`)
    column[row] = value
  })
}

function longInto(declared: AvroType, column: LongColumn): Scan {
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
