import type { BoundParts } from '../../core/value/bound-values.ts'
import type { SparseNumbers } from '../../core/value/row-numbers.ts'
import type { AvroCursor } from '../avro/avro-cursor.ts'
import { AvroIntMap } from '../avro/avro-int-map.ts'
import type { AvroType } from '../avro/avro-schema.ts'
import { corrupt } from '../corrupt.ts'
import { BoundsBuilder, bytesOfNumbers, NumbersBuilder } from './column-builders.ts'

const COUNT_KINDS: readonly AvroType['kind'][] = ['int', 'long']
const BOUND_KINDS: readonly AvroType['kind'][] = ['bytes']
/**
 * Largest number of columns with metrics in a manifest: each takes some hundred bytes, however few
 * files have it.
 */
const FIELDS_MAX = 50_000
/** Size of the objects of one column besides its arrays. */
const COLUMN_OVERHEAD_BYTES = 400

/** The metrics of a data file: field id, ids of the map's key and value, and a bit for the map. */
const COUNTS = {
  columnSizes: { id: 108, keyId: 117, valueId: 118, bit: 1 },
  valueCounts: { id: 109, keyId: 119, valueId: 120, bit: 2 },
  nullValueCounts: { id: 110, keyId: 121, valueId: 122, bit: 4 },
  nanValueCounts: { id: 137, keyId: 138, valueId: 139, bit: 8 },
} as const
const BOUNDS = {
  lowerBounds: { id: 125, keyId: 126, valueId: 127, bit: 16 },
  upperBounds: { id: 128, keyId: 129, valueId: 130, bit: 32 },
} as const

export type CountName = keyof typeof COUNTS
export type BoundName = keyof typeof BOUNDS

const COUNT_NAMES = Object.keys(COUNTS) as readonly CountName[]
const BOUND_NAMES = Object.keys(BOUNDS) as readonly BoundName[]

const METRICS = { ...COUNTS, ...BOUNDS }

export function bitOf(name: CountName | BoundName): number {
  return METRICS[name].bit
}

export function isMetric(id: number): boolean {
  return [...Object.values(COUNTS), ...Object.values(BOUNDS)].some((metric) => metric.id === id)
}

/** The metrics of all entries of a manifest, by column. */
export interface MetricColumns {
  readonly counts: Readonly<Record<CountName, ReadonlyMap<number, SparseNumbers>>>
  readonly bounds: Readonly<Record<BoundName, ReadonlyMap<number, BoundParts>>>
  readonly byteLength: number
}

type Scan = (cursor: AvroCursor, row: number) => void

/** Fills the columns from the maps of each entry. */
export class MetricColumnsBuilder {
  readonly #counts = new Map<CountName, BuilderSet<NumbersBuilder>>()
  readonly #bounds = new Map<BoundName, BuilderSet<BoundsBuilder>>()

  /** Compiles a scan for the map in a metric's field. */
  compile(id: number, type: AvroType): { readonly bit: number; readonly scan: Scan } {
    const countName = COUNT_NAMES.find((name) => COUNTS[name].id === id)
    if (countName !== undefined) {
      const builders = new BuilderSet((fieldId) => new NumbersBuilder(fieldId))
      this.#counts.set(countName, builders)
      const ids = COUNTS[countName]
      return { bit: ids.bit, scan: scanCounts(type, ids, builders) }
    }
    const boundName = BOUND_NAMES.find((name) => BOUNDS[name].id === id)
    if (boundName === undefined) throw new RangeError(`field ${id} is not a metric`)
    const builders = new BuilderSet((fieldId) => new BoundsBuilder(fieldId))
    this.#bounds.set(boundName, builders)
    const ids = BOUNDS[boundName]
    return { bit: ids.bit, scan: scanBounds(type, ids, builders) }
  }

