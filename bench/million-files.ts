import type { DataFile } from '../src/core/file/data-file.ts'
import { encodeSingleValue } from '../src/core/value/single-value.ts'
import type { PrimitiveType } from '../src/core/value/type.ts'
import type { Value } from '../src/core/value/value.ts'

/** Files in each day; a manifest holds 10,000 files. */
export const FILES_PER_DAY = 1_000
const ROWS = 1_000

interface Column {
  readonly name: string
  readonly type: 'long' | 'date' | 'int' | 'double' | 'string' | 'timestamp'
  /** The least and the greatest value of file number `i`. */
  readonly bounds: (i: number) => readonly [Value, Value]
}

/** A number from 0 to 999,999 that says nothing about its neighbours. */
function scattered(i: number): number {
  return (i * 739_391 + 12_345) % 1_000_003
}

/** Eight columns with bounds: two that follow the order of the files, six that do not. */
export const COLUMNS: readonly Column[] = [
  { name: 'id', type: 'long', bounds: (i) => [BigInt(i * ROWS), BigInt(i * ROWS + ROWS - 1)] },
  { name: 'day', type: 'date', bounds: (i) => [dayOf(i), dayOf(i)] },
  { name: 'user', type: 'long', bounds: (i) => [BigInt(scattered(i)), BigInt(scattered(i) + 2)] },
  {
    name: 'at',
    type: 'timestamp',
    bounds: (i) => [BigInt(scattered(i)) * 1_000_000n, BigInt(scattered(i) + 5) * 1_000_000n],
  },
  { name: 'price', type: 'double', bounds: (i) => [scattered(i) / 7, scattered(i) / 7 + 0.5] },
  { name: 'amount', type: 'int', bounds: (i) => [scattered(i), scattered(i) + 3] },
  { name: 'name', type: 'string', bounds: (i) => [nameOf(i), `${nameOf(i)}~`] },
  {
    name: 'ratio',
    type: 'double',
    bounds: (i) => [scattered(i + 7) / 1e6, scattered(i + 7) / 1e6 + 1],
  },
]

export function dayOf(i: number): number {
  return Math.floor(i / FILES_PER_DAY)
}

export function nameOf(i: number): string {
  return `n${String(scattered(i)).padStart(7, '0')}`
}

export function scatteredUser(i: number): number {
  return scattered(i)
}

export function millionthFile(i: number, folder: string): DataFile {
  const bounds = (side: 0 | 1) =>
    new Map(COLUMNS.map(({ type, bounds: of }, c) => [c + 1, encode({ kind: type }, of(i)[side])]))
  const counts = (count: (column: number) => number) =>
    new Map(COLUMNS.map((_, c) => [c + 1, count(c)]))
  const day = new Date(dayOf(i) * 86_400_000).toISOString().slice(0, 10)
  return {
    content: 'data',
    path: `${folder}/day=${day}/${String(i).padStart(8, '0')}-${scattered(i).toString(16)}.parquet`,
    format: 'parquet',
    specId: 0,
    partition: [dayOf(i)],
    recordCount: ROWS,
    fileSizeBytes: 65_536 + (scattered(i) % 9_000),
    columnSizes: counts((c) => 4_000 + ((scattered(i) + 31 * c) % 900)),
    valueCounts: counts(() => ROWS),
    nullValueCounts: counts(() => 0),
    lowerBounds: bounds(0),
    upperBounds: bounds(1),
    splitOffsets: [4],
  }
}

function encode(type: PrimitiveType, value: Value): Uint8Array {
  return encodeSingleValue(type, value)
}
