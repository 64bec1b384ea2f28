import fc from 'fast-check'
import {
  readTableMetadataFile,
  readViewMetadataFile,
} from '../../src/formats/metadata/metadata-file.ts'
import { JoinedValue, partsOf, type ValuePart } from '../../src/threads/value-parts.ts'
import { tableFileOf, viewFileOf } from './metadata-files.ts'

/** As it goes through a message. */
function join(parts: readonly ValuePart[]): unknown {
  const joined = new JoinedValue()
  for (const part of parts) joined.add(structuredClone(part))
  return joined.value
}

/** Values that a message makes anew: each list, record, key and scalar. */
function countOf(value: unknown): number {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return 1
  if (Array.isArray(value)) return value.reduce((sum, item) => sum + countOf(item), 1)
  return Object.entries(value).reduce((sum, [, item]) => sum + 1 + countOf(item), 1)
}

function valuesIn({ values, keys = [] }: ValuePart): number {
  return values.reduce((sum: number, value) => sum + countOf(value), keys.length)
}

const { any } = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(undefined, null, true, 1.5, 2n ** 63n, '__proto__', Uint8Array.of(1)),
    fc.string(),
    fc.array(tie('any')),
    fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), tie('any'), {
      noNullPrototype: true,
    }),
  ),
}))

test('a value is the same after it was handed over in parts, none beyond its weight', () => {
  const members = fc.oneof(
    fc.array(any),
    fc.dictionary(fc.string(), any, { noNullPrototype: true }),
  )
  fc.assert(
    fc.property(members, fc.integer({ min: 1, max: 40 }), (value, weightMax) => {
      const parts = partsOf(value, weightMax)
      expect(join(parts)).toStrictEqual(value)
      for (const part of parts) {
        // A single member may weigh more: a key with its value, or a long text.
        if (part.values.length > 1) expect(valuesIn(part)).toBeLessThanOrEqual(weightMax)
      }
    }),
  )
})

test('keys stay keys, and members that no message can divide are whole', () => {
  const value = JSON.parse('{"a":{"__proto__":{"b":[1,2,3,4,5,6]},"c":[]},"d":[[],{}]}')
  const joined = join(partsOf(value, 2))
  expect(joined).toStrictEqual(value)
  expect(Object.keys((joined as { a: object }).a)).toEqual(['__proto__', 'c'])
  expect(join(partsOf([]))).toEqual([])
  expect(join(partsOf({}))).toEqual({})
  expect(partsOf({ a: 1 })).toHaveLength(1)
})

test('long texts weigh what they take', () => {
  const texts = Array.from({ length: 10 }, () => 'x'.repeat(64 * 1_000))
  expect(partsOf(texts, 3_100).map(({ values }) => values.length)).toEqual([3, 3, 3, 1])
  expect(partsOf(Object.fromEntries(texts.map((text, i) => [text + i, i])), 3_100)).toHaveLength(4)
})

test.each([
  ['snapshots', () => tableFileOf({ snapshots: 3_000 })],
  ['properties', () => tableFileOf({ properties: 10_000 })],
  ['refs', () => tableFileOf({ refs: 40_000 })],
  ['columns of one schema', () => tableFileOf({ columns: 30_000 })],
  ['schemas', () => tableFileOf({ schemas: 20_000 })],
  ['partition specs', () => tableFileOf({ specs: 30_000 })],
  ['sort orders', () => tableFileOf({ orders: 30_000 })],
  ['statistics', () => tableFileOf({ statistics: 10_000 })],
])('a table of many %s is handed over in parts that are short', (_, file) => {
  expectShortParts(readTableMetadataFile(file()))
})

test.each([
  ['versions', () => viewFileOf({ versions: 5_000 })],
  ['properties', () => viewFileOf({ properties: 40_000 })],
  ['columns', () => viewFileOf({ columns: 15_000 })],
])('a view of many %s is handed over in parts that are short', (_, file) => {
  expectShortParts(readViewMetadataFile(file()))
})

function expectShortParts(metadata: object): void {
  const parts = partsOf(metadata)
  expect(parts.length).toBeGreaterThan(1)
  for (const part of parts) expect(valuesIn(part)).toBeLessThanOrEqual(10_000)
  // Whatever is short comes together.
  const total = parts.reduce((sum, part) => sum + valuesIn(part), 0)
  expect(parts.length).toBeLessThan(10 + (2 * total) / 10_000)
  expect(join(parts)).toEqual(metadata)
}
