import fc from 'fast-check'
import {
  applyTransform,
  bucketHash,
  canTransform,
  isOrderPreserving,
  parseTransform,
  transformResultType,
  transformText,
  transformToHuman,
} from '../../../src/core/partition/transform.ts'
import { valueFromJson } from '../../../src/core/value/single-value.ts'
import type { PrimitiveType } from '../../../src/core/value/type.ts'
import type { Value } from '../../../src/core/value/value.ts'

const DECIMAL: PrimitiveType = { kind: 'decimal', precision: 9, scale: 2 }
const FIXED: PrimitiveType = { kind: 'fixed', length: 4 }

function transformJson(text: string, type: PrimitiveType, json: unknown): Value | null {
  return applyTransform(parseTransform(text), type, valueFromJson(type, json))
}

describe('bucket', () => {
  test.each([
    [{ kind: 'int' }, 34, 2017239379],
    [{ kind: 'long' }, 34, 2017239379],
    [DECIMAL, '14.20', -500754589],
    [{ kind: 'date' }, '2017-11-16', -653330422],
    [{ kind: 'time' }, '22:31:08', -662762989],
    [{ kind: 'timestamp' }, '2017-11-16T22:31:08', -2047944441],
    [{ kind: 'timestamp' }, '2017-11-16T22:31:08.000001', -1207196810],
    [{ kind: 'timestamptz' }, '2017-11-16T14:31:08-08:00', -2047944441],
    [{ kind: 'timestamptz' }, '2017-11-16T14:31:08.000001-08:00', -1207196810],
    [{ kind: 'timestamp_ns' }, '2017-11-16T22:31:08', -2047944441],
    [{ kind: 'timestamp_ns' }, '2017-11-16T22:31:08.000001001', -1207196810],
    [{ kind: 'timestamptz_ns' }, '2017-11-16T14:31:08.000001001-08:00', -1207196810],
    [{ kind: 'string' }, 'iceberg', 1210000089],
    [{ kind: 'uuid' }, 'f79c3e09-677c-4bbd-a479-3f349cb785e7', 1488055340],
    [FIXED, '00010203', -188683207],
    [{ kind: 'binary' }, '00010203', -188683207],
  ] as [PrimitiveType, unknown, number][])(
    'hashes %j %j as the specification says',
    (type, json, hash) => {
      expect(bucketHash(type, valueFromJson(type, json))).toBe(hash)
    },
  )

  test('takes the hash without its sign, modulo the number of buckets', () => {
    expect(transformJson('bucket[16]', { kind: 'string' }, 'iceberg')).toBe(1210000089 % 16)
    expect(transformJson('bucket[100]', DECIMAL, '14.20')).toBe((-500754589 & 0x7fffffff) % 100)
  })
})

describe('truncate', () => {
  test.each([
    ['truncate[10]', { kind: 'int' }, 1, 0],
    ['truncate[10]', { kind: 'int' }, -1, -10],
    ['truncate[10]', { kind: 'int' }, -10, -10],
    ['truncate[10]', { kind: 'long' }, 1, 0n],
    ['truncate[10]', { kind: 'long' }, -1, -10n],
    ['truncate[50]', DECIMAL, '10.65', 1050n],
    ['truncate[50]', DECIMAL, '-0.05', -50n],
    ['truncate[3]', { kind: 'string' }, 'iceberg', 'ice'],
    ['truncate[3]', { kind: 'string' }, 'ic', 'ic'],
    ['truncate[2]', { kind: 'string' }, 'a😀b', 'a😀'],
    ['truncate[1]', { kind: 'string' }, '😀😀', '😀'],
    ['truncate[3]', { kind: 'binary' }, '0102030405', Uint8Array.of(1, 2, 3)],
  ] as [string, PrimitiveType, unknown, Value][])(
    '%s of %j %j is right',
    (text, type, json, expected) => {
      expect(transformJson(text, type, json)).toEqual(expected)
    },
  )

  test('wraps around below the smallest int and long, as the reference implementation does', () => {
    const truncate = parseTransform('truncate[10]')
    expect(applyTransform(truncate, { kind: 'int' }, -2147483648)).toBe(2147483646)
    expect(applyTransform(truncate, { kind: 'long' }, -(2n ** 63n))).toBe(2n ** 63n - 2n)
  })
})

