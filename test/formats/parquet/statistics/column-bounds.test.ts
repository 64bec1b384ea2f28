import fc from 'fast-check'
import { runSteps } from '../../../../src/core/steps.ts'
import { decodeSingleValue } from '../../../../src/core/value/single-value.ts'
import type { PrimitiveType } from '../../../../src/core/value/type.ts'
import { compareBytes, compareValues, type Value } from '../../../../src/core/value/value.ts'
import { inferSchemaFields } from '../../../../src/formats/parquet/schema/parquet-schema.ts'
import { matchFileSchema } from '../../../../src/formats/parquet/schema/schema-match.ts'
import {
  fileMetricsSteps,
  valueRangesSteps,
} from '../../../../src/formats/parquet/statistics/file-metrics.ts'
import {
  bytesOf,
  LOGICAL,
  type SampleNode,
  type SampleStatistics,
  sampleFooter,
} from '../sample-file.ts'

type Column = Omit<SampleNode, 'name'>
interface Bounds {
  readonly lower: Value | undefined
  readonly upper: Value | undefined
}

/** Bounds of one column over row groups of ten rows with these statistics. */
async function bounds(
  node: Column,
  groups: readonly (SampleStatistics | undefined)[],
  tableType?: PrimitiveType,
): Promise<Bounds> {
  return (await metricsOf(node, groups, tableType)).bounds
}

/** The bounds, and the least and greatest value by which a partition is decided. */
async function metricsOf(
  node: Column,
  groups: readonly (SampleStatistics | undefined)[],
  tableType?: PrimitiveType,
): Promise<{ bounds: Bounds; range: Bounds }> {
  const footer = await sampleFooter({
    columns: [{ name: 'c', ...node }],
    rowGroups: groups.map((statistics) => ({
      rows: 10,
      chunks: [statistics === undefined ? {} : { statistics }],
    })),
  })
  const [inferred] = inferSchemaFields(footer)
  const type = tableType ?? (inferred?.type as PrimitiveType)
  const fields = [{ id: 1, name: 'c', required: false, type }]
  const schema = { schemaId: 0, fields, identifierFieldIds: [] }
  const match = matchFileSchema({ footer, schema })
  const metrics = runSteps(fileMetricsSteps(footer, match, schema))
  const ranges = runSteps(valueRangesSteps(footer, match, { schema, fieldIds: new Set([1]) }))
  const decode = (bytes: Uint8Array | undefined) =>
    bytes === undefined ? undefined : decodeSingleValue(type, bytes)
  const { lowerBounds, upperBounds } = metrics
  return {
    bounds: { lower: decode(lowerBounds.get(1)), upper: decode(upperBounds.get(1)) },
    range: { lower: decode(ranges.least.get(1)), upper: decode(ranges.greatest.get(1)) },
  }
}

function scalar(length: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length)
  write(new DataView(bytes.buffer))
  return bytes
}
const int32 = (value: number) => scalar(4, (view) => view.setInt32(0, value, true))
const int64 = (value: bigint) => scalar(8, (view) => view.setBigInt64(0, value, true))
const double = (value: number) => scalar(8, (view) => view.setFloat64(0, value, true))
const between = (minValue: Uint8Array, maxValue: Uint8Array) => ({ minValue, maxValue })
const NONE = { lower: undefined, upper: undefined }

const INT: Column = { physical: 'INT32' }
const LONG: Column = { physical: 'INT64' }
const DOUBLE: Column = { physical: 'DOUBLE' }
const TEXT: Column = { physical: 'BYTE_ARRAY', logical: LOGICAL.string }
const BINARY: Column = { physical: 'BYTE_ARRAY' }

test('bounds span all row groups', async () => {
  const groups = [between(int32(3), int32(5)), between(int32(-7), int32(4))]
  expect(await bounds(INT, groups)).toEqual({ lower: -7, upper: 5 })
})

