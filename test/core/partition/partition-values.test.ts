import fc from 'fast-check'
import type { FileStatistics } from '../../../src/core/file/file-statistics.ts'
import type { PartitionSpec } from '../../../src/core/partition/partition-spec.ts'
import { partitionFolder, partitionOf } from '../../../src/core/partition/partition-values.ts'
import { applyTransform, parseTransform } from '../../../src/core/partition/transform.ts'
import { encodeSingleValue, valueFromJson } from '../../../src/core/value/single-value.ts'
import type { PrimitiveType, Schema } from '../../../src/core/value/type.ts'
import type { Value } from '../../../src/core/value/value.ts'

const TYPES: Readonly<Record<string, PrimitiveType>> = {
  ts: { kind: 'timestamptz' },
  day: { kind: 'date' },
  id: { kind: 'long' },
  name: { kind: 'string' },
  score: { kind: 'double' },
  price: { kind: 'decimal', precision: 9, scale: 2 },
  hash: { kind: 'binary' },
}
const NAMES = Object.keys(TYPES)

function schemaOf(required: readonly string[] = []): Schema {
  return {
    schemaId: 0,
    identifierFieldIds: [],
    fields: [
      ...NAMES.map((name, i) => ({
        id: i + 1,
        name,
        required: required.includes(name),
        type: TYPES[name] as PrimitiveType,
      })),
      {
        id: 50,
        name: 'tags',
        required: false,
        type: { kind: 'list', elementId: 51, elementRequired: true, element: { kind: 'int' } },
      },
    ],
  }
}

/** `ts:day` partitions by the day of `ts`. */
function specOf(...fields: readonly string[]): PartitionSpec {
  return {
    specId: 0,
    fields: fields.map((text, i) => {
      const [column = '', transform = 'identity', name = column] = text.split(':')
      const sourceId = column === 'tags' ? 50 : NAMES.indexOf(column) + 1
      return { fieldId: 1000 + i, sourceId, name, transform: parseTransform(transform) }
    }),
  }
}

interface Metrics {
  readonly nulls?: number
  readonly nans?: number
  readonly lower?: unknown
  readonly upper?: unknown
  readonly bytes?: readonly [Uint8Array, Uint8Array]
}

function statisticsOf(columns: Readonly<Record<string, Metrics>>, recordCount = 5): FileStatistics {
  const of = (id: number) => columns[NAMES[id - 1] ?? '']
  const bound = (id: number, end: 'lower' | 'upper') => {
    const metrics = of(id)
    if (metrics?.bytes !== undefined) return metrics.bytes[end === 'lower' ? 0 : 1]
    const type = TYPES[NAMES[id - 1] ?? ''] as PrimitiveType
    const json = metrics?.[end]
    return json === undefined ? undefined : encodeSingleValue(type, valueFromJson(type, json))
  }
  return {
    recordCount,
    specId: 0,
    partition: () => [],
    valueCount: () => undefined,
    nullCount: (id) => of(id)?.nulls,
    nanCount: (id) => of(id)?.nans,
    lowerBound: (id) => bound(id, 'lower'),
    upperBound: (id) => bound(id, 'upper'),
  }
}

function single(...values: readonly (Value | null)[]) {
  return { outcome: 'single', values }
}

function spans(name: string, reason: string) {
  return { outcome: 'spans', fields: [{ name, reason }] }
}

const MORNING = '2001-03-15T08:00:00+00:00'
const EVENING = '2001-03-15T23:59:59.999999+00:00'

