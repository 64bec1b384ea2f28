import type { FileStatistics } from '../../../../src/core/file/file-statistics.ts'
import { bindFilter } from '../../../../src/core/filter/bind/bind-filter.ts'
import { parseFilter } from '../../../../src/core/filter/parse/filter-parser.ts'
import { compilePruner, type Pruner } from '../../../../src/core/filter/prune/pruner.ts'
import type { PartitionSpec } from '../../../../src/core/partition/partition-spec.ts'
import { applyTransform, parseTransform } from '../../../../src/core/partition/transform.ts'
import { encodeSingleValue, valueFromJson } from '../../../../src/core/value/single-value.ts'
import type { Field, PrimitiveType, Schema } from '../../../../src/core/value/type.ts'
import type { Value } from '../../../../src/core/value/value.ts'

const TYPES: readonly [string, PrimitiveType][] = [
  ['id', { kind: 'long' }],
  ['name', { kind: 'string' }],
  ['score', { kind: 'double' }],
  ['ratio', { kind: 'float' }],
  ['day', { kind: 'date' }],
  ['moment', { kind: 'timestamptz' }],
  ['price', { kind: 'decimal', precision: 9, scale: 2 }],
  ['flag', { kind: 'boolean' }],
  ['key', { kind: 'uuid' }],
  ['hash', { kind: 'fixed', length: 2 }],
  ['clock', { kind: 'time' }],
  ['count', { kind: 'int' }],
  ['fine', { kind: 'timestamp_ns' }],
]
const TAGS: Field = {
  id: 90,
  name: 'tags',
  required: false,
  type: { kind: 'list', elementId: 91, elementRequired: true, element: { kind: 'string' } },
}
const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    ...TYPES.map(([name, type], i): Field => ({ id: i + 1, name, type, required: false })),
    TAGS,
  ],
}

interface FileFacts {
  readonly rows?: number
  readonly nulls?: number
  readonly nans?: number
  readonly lower?: unknown
  readonly upper?: unknown
  readonly partition?: readonly (Value | null)[]
}

/** Metrics of one column only; bounds are JSON single values. */
function file(column: string, facts: FileFacts): FileStatistics {
  const index = TYPES.findIndex(([name]) => name === column)
  const type = TYPES[index]?.[1] ?? { kind: 'binary' }
  const of = <T>(fieldId: number, fact: T): T | undefined =>
    fieldId === index + 1 ? fact : undefined
  const bound = (json: unknown) =>
    json === undefined ? undefined : encodeSingleValue(type, valueFromJson(type, json))
  return {
    recordCount: facts.rows ?? 10,
    specId: 0,
    partition: () => facts.partition ?? [],
    valueCount: (id) => of(id, facts.rows ?? 10),
    nullCount: (id) => of(id, facts.nulls),
    nanCount: (id) => of(id, facts.nans),
    lowerBound: (id) => of(id, bound(facts.lower)),
    upperBound: (id) => of(id, bound(facts.upper)),
  }
}

function pruner(text: string, specs: readonly PartitionSpec[] = []): Pruner {
  return compilePruner({ filter: bindFilter(parseFilter(text), SCHEMA), specs })
}

const BETWEEN_10_AND_20 = { nulls: 1, nans: 0, lower: 10, upper: 20 }
const WORDS = { nulls: 0, lower: 'bear', upper: 'dog' }

test('metrics of a column that the partition has itself say nothing', () => {
  const spec = {
    specId: 0,
    fields: [{ fieldId: 1000, sourceId: 1, name: 'id', transform: parseTransform('identity') }],
  }
  // As of a file without the column, counted by a writer as if it had nulls there.
  const lacking = file('id', { nulls: 10, partition: [7n] })
  expect(pruner('id = 7', [spec]).fileMayMatch(lacking)).toBe(true)
  expect(pruner('id is not null', [spec]).fileMayMatch(lacking)).toBe(true)
  expect(pruner('id = 8', [spec]).fileMayMatch(lacking)).toBe(false)
  expect(pruner('id is null', [spec]).fileMayMatch(lacking)).toBe(false)
})