  finish(rowCount: number): MetricColumns {
    let byteLength = 0
    const countsOf = (name: CountName) => {
      const columns = new Map<number, SparseNumbers>()
      for (const builder of this.#counts.get(name)?.builders() ?? []) {
        const column = builder.finish(rowCount)
        byteLength += COLUMN_OVERHEAD_BYTES + bytesOfNumbers(column.values)
        byteLength += column.rows?.byteLength ?? 0
        columns.set(builder.fieldId, column)
      }
      return columns
    }
    const boundsOf = (name: BoundName) => {
      const columns = new Map<number, BoundParts>()
      for (const builder of this.#bounds.get(name)?.builders() ?? []) {
        const column = builder.finish(rowCount)
        byteLength += COLUMN_OVERHEAD_BYTES + column.bytes.byteLength
        byteLength += column.ends.byteLength + (column.rows?.byteLength ?? 0)
        columns.set(builder.fieldId, column)
      }
      return columns
    }
    const counts = {
      columnSizes: countsOf('columnSizes'),
      valueCounts: countsOf('valueCounts'),
      nullValueCounts: countsOf('nullValueCounts'),
      nanValueCounts: countsOf('nanValueCounts'),
    }
    const bounds = { lowerBounds: boundsOf('lowerBounds'), upperBounds: boundsOf('upperBounds') }
    return { counts, bounds, byteLength }
  }
}

/**
 * Builders by field id. Most writers keep the columns in the same order, so the position in the map
 * finds them.
 */
class BuilderSet<B extends { readonly fieldId: number }> {
  readonly #create: (fieldId: number) => B
  readonly #byFieldId = new Map<number, B>()
  readonly #byPlace: B[] = []

  constructor(create: (fieldId: number) => B) {
    this.#create = create
  }

  get(fieldId: number, place: number): B {
    const likely = this.#byPlace[place]
    if (likely?.fieldId === fieldId) return likely
    let builder = this.#byFieldId.get(fieldId)
    if (builder === undefined) {
      if (this.#byFieldId.size === FIELDS_MAX) {
        throw corrupt(`manifest with metrics of more than ${FIELDS_MAX} columns`)
      }
      builder = this.#create(fieldId)
      this.#byFieldId.set(fieldId, builder)
    }
    if (place <= this.#byPlace.length) this.#byPlace[place] = builder
    return builder
  }

  builders(): Iterable<B> {
    return this.#byFieldId.values()
  }
}

interface MapIds {
  readonly keyId: number
  readonly valueId: number
}

function scanCounts(type: AvroType, ids: MapIds, builders: BuilderSet<NumbersBuilder>): Scan {
  const map = new AvroIntMap(type, ids, COUNT_KINDS)
  if (isPlainPairs(type, ids, 'long')) return scanPlainCounts(builders)
  return (cursor, row) => {
    let place = 0
    map.forEach(cursor, (key) => builders.get(key, place++).append(row, cursor.readInteger()))
  }
}

function scanPlainCounts(builders: BuilderSet<NumbersBuilder>): Scan {
  return (cursor, row) => {
    let place = 0
    for (let count = cursor.readItemCount(); count > 0; count = cursor.readItemCount()) {
      for (const end = place + count; place < end; place++) {
        const key = cursor.readInteger()
        builders.get(key, place).append(row, cursor.readInteger())
      }
    }
  }
}

function scanBounds(type: AvroType, ids: MapIds, builders: BuilderSet<BoundsBuilder>): Scan {
  const map = new AvroIntMap(type, ids, BOUND_KINDS)
  if (isPlainPairs(type, ids, 'bytes')) return scanPlainBounds(builders)
  return (cursor, row) => {
    let place = 0
    map.forEach(cursor, (key) => readBound(cursor, row, builders.get(key, place++)))
  }
}

function scanPlainBounds(builders: BuilderSet<BoundsBuilder>): Scan {
  return (cursor, row) => {
    let place = 0
    for (let count = cursor.readItemCount(); count > 0; count = cursor.readItemCount()) {
      for (const end = place + count; place < end; place++) {
        const key = cursor.readInteger()
        readBound(cursor, row, builders.get(key, place))
      }
    }
  }
}

function readBound(cursor: AvroCursor, row: number, builder: BoundsBuilder): void {
  const length = cursor.readLength()
  const start = cursor.position
  cursor.position = start + length
  builder.append(row, cursor.bytes, start, start + length)
}

/** Whether the map has the usual layout: most of the time for a manifest is spent on these. */
function isPlainPairs(type: AvroType, { keyId, valueId }: MapIds, kind: 'long' | 'bytes'): boolean {
  if (type.kind !== 'array' || type.items.kind !== 'record') return false
  const [key, value, more] = type.items.fields
  return (
    more === undefined &&
    key?.id === keyId &&
    key.type.kind === 'int' &&
    value?.id === valueId &&
    value.type.kind === kind
  )
}