test.each([
  ['ts:day', { ts: { nulls: 0, lower: MORNING, upper: EVENING } }, single(11396)],
  ['ts:month', { ts: { nulls: 0, lower: MORNING, upper: EVENING } }, single(374)],
  [
    'ts:hour',
    { ts: { nulls: 0, lower: MORNING, upper: EVENING } },
    spans('ts', 'more-than-one-value'),
  ],
  ['id', { id: { nulls: 0, lower: 7, upper: 7 } }, single(7n)],
  ['id', { id: { nulls: 0, lower: 7, upper: 8 } }, spans('id', 'more-than-one-value')],
  ['id', { id: { nulls: 1, lower: 7, upper: 7 } }, spans('id', 'nulls-and-values')],
  ['id', { id: { nulls: 4, lower: 7, upper: 7 } }, spans('id', 'nulls-and-values')],
  ['id', { id: { nulls: 5 } }, single(null)],
  ['id:truncate[10]', { id: { nulls: 0, lower: -9, upper: -1 } }, single(-10n)],
  [
    'id:truncate[10]',
    { id: { nulls: 0, lower: -1, upper: 0 } },
    spans('id', 'more-than-one-value'),
  ],
  ['id:bucket[16]', { id: { nulls: 0, lower: 34, upper: 34 } }, single(2017239379 % 16)],
  ['id:bucket[1]', { id: { nulls: 0, lower: 34, upper: 35 } }, spans('id', 'more-than-one-value')],
  [
    'name:bucket[16]',
    { name: { nulls: 0, lower: 'iceberg', upper: 'iceberg' } },
    single(1210000089 % 16),
  ],
  [
    'name:bucket[16]',
    { name: { nulls: 0, lower: 'x'.repeat(15), upper: 'x'.repeat(15) } },
    single(expect.any(Number) as never),
  ],
  [
    'name:bucket[16]',
    { name: { nulls: 0, lower: 'x'.repeat(36), upper: 'x'.repeat(36) } },
    single(expect.any(Number) as never),
  ],
  [
    'hash:bucket[16]',
    { hash: { nulls: 0, lower: 'ff'.repeat(36), upper: 'ff'.repeat(36) } },
    single(expect.any(Number) as never),
  ],
  [
    'name:truncate[20]',
    { name: { nulls: 0, lower: `${'x'.repeat(20)}a`, upper: `${'x'.repeat(20)}b` } },
    single('x'.repeat(20)),
  ],
  ['name:truncate[3]', { name: { nulls: 0, lower: 'abcdefgh', upper: 'abcz' } }, single('abc')],
  ['price', { price: { nulls: 0, lower: '1.50', upper: '1.50' } }, single(150n)],
  ['id', { id: { nulls: 5 } }, single(null)],
  ['id', { id: { nulls: 2, lower: 7, upper: 7 } }, spans('id', 'nulls-and-values')],
  ['id', { id: { lower: 7, upper: 7 } }, spans('id', 'statistics-missing')],
  ['id', { id: { nulls: 0, lower: 7 } }, spans('id', 'statistics-missing')],
  ['id', {}, spans('id', 'statistics-missing')],
  ['score', { score: { nulls: 0, nans: 0, lower: 1, upper: 1 } }, single(1)],
  ['score', { score: { nulls: 0, lower: 1, upper: 1 } }, spans('score', 'statistics-missing')],
  [
    'score',
    { score: { nulls: 0, nans: 1, lower: 1, upper: 1 } },
    spans('score', 'more-than-one-value'),
  ],
  [
    'score',
    { score: { nulls: 0, nans: 0, lower: -0, upper: 0 } },
    spans('score', 'more-than-one-value'),
  ],
  ['id:void', {}, single(null)],
  ['id:zorder', { id: { nulls: 0, lower: 7, upper: 7 } }, spans('id', 'transform-unknown')],
  ['tags', {}, spans('tags', 'transform-unknown')],
  ['missing', {}, spans('missing', 'transform-unknown')],
] as [string, Record<string, Metrics>, unknown][])(
  'by %s, metrics %j give %j',
  (field, columns, expected) => {
    const file = { spec: specOf(field), schema: schemaOf(), statistics: statisticsOf(columns) }
    expect(partitionOf(file)).toEqual(expected)
  },
)

test('a required column has no nulls, whether counted or not', () => {
  const statistics = statisticsOf({ id: { lower: 7, upper: 7 } })
  const file = { spec: specOf('id'), schema: schemaOf(['id']), statistics }
  expect(partitionOf(file)).toEqual(single(7n))
})

