import { allOf, anyOf, type BoundFilter } from '../../../../src/core/filter/bind/bound-filter.ts'
import { affordableFilter, filterCost } from '../../../../src/core/filter/bind/filter-cost.ts'

const column = { fieldId: 1, type: { kind: 'long' } } as const
const differsFrom = (value: bigint): BoundFilter => ({ kind: 'not-equal', column, value })
const oneOf = (count: number): BoundFilter => ({
  kind: 'in',
  column,
  values: Array.from({ length: count }, (_, i) => BigInt(i)),
})
const many = Array.from({ length: 20 }, (_, i) => differsFrom(BigInt(i)))

test('a set that can be searched is cheap, and one of UUIDs is not', () => {
  expect(filterCost(oneOf(1024))).toBe(11)
  const uuids = Array.from({ length: 9 }, () => new Uint8Array(16))
  expect(
    filterCost({ kind: 'in', column: { fieldId: 1, type: { kind: 'uuid' } }, values: uuids }),
  ).toBe(9)
})

test('a filter that is cheap enough stays as it is', () => {
  const filter = allOf(many)
  expect(affordableFilter(filter, 20)).toBe(filter)
})

test('of a costly conjunction the cheapest parts stay', () => {
  const filter = allOf([oneOf(1024), anyOf(many), differsFrom(7n)])
  expect(affordableFilter(filter, 12)).toEqual(allOf([differsFrom(7n), oneOf(1024)]))
})

test('any other costly filter keeps every row', () => {
  expect(affordableFilter(anyOf(many), 19)).toEqual({ kind: 'always', value: true })
})