describe('metrics drop a file, or keep it', () => {
  test.each([
    ['id = 9', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id = 10', 'id', BETWEEN_10_AND_20, 'keep'],
    ['id = 20', 'id', BETWEEN_10_AND_20, 'keep'],
    ['id = 21', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id = 10.5', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id < 10', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id < 10.5', 'id', BETWEEN_10_AND_20, 'keep'],
    ['id > 20', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id > 19.5', 'id', BETWEEN_10_AND_20, 'keep'],
    ['id >= 20', 'id', BETWEEN_10_AND_20, 'keep'],
    ['id in (1, 5, 9, 21, 30)', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id in (1, 5, 15, 30)', 'id', BETWEEN_10_AND_20, 'keep'],
    ['id in (1, 20, 30)', 'id', BETWEEN_10_AND_20, 'keep'],
    ['id in (1, 10, 30)', 'id', BETWEEN_10_AND_20, 'keep'],
    ['id between 21 and 30', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id not between 5 and 25', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id not between 11 and 25', 'id', BETWEEN_10_AND_20, 'keep'],
    ['not id >= 10', 'id', BETWEEN_10_AND_20, 'drop'],
    ['not (id < 5 or id > 3)', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id = 15 and id = 25', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id = 15, id = 25', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id = 15 or id = 25', 'id', BETWEEN_10_AND_20, 'keep'],
    ['id is null', 'id', BETWEEN_10_AND_20, 'keep'],
    ['id is null', 'id', { ...BETWEEN_10_AND_20, nulls: 0 }, 'drop'],
    ['id is null', 'id', {}, 'keep'],
    ['id is not null', 'id', { nulls: 10 }, 'drop'],
    ['id is not null', 'id', { nulls: 9 }, 'keep'],
    ['id = 15', 'id', { nulls: 10 }, 'drop'],
    ['id != 15', 'id', { nulls: 10 }, 'drop'],
    ['id not in (15)', 'id', { nulls: 10 }, 'drop'],
    ['id = null', 'id', BETWEEN_10_AND_20, 'drop'],
    ['not id = null', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id not in (1, null)', 'id', BETWEEN_10_AND_20, 'drop'],
    ['id != 15', 'id', { nulls: 3, lower: 15, upper: 15 }, 'drop'],
    ['id not in (14, 15)', 'id', { nulls: 3, lower: 15, upper: 15 }, 'drop'],
    ['id != 15', 'id', { nulls: 0, lower: 15, upper: 16 }, 'keep'],
    ['id = 15', 'id', { lower: 10 }, 'keep'],
    ['id = 9', 'id', { lower: 10 }, 'drop'],
    ['id = 11', 'id', { upper: 10 }, 'drop'],
    ['id = 15', 'id', { rows: 0, lower: 10, upper: 20 }, 'drop'],
    ['id is not null', 'id', { rows: 0 }, 'drop'],
    ['count < 3000000000', 'count', { nulls: 0, lower: 1, upper: 2 }, 'keep'],
    ['count < 3000000000', 'count', { nulls: 10 }, 'drop'],
    ['count >= 3000000000', 'count', {}, 'drop'],
    ['id > 9223372036854775807', 'id', {}, 'drop'],
    ["name = 'cat'", 'name', WORDS, 'keep'],
    ["name = 'ant'", 'name', WORDS, 'drop'],
    ["name < 'bear'", 'name', WORDS, 'drop'],
    ["name like 'c%'", 'name', WORDS, 'keep'],
    ["name like 'e%'", 'name', WORDS, 'drop'],
    ["name like 'a_c%'", 'name', WORDS, 'drop'],
    ["name like 'dog_house'", 'name', WORDS, 'keep'],
    ["name like '%x'", 'name', WORDS, 'keep'],
    ["name like '\\%%'", 'name', WORDS, 'drop'],
    ["name not like 'be%'", 'name', { nulls: 0, lower: 'bear', upper: 'beet' }, 'drop'],
    ["name not like 'be_%'", 'name', { nulls: 0, lower: 'bear', upper: 'beet' }, 'keep'],
    ["name not like '%'", 'name', WORDS, 'drop'],
    ["name != 'bear'", 'name', { nulls: 0, lower: 'bear', upper: 'bear' }, 'keep'],
    ['score > 20', 'score', { ...BETWEEN_10_AND_20, nulls: 0 }, 'drop'],
    ['score > 20', 'score', { ...BETWEEN_10_AND_20, nans: 1 }, 'keep'],
    ['score > 20', 'score', { nulls: 0, lower: 10, upper: 20 }, 'keep'],
    ['score < 10', 'score', { nulls: 0, lower: 10, upper: 20 }, 'drop'],
    ['score < 10', 'score', { nulls: 4, nans: 6 }, 'drop'],
    ['score > 10', 'score', { nulls: 4, nans: 6 }, 'keep'],
    ["score = 'NaN'", 'score', BETWEEN_10_AND_20, 'drop'],
    ["score >= 'nan'", 'score', { nans: 1 }, 'keep'],
    ["score > 'NaN'", 'score', { nans: 1 }, 'drop'],
    ["score < '-inf'", 'score', { nans: 0, lower: 1, upper: 2 }, 'drop'],
    ['score = 0', 'score', { nans: 0, lower: -0, upper: -0 }, 'keep'],
    ['ratio = 0.1', 'ratio', { nans: 0, lower: 0.1, upper: 0.1 }, 'keep'],
    ['ratio != 0.1', 'ratio', { nans: 0, lower: 0.1, upper: 0.1 }, 'keep'],
    ['ratio = 0.1', 'ratio', { nans: 0, lower: 0.11, upper: 0.2 }, 'drop'],
    ["day >= '2001-03-15T12:00:00'", 'day', { upper: '2001-03-15' }, 'drop'],
    ["day < '2001-03-15T12:00:00'", 'day', { lower: '2001-03-15' }, 'keep'],
    ["day < '2001-03-15'", 'day', { lower: '2001-03-15' }, 'drop'],
    ["moment < '2001-03-15'", 'moment', { lower: '2001-03-14T23:59:59+00:00' }, 'keep'],
    ["moment < '2001-03-15+01:00'", 'moment', { lower: '2001-03-14T23:30:00+00:00' }, 'refuse'],
    ["moment < '2001-03-15 00:00+01:00'", 'moment', { lower: '2001-03-14T23:30:00+00:00' }, 'drop'],
    [
      "fine > '2001-03-15T00:00:00.000000001'",
      'fine',
      { upper: '2001-03-15T00:00:00.000000001' },
      'drop',
    ],
    ["clock > '12:00'", 'clock', { upper: '11:59:59.999999' }, 'drop'],
    ['price = 1.005', 'price', { lower: '1.00', upper: '1.01' }, 'drop'],
    ['price > 1.005', 'price', { upper: '1.01' }, 'keep'],
    ['price > 1.010', 'price', { upper: '1.01' }, 'drop'],
    ['flag = true', 'flag', { lower: false, upper: false }, 'drop'],
    ['flag != true', 'flag', { lower: true, upper: true }, 'drop'],
    ['flag < false', 'flag', {}, 'drop'],
    ["hash = '0102'", 'hash', { lower: '0103', upper: 'ffff' }, 'drop'],
    ["hash = X'0104'", 'hash', { lower: '0103', upper: 'ffff' }, 'keep'],
    ['tags is null', 'tags', {}, 'keep'],
    ['tags is not null', 'tags', {}, 'keep'],
  ] as [string, string, FileFacts, string][])(
    '%s with %s %j: %s',
    (text, column, facts, verdict) => {
      const mayMatch = () => pruner(text).fileMayMatch(file(column, facts))
      if (verdict === 'refuse') expect(mayMatch).toThrow('is not a value of type timestamptz')
      else expect(mayMatch()).toBe(verdict === 'keep')
    },
  )

  test('a bound of an impossible length says nothing', () => {
    const odd = { ...file('id', {}), lowerBound: () => new Uint8Array(3) }
    expect(pruner('id = 1').fileMayMatch(odd)).toBe(true)
    const bounds = { ...odd, upperBound: () => new Uint8Array(0) }
    for (const text of ['id in (1, 2)', 'score = 1', 'price = 1', 'flag = true', 'count = 5']) {
      expect(pruner(text).fileMayMatch(bounds)).toBe(true)
    }
  })

  test('counts of zero for a column the writer did not know prove nothing', () => {
    const unknown = { ...file('id', { nulls: 0 }), valueCount: () => 0 }
    expect(pruner('id = 1').fileMayMatch(unknown)).toBe(true)
  })

  test('bounds of UUIDs count only where signed and unsigned order agree', () => {
    const uuid = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-000000000000`
    const bounds = { lower: uuid('1'), upper: uuid('2') }
    expect(pruner(`key = '${uuid('3')}'`).fileMayMatch(file('key', bounds))).toBe(false)
    expect(
      pruner(`key in ('${uuid('3')}', '${uuid('4')}')`).fileMayMatch(file('key', bounds)),
    ).toBe(false)
    const signed = { lower: uuid('f'), upper: uuid('2') }
    expect(pruner(`key = '${uuid('1')}'`).fileMayMatch(file('key', signed))).toBe(true)
    expect(
      pruner(`key in ('${uuid('1')}', '${uuid('3')}')`).fileMayMatch(file('key', signed)),
    ).toBe(true)
    // Of 1 and 8 the least as signed longs is 8, though 1 is below it as an unsigned number.
    const crossing = file('key', { lower: uuid('8'), upper: uuid('1') })
    for (const text of [`key < '${uuid('8')}'`, `key > '${uuid('1')}'`]) {
      expect(pruner(text).fileMayMatch(crossing)).toBe(true)
    }
  })
})

function spec(column: string, transform: string): PartitionSpec {
  const sourceId = TYPES.findIndex(([name]) => name === column) + 1
  const field = { fieldId: 1000, sourceId, name: 'p', transform: parseTransform(transform) }
  return { specId: 0, fields: [field] }
}

const NOON = '2001-03-15T12:00:00+00:00'

describe('partitions drop a file and its manifest, or keep them', () => {
  test.each([
    ['id = 5', 'id', 'identity', 5, 'keep'],
    ['id = 5', 'id', 'identity', 6, 'drop'],
    ['id != 5', 'id', 'identity', 5, 'drop'],
    ["name != 'x'", 'name', 'identity', 'x', 'drop'],
    ['id is null', 'id', 'identity', 5, 'drop'],
    ['id is null', 'id', 'identity', null, 'keep'],
    ['id is not null', 'id', 'identity', null, 'drop'],
    ['id = 5', 'id', 'identity', null, 'drop'],
    ['id = 34', 'id', 'bucket[1000]', 34, 'keep'],
    ['id = 34', 'id', 'bucket[1000]', 35, 'drop'],
    ['id in (34, 35)', 'id', 'bucket[1000]', 35, 'keep'],
    ['id in (34, 36)', 'id', 'bucket[1000]', 35, 'drop'],
    ['id > 34', 'id', 'bucket[1000]', 35, 'keep'],
    ['id != 34', 'id', 'bucket[1000]', 34, 'keep'],
    ['id >= 20', 'id', 'truncate[10]', 19, 'drop'],
    ['id >= 19', 'id', 'truncate[10]', 15, 'keep'],
    ['id < 20', 'id', 'truncate[10]', 25, 'drop'],
    ["name like 'abcd%'", 'name', 'truncate[2]', 'abxx', 'keep'],
    ["name like 'abcd%'", 'name', 'truncate[2]', 'acxx', 'drop'],
    ["name not like 'a%'", 'name', 'truncate[2]', 'abxx', 'drop'],
    ["name = 'abcd'", 'name', 'truncate[2]', 'acxx', 'drop'],
    ["moment >= '2001-03-16'", 'moment', 'day', NOON, 'drop'],
    ["moment >= '2001-03-15 13:00'", 'moment', 'day', NOON, 'keep'],
    ["moment >= '2001-03-15 13:00'", 'moment', 'hour', NOON, 'drop'],
    ["moment < '2001-03-15'", 'moment', 'day', NOON, 'drop'],
    ["moment = '2001-02-28T12:00:00Z'", 'moment', 'month', NOON, 'drop'],
    ["moment between '2000-01-01' and '2000-12-31'", 'moment', 'year', NOON, 'drop'],
    ["day = '2001-03-16'", 'day', 'day', '2001-03-15', 'drop'],
    ["day > '2001-03-31'", 'day', 'month', '2001-03-15', 'drop'],
    ['score > 1', 'score', 'identity', 'NaN', 'keep'],
    ['score < 1', 'score', 'identity', 'NaN', 'drop'],
    ["score = 'NaN'", 'score', 'identity', 'NaN', 'keep'],
    ["score = 'NaN'", 'score', 'identity', 1, 'drop'],
    ['id = 5', 'id', 'void', 6, 'keep'],
  ] as [string, string, string, unknown, string][])(
    '%s when %s, %s, has %j: %s',
    (...[text, column, transform, json, verdict]) => {
      const type = TYPES.find(([name]) => name === column)?.[1] as PrimitiveType
      const source = json === null ? null : valueFromJson(type, json)
      const partition = [applyTransform(parseTransform(transform), type, source)]
      const compiled = pruner(text, [spec(column, transform)])
      expect(compiled.fileMayMatch(file('none', { partition }))).toBe(verdict === 'keep')
    },
  )

  test('an unknown transform, spec or summary keeps', () => {
    const unknown = pruner('id = 5', [spec('id', 'zorder')])
    expect(unknown.fileMayMatch(file('none', { partition: [6] }))).toBe(true)
    const other = pruner('id = 5', [{ ...spec('id', 'identity'), specId: 4 }])
    expect(other.fileMayMatch(file('none', { partition: [6n] }))).toBe(true)
    expect(other.manifestMayMatch({ specId: 9, partitions: [] })).toBe(true)
    expect(other.manifestMayMatch({ specId: 4 })).toBe(true)
    expect(other.manifestMayMatch({ specId: 4, partitions: [] })).toBe(true)
  })

  test('a partition value from before the column was widened counts as it is', () => {
    const compiled = pruner('id in (5, 7)', [spec('id', 'identity')])
    const kept = [4, 5, 6, 7, 8].filter((id) =>
      compiled.fileMayMatch(file('none', { partition: [id] })),
    )
    expect(kept).toEqual([5, 7])
    const days = pruner("moment > '2001-03-15'", [spec('moment', 'identity')])
    expect(days.fileMayMatch(file('none', { partition: [3] }))).toBe(true)
  })

  test('a set of UUIDs is looked for among partition values', () => {
    const ids = ['1', '2', '3'].map((d) => `${d.repeat(8)}-0000-4000-8000-000000000000`)
    const compiled = pruner(`key in ('${ids[0]}', '${ids[2]}')`, [spec('key', 'identity')])
    const kept = ids.filter((id) =>
      compiled.fileMayMatch(file('none', { partition: [valueFromJson({ kind: 'uuid' }, id)] })),
    )
    expect(kept).toEqual([ids[0], ids[2]])
  })

  test('a transform that its column cannot have keeps', () => {
    const compiled = pruner("name = 'x'", [spec('name', 'hour')])
    expect(compiled.fileMayMatch(file('none', { partition: [5] }))).toBe(true)
  })

  test('a file of unknown size is not taken for empty', () => {
    const facts = { ...file('id', { rows: -1, nulls: 4 }), valueCount: () => undefined }
    expect(pruner('id = 1').fileMayMatch(facts)).toBe(true)
  })

  test('the rows that wrap around under truncate are found', () => {
    const compiled = pruner('count <= 5', [spec('count', 'truncate[10]')])
    const wrapped = applyTransform(parseTransform('truncate[10]'), { kind: 'int' }, -(2 ** 31))
    expect(compiled.fileMayMatch(file('none', { partition: [wrapped] }))).toBe(true)
    expect(compiled.fileMayMatch(file('none', { partition: [2_147_483_630] }))).toBe(false)
    const manifest = (from: number, to: number) => ({
      specId: 0,
      partitions: [
        {
          containsNull: false,
          lowerBound: encodeSingleValue({ kind: 'int' }, from),
          upperBound: encodeSingleValue({ kind: 'int' }, to),
        },
      ],
    })
    expect(compiled.manifestMayMatch(manifest(1000, wrapped as number))).toBe(true)
    expect(compiled.manifestMayMatch(manifest(1000, 2_147_483_630))).toBe(false)
  })

  test('instants before 1970 are found where older writers put them', () => {
    const compiled = pruner("moment = '1969-12-31T12:00:00Z'", [spec('moment', 'day')])
    const kept = [-2, -1, 0, 1].filter((day) =>
      compiled.fileMayMatch(file('none', { partition: [day] })),
    )
    expect(kept).toEqual([-1, 0])
  })

  test.each([
    ["moment >= '2001-03-16'", false],
    ["moment >= '2001-03-15'", true],
    ["moment < '2001-03-01'", false],
    ["moment in ('2001-02-01', '2001-04-01')", false],
    ['moment is null', false],
    ['moment is not null', true],
    ["moment != '2001-03-10'", true],
    ["moment < '2001-03-01' or id = 5", true],
    ["moment < '2001-03-01' and id = 5", false],
  ])('a manifest of the days 2001-03-01 to 2001-03-15 may match %s: %s', (text, expected) => {
    const dayBytes = (text: string) =>
      encodeSingleValue({ kind: 'date' }, valueFromJson({ kind: 'date' }, text))
    const summary = {
      containsNull: false,
      lowerBound: dayBytes('2001-03-01'),
      upperBound: dayBytes('2001-03-15'),
    }
    const compiled = pruner(text, [spec('moment', 'day')])
    expect(compiled.manifestMayMatch({ specId: 0, partitions: [summary] })).toBe(expected)
  })

  test('a manifest with NaN partitions is kept for what NaN matches', () => {
    const one = encodeSingleValue({ kind: 'double' }, 1)
    const summary = { containsNull: false, lowerBound: one, upperBound: one }
    const verdicts = (text: string) =>
      [undefined, true, false].map((containsNan) =>
        pruner(text, [spec('score', 'identity')]).manifestMayMatch({
          specId: 0,
          partitions: [{ ...summary, ...(containsNan !== undefined && { containsNan }) }],
        }),
      )
    expect(verdicts('score > 5')).toEqual([true, true, false])
    expect(verdicts("score = 'NaN'")).toEqual([true, true, false])
    expect(verdicts('score < 0')).toEqual([false, false, false])
  })
})