describe('calendar transforms', () => {
  test.each([
    ['year', '2017-11-16T22:31:08', 47, '2017'],
    ['month', '2017-11-16T22:31:08', 574, '2017-11'],
    ['day', '2017-11-16T22:31:08', 17486, '2017-11-16'],
    ['hour', '2017-11-16T22:31:08', 419686, '2017-11-16-22'],
    ['year', '1969-12-31T23:59:59.999999', -1, '1969'],
    ['month', '1969-12-31T23:59:59.999999', -1, '1969-12'],
    ['day', '1969-12-31T23:59:59.999999', -1, '1969-12-31'],
    ['hour', '1969-12-31T23:59:59.999999', -1, '1969-12-31-23'],
    ['month', '2001-03-01T00:00:00', 374, '2001-03'],
    ['year', '-0044-03-15T00:00:00', -2014, '-0044'],
  ])('%s of %s is %d, in words %s', (text, timestamp, expected, human) => {
    const transform = parseTransform(text)
    const micros: PrimitiveType = { kind: 'timestamp' }
    expect(transformJson(text, micros, timestamp)).toBe(expected)
    const zoned = `${timestamp}+00:00`
    expect(transformJson(text, { kind: 'timestamptz' }, zoned)).toBe(expected)
    expect(transformToHuman(transform, micros, expected)).toBe(human)
    if (timestamp.startsWith('-')) return
    expect(transformJson(text, { kind: 'timestamptz_ns' }, zoned)).toBe(expected)
    if (text === 'hour') return
    expect(transformJson(text, { kind: 'date' }, timestamp.slice(0, 10))).toBe(expected)
  })

  test('agree with the calendar of JavaScript on every instant it knows', () => {
    const day = 86_400_000
    fc.assert(
      fc.property(fc.integer({ min: -100_000_000, max: 100_000_000 }), (days) => {
        const date = new Date(days * day)
        const type: PrimitiveType = { kind: 'date' }
        const year = date.getUTCFullYear() - 1970
        expect(applyTransform({ kind: 'year' }, type, days)).toBe(year)
        expect(applyTransform({ kind: 'month' }, type, days)).toBe(year * 12 + date.getUTCMonth())
      }),
    )
  })

  test('keep the order of values', () => {
    const instant = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    const unit = fc.constantFrom('year', 'month', 'day', 'hour')
    fc.assert(
      fc.property(instant, instant, unit, (a, b, text) => {
        const transform = parseTransform(text)
        const [low, high] = a < b ? [a, b] : [b, a]
        const type: PrimitiveType = { kind: 'timestamp' }
        const lower = applyTransform(transform, type, low) as number
        expect(lower).toBeLessThanOrEqual(applyTransform(transform, type, high) as number)
        expect(isOrderPreserving(transform)).toBe(true)
      }),
    )
  })
})

test.each([
  ['identity', 'identity'],
  ['Bucket[16]', 'bucket[16]'],
  ['truncate[4]', 'truncate[4]'],
  ['HOUR', 'hour'],
  ['void', 'void'],
])('the text %s is the transform %s', (text, expected) => {
  expect(transformText(parseTransform(text))).toBe(expected)
  expect(parseTransform(text).kind).not.toBe('unknown')
})

test.each([
  'zorder',
  'bucket',
  'bucket[0]',
  'bucket[4294967296]',
  'bucket[-1]',
  'truncate[1.5]',
  'truncate[]',
  'constructor',
  '',
])('the text %j is kept as an unknown transform', (text) => {
  expect(parseTransform(text)).toEqual({ kind: 'unknown', text })
  expect(transformText(parseTransform(text))).toBe(text)
})

test('an unknown transform can be applied to nothing, and refuses to be', () => {
  const unknown = parseTransform('zorder')
  expect(canTransform(unknown, { kind: 'int' })).toBe(false)
  expect(transformResultType(unknown, { kind: 'int' })).toEqual({ kind: 'unknown' })
  expect(() => applyTransform(unknown, { kind: 'int' }, 1)).toThrow('zorder')
  expect(applyTransform(unknown, { kind: 'int' }, null)).toBeNull()
})

test('null stays null and void makes everything null', () => {
  expect(applyTransform({ kind: 'bucket', buckets: 4 }, { kind: 'int' }, null)).toBeNull()
  expect(applyTransform({ kind: 'void' }, { kind: 'int' }, 5)).toBeNull()
  expect(transformToHuman({ kind: 'void' }, { kind: 'int' }, null)).toBe('null')
})

test.each([
  ['identity', 'double', true],
  ['identity', 'variant', false],
  ['bucket[4]', 'double', false],
  ['bucket[4]', 'boolean', false],
  ['bucket[4]', 'uuid', true],
  ['truncate[4]', 'binary', true],
  ['truncate[4]', 'date', false],
  ['hour', 'date', false],
  ['hour', 'timestamptz', true],
  ['day', 'date', true],
  ['year', 'string', false],
  ['void', 'double', true],
])('whether %s applies to %s: %s', (text, kind, expected) => {
  expect(canTransform(parseTransform(text), { kind } as PrimitiveType)).toBe(expected)
})

test('result types are those that engines write', () => {
  expect(transformResultType(parseTransform('bucket[4]'), { kind: 'string' })).toEqual({
    kind: 'int',
  })
  expect(transformResultType(parseTransform('day'), { kind: 'timestamp' })).toEqual({
    kind: 'date',
  })
  expect(transformResultType(parseTransform('month'), { kind: 'date' })).toEqual({ kind: 'int' })
  expect(transformResultType(parseTransform('truncate[4]'), DECIMAL)).toBe(DECIMAL)
})
