import { ColumnMetricsSum } from '../../../src/core/file/column-metrics-sum.ts'
import type { FileColumns } from '../../../src/core/file/file-columns.ts'
import { BoundValues } from '../../../src/core/value/bound-values.ts'
import { encodeSingleValue } from '../../../src/core/value/single-value.ts'
import type { PrimitiveType } from '../../../src/core/value/type.ts'
import type { Value } from '../../../src/core/value/value.ts'

const ID = 3

interface FileMetrics {
  readonly records: number
  readonly values?: number
  readonly nulls?: number
  readonly least?: Uint8Array | Value
  readonly greatest?: Uint8Array | Value
}

function bytesOf(type: PrimitiveType, bound: Uint8Array | Value): Uint8Array {
  return bound instanceof Uint8Array ? bound : encodeSingleValue(type, bound)
}

/** One file as a manifest has it. */
function filesOf(type: PrimitiveType, file: FileMetrics): FileColumns {
  const { records, values = records, nulls, least, greatest } = file
  const count = (number: number | undefined) => (id: number) =>
    id === ID && number !== undefined ? { rows: undefined, values: number } : undefined
  const bound = (of: Uint8Array | Value | undefined) => (id: number) => {
    if (id !== ID || of === undefined) return undefined
    const bytes = bytesOf(type, of)
    const ends = Uint32Array.of(bytes.length)
    return new BoundValues({ rows: undefined, width: 0, bytes, ends, count: 1 })
  }
  return {
    ...{ rowCount: 1, specId: 0, recordCounts: records, partitions: [] },
    ...{ valueCounts: count(values), nullCounts: count(nulls), nanCounts: () => undefined },
    ...{ lowerBounds: bound(least), upperBounds: bound(greatest) },
  }
}

function factsOf(type: PrimitiveType, ...files: FileMetrics[]) {
  const sum = new ColumnMetricsSum({ fieldId: ID, type })
  for (const file of files) sum.add(filesOf(type, file), 0)
  return sum.facts
}

const INT = { kind: 'int' } as const
const LONG = { kind: 'long' } as const
const UNKNOWN = { nulls: undefined, ends: undefined }

test('nulls are summed, and the ends are those of all files', () => {
  const files = [
    { records: 4, nulls: 1, least: 3, greatest: 9 },
    { records: 0 },
    { records: 2, nulls: 2 },
    { records: 5, nulls: 0, least: -7, greatest: 4 },
  ]
  expect(factsOf(INT, ...files)).toEqual({ nulls: 3, ends: { least: -7, greatest: 9 } })
  expect(factsOf(INT)).toEqual({ nulls: 0, ends: 'none' })
  expect(factsOf(INT, { records: 2, nulls: 2 })).toEqual({ nulls: 2, ends: 'none' })
})

test('a file that does not count each of its rows once tells nothing', () => {
  const whole = { records: 4, nulls: 1, least: 3, greatest: 9 }
  for (const odd of [
    { records: 4, least: 3, greatest: 9 },
    { ...whole, values: 3 },
    { ...whole, values: 5 },
    { ...whole, nulls: 5 },
    { ...whole, nulls: -1 },
  ]) {
    expect([odd, factsOf(INT, whole, odd)]).toEqual([odd, UNKNOWN])
    expect([odd, factsOf(INT, odd, whole)]).toEqual([odd, UNKNOWN])
  }
})

test('without both ends of a file, or with crossed ones, only nulls are known', () => {
  const whole = { records: 4, nulls: 1, least: 3, greatest: 9 }
  const { least: _, ...noLeast } = whole
  const { greatest: __, ...noGreatest } = whole
  for (const odd of [noLeast, noGreatest, { ...whole, least: 10 }]) {
    expect([odd, factsOf(INT, whole, odd, whole)]).toEqual([odd, { nulls: 3, ends: undefined }])
  }
})

test.each([
  ['string', 'ab', 'cd'],
  ['double', 1, 2],
  ['float', 1, 2],
  ['timestamp', 1n, 2n],
  ['time', 1n, 2n],
  ['timestamptz_ns', 1n, 2n],
  ['binary', Uint8Array.of(1), Uint8Array.of(2)],
] as const)('bounds of a %s need not be values', (kind, least, greatest) => {
  const file = { records: 4, nulls: 0, least, greatest }
  expect(factsOf({ kind } as PrimitiveType, file)).toEqual({ nulls: 0, ends: undefined })
})

test.each<[PrimitiveType, Value, Value]>([
  [{ kind: 'boolean' }, false, true],
  [LONG, -9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n],
  [{ kind: 'date' }, -1, 20_000],
  [{ kind: 'decimal', precision: 38, scale: 2 }, -(10n ** 38n) + 1n, 10n ** 38n - 1n],
])('those of others are: %j', (type, least, greatest) => {
  const file = { records: 4, nulls: 0, least, greatest }
  expect(factsOf(type, file)).toEqual({ nulls: 0, ends: { least, greatest } })
  const long = { ...file, greatest: new Uint8Array(17) }
  expect(factsOf(type, long).ends).toBeUndefined()
})

test('an int of before it was widened counts among longs', () => {
  const int = (value: number) => encodeSingleValue(INT, value)
  const before = { records: 1, nulls: 0, least: int(-5), greatest: int(5) }
  const after = { records: 1, nulls: 0, least: 1n, greatest: 2n ** 40n }
  expect(factsOf(LONG, before, after).ends).toEqual({ least: -5n, greatest: 2n ** 40n })
})