test('strings cut inside a character do not become equal by decoding', () => {
  const bytes = [Uint8Array.of(0x61, 0xc3), Uint8Array.of(0x61, 0xc5)] as const
  const statistics = statisticsOf({ name: { nulls: 0, bytes } })
  const file = { spec: specOf('name:truncate[2]'), schema: schemaOf(), statistics }
  expect(partitionOf(file)).toEqual(spans('name', 'statistics-missing'))
})

test('a file without rows is put in the partition of nulls', () => {
  const file = { spec: specOf('id', 'ts:day'), schema: schemaOf(), statistics: statisticsOf({}, 0) }
  expect(partitionOf(file)).toEqual(single(null, null))
})

test('every field that is spanned is named', () => {
  const statistics = statisticsOf({ id: { nulls: 0, lower: 1, upper: 2 } })
  const file = { spec: specOf('id', 'ts:day', 'name:void'), schema: schemaOf(), statistics }
  expect(partitionOf(file)).toMatchObject({ fields: [{ name: 'id' }, { name: 'ts' }] })
})

test('a partition that the metrics prove is that of every row', () => {
  const day = 86_400_000_000n
  const instants = fc.array(fc.bigInt({ min: -40n * day, max: 40n * day }), {
    minLength: 1,
    maxLength: 4,
  })
  const unit = fc.constantFrom('year', 'month', 'day', 'hour')
  const type = TYPES['ts'] as PrimitiveType
  fc.assert(
    fc.property(instants, unit, (micros, text) => {
      const sorted = micros.toSorted((a, b) => (a < b ? -1 : 1))
      const bytes = [sorted[0], sorted.at(-1)].map((v) => encodeSingleValue(type, v ?? 0n))
      const statistics = statisticsOf({
        ts: { nulls: 0, bytes: bytes as [Uint8Array, Uint8Array] },
      })
      const found = partitionOf({ spec: specOf(`ts:${text}`), schema: schemaOf(), statistics })
      const units = new Set(micros.map((v) => applyTransform(parseTransform(text), type, v)))
      expect(found.outcome).toBe(units.size === 1 ? 'single' : 'spans')
      if (found.outcome === 'single') expect(found.values).toEqual([...units])
    }),
  )
})

test.each([
  [['ts:day'], [19799], 'year=2024/month=03/day=17'],
  [['ts:month'], [374], 'year=2001/month=03'],
  [['ts:year'], [-1], 'year=1969'],
  [['ts:hour'], [-1], 'year=1969/month=12/day=31/hour=23'],
  [['ts:day', 'name'], [19799, 'north'], 'year=2024/month=03/day=17/name=north'],
  [
    ['ts:day'],
    [null],
    'year=__HIVE_DEFAULT_PARTITION__/month=__HIVE_DEFAULT_PARTITION__' +
      '/day=__HIVE_DEFAULT_PARTITION__',
  ],
  [['name'], [null], 'name=__HIVE_DEFAULT_PARTITION__'],
  [['ts:day:ts_day', 'day:month:day_month'], [19799, 374], 'ts_day=2024-03-17/day_month=2001-03'],
  [['ts:year:ts_year', 'name:identity:Year'], [54, 'x'], 'ts_year=2024/Year=x'],
  [
    ['ts:hour:ts_hour', 'day:day:d'],
    [475198, null],
    'ts_hour=2024-03-17-22/d=__HIVE_DEFAULT_PARTITION__',
  ],
  [['id:bucket[16]:id_bucket'], [3], 'id_bucket=3'],
  [['price'], [-150n], 'price=-1.50'],
  [['name'], ['../a b/ü😀='], 'name=.._a_b____'],
  [['name'], ['x'.repeat(500)], `name=${'x'.repeat(100)}`],
  [['name:void', 'id'], [null, 7n], 'id=7'],
  [['missing:identity:gone'], ['x'], 'gone=x'],
  [[], [], ''],
] as [string[], (Value | null)[], string][])(
  'partition fields %j with %p lie in %s',
  (fields, values, expected) => {
    expect(partitionFolder(specOf(...fields), schemaOf(), values)).toBe(expected)
  },
)