test('a row group without statistics leaves no bounds, unless it is all null', async () => {
  const known = between(int32(3), int32(5))
  expect(await bounds(INT, [known, undefined])).toEqual(NONE)
  expect(await bounds(INT, [known, { nullCount: 9 }])).toEqual(NONE)
  expect(await bounds(INT, [known, { nullCount: 10 }])).toEqual({ lower: 3, upper: 5 })
  expect(await bounds(INT, [{ nullCount: 10 }])).toEqual(NONE)
  expect(await bounds(INT, [])).toEqual(NONE)
  expect(await bounds(INT, [known, { minValue: int32(1) }])).toEqual({ lower: 1, upper: undefined })
})

test('statistics of a wrong length give no bound', async () => {
  const odd = between(int32(3), int64(5n))
  expect(await bounds(INT, [odd])).toEqual({ lower: 3, upper: undefined })
  expect(await bounds(LONG, [odd])).toEqual({ lower: undefined, upper: 5n })
})

test('a minimum above the maximum says that both are wrong', async () => {
  expect(await bounds(INT, [between(int32(5), int32(3))])).toEqual(NONE)
})

test('bounds take the type of the table', async () => {
  const groups = [between(int32(-3), int32(5))]
  expect(await bounds(INT, groups, { kind: 'long' })).toEqual({ lower: -3n, upper: 5n })
  const float = (value: number) => scalar(4, (view) => view.setFloat32(0, value, true))
  const floats = [between(float(-1.5), float(2.25))]
  expect(await bounds({ physical: 'FLOAT' }, floats, { kind: 'double' })).toEqual({
    lower: -1.5,
    upper: 2.25,
  })
  const decimal = { physical: 'INT32', logical: LOGICAL.decimal(9, 2) } as const
  expect(await bounds(decimal, groups, { kind: 'decimal', precision: 12, scale: 2 })).toEqual({
    lower: -3n,
    upper: 5n,
  })
})

test('a NaN anywhere takes the bounds of the column', async () => {
  const sound = between(double(1), double(2))
  expect(await bounds(DOUBLE, [sound, between(double(NaN), double(3))])).toEqual(NONE)
  expect(await bounds(DOUBLE, [sound, between(double(0), double(NaN))])).toEqual(NONE)
  expect(await bounds(DOUBLE, [{ maxValue: double(3), minValue: double(NaN) }, sound])).toEqual(
    NONE,
  )
})

test('a zero bound holds both zeros', async () => {
  expect(await bounds(DOUBLE, [between(double(0), double(-0))])).toEqual({ lower: -0, upper: 0 })
})

test('deprecated statistics count where they were compared rightly, or are one value', async () => {
  const deprecated = (min: Uint8Array, max: Uint8Array) => [{ min, max }]
  expect(await bounds(INT, deprecated(int32(-1), int32(1)))).toEqual({ lower: -1, upper: 1 })
  expect(await bounds(TEXT, deprecated(bytesOf('a'), bytesOf('b')))).toEqual(NONE)
  expect(await bounds(BINARY, deprecated(bytesOf('a'), bytesOf('b')))).toEqual(NONE)
  const unsigned: Column = { physical: 'INT32', logical: LOGICAL.integer(32, false) }
  expect(await bounds(unsigned, deprecated(int32(1), int32(2)))).toEqual(NONE)
  expect(await bounds(unsigned, deprecated(int32(2), int32(2)))).toEqual({ lower: 2n, upper: 2n })
  expect(await bounds(TEXT, deprecated(bytesOf('é'), bytesOf('é')))).toEqual({
    lower: 'é',
    upper: 'é',
  })
})

test('unsigned integers are unsigned', async () => {
  const unsigned32: Column = { physical: 'INT32', logical: LOGICAL.integer(32, false) }
  expect(await bounds(unsigned32, [between(int32(1), int32(-1))])).toEqual({
    lower: 1n,
    upper: 2n ** 32n - 1n,
  })
  const unsigned64: Column = { physical: 'INT64', logical: LOGICAL.integer(64, false) }
  expect(await bounds(unsigned64, [between(int64(1n), int64(-1n))])).toEqual({
    lower: 1n,
    upper: 2n ** 64n - 1n,
  })
})

