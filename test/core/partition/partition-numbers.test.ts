import { PartitionNumbers } from '../../../src/core/partition/partition-numbers.ts'
import { parseTransform } from '../../../src/core/partition/transform.ts'
import type { Schema, Type } from '../../../src/core/value/type.ts'
import type { Value } from '../../../src/core/value/value.ts'
import { refusalOf } from '../../refusal.ts'

function numbersOf(fields: readonly (readonly [Type['kind'], string])[], max = 10) {
  const schema = {
    schemaId: 0,
    identifierFieldIds: [],
    fields: fields.map(([kind], i) => ({
      ...{ id: i + 1, name: `c${i}`, required: false, type: { kind } as Type },
    })),
  } satisfies Schema
  const spec = {
    specId: 0,
    fields: fields.map(([, transform], i) => ({
      ...{
        fieldId: 1000 + i,
        sourceId: i + 1,
        name: `p${i}`,
        transform: parseTransform(transform),
      },
    })),
  }
  return new PartitionNumbers(spec, schema, max)
}

test('rows of one partition have one number, in the order of the first rows', () => {
  const numbers = numbersOf([
    ['int', 'truncate[10]'],
    ['string', 'identity'],
    ['long', 'void'],
  ])
  const rows: (Value | null)[][] = [
    [11, 'a', 5n],
    [9, 'a', 5n],
    [19, 'a', null],
    [11, null, 5n],
    [null, 'null', 5n],
    [-1, 'a', 5n],
  ]
  expect(rows.map((row) => numbers.numberOf(row))).toEqual([0, 1, 0, 2, 3, 4])
  expect(numbers.partitions[0]).toEqual([10, 'a', null])
  expect(numbers.partitions).toHaveLength(5)
  numbers.requireAll()
})

test('texts that are alike when joined are different partitions', () => {
  const numbers = numbersOf([
    ['string', 'identity'],
    ['string', 'identity'],
  ])
  const rows = [
    ['a,1:b', 'c'],
    ['a', '1:b,c'],
    ['null', ''],
    ['', 'null'],
  ]
  expect(rows.map((row) => numbers.numberOf(row))).toEqual([0, 1, 2, 3])
})

test('zero and minus zero are two partitions, and all NaNs are one', () => {
  const numbers = numbersOf([['double', 'identity']])
  expect([0, -0, Number.NaN, -Number.NaN].map((v) => numbers.numberOf([v]))).toEqual([0, 1, 2, 2])
})

test('bytes are kept although the next rows overwrite them', () => {
  const numbers = numbersOf([['binary', 'identity']])
  const bytes = Uint8Array.of(1, 2)
  expect(numbers.numberOf([bytes])).toBe(0)
  bytes[0] = 9
  expect(numbers.numberOf([bytes])).toBe(1)
  expect(numbers.partitions).toEqual([[Uint8Array.of(1, 2)], [Uint8Array.of(9, 2)]])
})

test('too many are counted to the end, and refused with their number', () => {
  const numbers = numbersOf([['int', 'identity']], 2)
  const found = [5, 6, 7, 5, 8, 7].map((v) => numbers.numberOf([v]))
  expect(found).toEqual([0, 1, undefined, 0, undefined, undefined])
  expect(refusalOf(() => numbers.requireAll())).toMatchObject({
    code: 'file-spans-partitions',
    facts: { partitions: 4, partitionsMax: 2 },
  })
})

test('the count ends at a bound', () => {
  const numbers = numbersOf([['int', 'identity']], 2)
  for (let i = 0; i < 100_002; i++) numbers.numberOf([i])
  const refused = refusalOf(() => numbers.requireAll())
  expect(refused.message).toContain('more than 100000 partitions')
})

test('few partitions of very long values are refused', () => {
  const numbers = numbersOf([['string', 'identity']])
  const long = 'x'.repeat(5_000_000)
  expect([`${long}1`, `${long}2`].map((v) => numbers.numberOf([v]))).toEqual([0, undefined])
  const refused = refusalOf(() => numbers.requireAll())
  expect(refused.message).toContain('too long')
})

test('a transform that nobody knows is refused', () => {
  const refused = refusalOf(() => numbersOf([['int', 'zorder']]))
  expect(refused.code).toBe('file-spans-partitions')
})