test('times come in microseconds, nanoseconds rounded outwards', async () => {
  const stamp = (unit: 'millis' | 'nanos'): Column => ({
    physical: 'INT64',
    logical: LOGICAL.timestamp(unit, true),
  })
  const groups = [between(int64(-1_500n), int64(1_500n))]
  expect(await bounds(stamp('millis'), groups)).toEqual({ lower: -1_500_000n, upper: 1_500_000n })
  expect(await bounds(stamp('nanos'), groups)).toEqual({ lower: -2n, upper: 2n })
  const huge = [between(int64(-(2n ** 62n)), int64(2n ** 62n))]
  expect(await bounds(stamp('millis'), huge)).toEqual(NONE)
  const time: Column = { physical: 'INT32', logical: LOGICAL.time('millis') }
  expect(await bounds(time, [between(int32(1), int32(2))])).toEqual({ lower: 1000n, upper: 2000n })
})

test('INT96 has no bounds', async () => {
  const bytes = new Uint8Array(12)
  expect(await bounds({ physical: 'INT96' }, [between(bytes, bytes)])).toEqual(NONE)
})

test('decimals in bytes are signed and of any length', async () => {
  const decimal: Column = { physical: 'BYTE_ARRAY', logical: LOGICAL.decimal(20, 2) }
  const groups = [between(Uint8Array.of(0xff, 0xff, 0x38), Uint8Array.of(0, 0, 0, 200))]
  expect(await bounds(decimal, groups)).toEqual({ lower: -200n, upper: 200n })
  expect(await bounds(decimal, [between(Uint8Array.of(), new Uint8Array(99))])).toEqual(NONE)
})

test('fixed values and UUIDs are whole, cut ones filled up', async () => {
  const fixed: Column = { physical: 'FIXED_LEN_BYTE_ARRAY', typeLength: 3 }
  const groups = [between(Uint8Array.of(1, 2), Uint8Array.of(9))]
  expect(await bounds(fixed, groups)).toEqual({
    lower: Uint8Array.of(1, 2, 0),
    upper: Uint8Array.of(9, 255, 255),
  })
  const long = { ...fixed, typeLength: 40 }
  const value = new Uint8Array(40).fill(7)
  expect(await bounds(long, [between(value, value)])).toEqual({ lower: value, upper: value })
  expect(await bounds(fixed, [between(value, value)])).toEqual(NONE)
})

test('strings are cut to 16 code points, the upper bound above all that start so', async () => {
  const long = `${'😀'.repeat(15)}éabc`
  expect(await bounds(TEXT, [between(bytesOf(long), bytesOf(long))])).toEqual({
    lower: `${'😀'.repeat(15)}é`,
    upper: `${'😀'.repeat(15)}ê`,
  })
  const max = (text: string) => bounds(TEXT, [between(bytesOf('a'), bytesOf(text))])
  expect(await max(`${'b'.repeat(15)}\u{10ffff}z`)).toMatchObject({ upper: `${'b'.repeat(14)}c` })
  expect(await max(`${'b'.repeat(15)}\ud7ffz`)).toMatchObject({ upper: `${'b'.repeat(15)}\ue000` })
  expect(await max('\u{10ffff}'.repeat(17))).toEqual({ lower: 'a', upper: undefined })
  expect(await max('\u{10ffff}'.repeat(16))).toMatchObject({ upper: '\u{10ffff}'.repeat(16) })
})

test('a string that was cut within a character loses what is left of it', async () => {
  const cut = bytesOf('aé').subarray(0, 2)
  expect(await bounds(TEXT, [between(cut, cut)])).toEqual({ lower: 'a', upper: 'b' })
  const invalid = Uint8Array.of(0xff)
  expect(await bounds(TEXT, [between(invalid, invalid)])).toEqual({ lower: '', upper: undefined })
})

test('binary is cut to sixteen bytes', async () => {
  const value = Uint8Array.of(...Array(15).fill(1), 255, 3)
  expect(await bounds(BINARY, [between(value, value)])).toEqual({
    lower: value.slice(0, 16),
    upper: Uint8Array.of(...Array(14).fill(1), 2),
  })
  const full = new Uint8Array(17).fill(255)
  expect(await bounds(BINARY, [between(full, full)])).toEqual({
    lower: full.slice(0, 16),
    upper: undefined,
  })
})

test('a partition is decided by whole values, of any length and type', async () => {
  const range = async (node: Column, statistics: SampleStatistics) =>
    (await metricsOf(node, [statistics])).range
  const text = bytesOf('0d9f5e7c-0b7a-4d2e-9a63-5be1c2a4d6f8 \u{1f600}')
  expect(await range(TEXT, between(text, text))).toEqual({
    lower: '0d9f5e7c-0b7a-4d2e-9a63-5be1c2a4d6f8 \u{1f600}',
    upper: '0d9f5e7c-0b7a-4d2e-9a63-5be1c2a4d6f8 \u{1f600}',
  })
  const blob = new Uint8Array(40).fill(255)
  expect(await range(BINARY, between(blob, blob))).toEqual({ lower: blob, upper: blob })
  const cutInside = text.subarray(0, text.length - 1)
  expect(await range(TEXT, between(cutInside, cutInside))).toEqual(NONE)
  const nanos: Column = { physical: 'INT64', logical: LOGICAL.timestamp('nanos', false) }
  const [midnight, lastOfDay] = [0n, 86_399_999_999_999n]
  expect(await range(nanos, between(int64(midnight), int64(lastOfDay)))).toEqual({
    lower: 0n,
    upper: 86_399_999_999n,
  })
  expect(await range(nanos, between(int64(-1n), int64(-1n)))).toEqual({ lower: -1n, upper: -1n })
})

test('what a writer cut is still a bound, and never taken for a value', async () => {
  const cut = { ...between(bytesOf('x'.repeat(30)), bytesOf('x'.repeat(30))) }
  const { range } = await metricsOf(TEXT, [{ ...cut, isMinExact: false, isMaxExact: false }])
  expect(range).toEqual({ lower: 'x'.repeat(16), upper: `${'x'.repeat(15)}y` })
})

test('bounds of strings hold every value, whatever the characters', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 })
  const groups = fc.array(fc.array(text, { minLength: 1, maxLength: 5 }), {
    minLength: 1,
    maxLength: 4,
  })
  await fc.assert(
    fc.asyncProperty(groups, async (values) => {
      const statistics = values.map((group) => {
        const sorted = group.map(bytesOf).sort(compareBytes)
        return between(sorted[0] as Uint8Array, sorted.at(-1) as Uint8Array)
      })
      const { lower, upper } = await bounds(TEXT, statistics)
      for (const value of values.flat()) {
        expect(compareValues({ kind: 'string' }, lower as string, value)).toBeLessThanOrEqual(0)
        if (upper === undefined) continue
        expect(compareValues({ kind: 'string' }, upper, value)).toBeGreaterThanOrEqual(0)
        expect([...(upper as string)].length).toBeLessThanOrEqual(16)
      }
    }),
    { numRuns: 300 },
  )
})

test('bounds of binary hold every value', async () => {
  const value = fc.uint8Array({ maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1 }), async (values) => {
      const sorted = [...values].sort(compareBytes)
      const span = between(sorted[0] as Uint8Array, sorted.at(-1) as Uint8Array)
      const { lower, upper } = await bounds(BINARY, [span])
      for (const each of values) {
        expect(compareBytes(lower as Uint8Array, each)).toBeLessThanOrEqual(0)
        if (upper !== undefined) {
          expect(compareBytes(upper as Uint8Array, each)).toBeGreaterThanOrEqual(0)
        }
      }
    }),
    { numRuns: 200 },
  )
})
