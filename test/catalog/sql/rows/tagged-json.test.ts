import fc from 'fast-check'
import { decodeExact, encodeExact } from '../../../../src/catalog/sql/rows/tagged-json.ts'

const leaves = fc.oneof(
  fc.constantFrom(null, true, -0, Number.NaN, Number.POSITIVE_INFINITY, '$bigint', '__proto__'),
  fc.double(),
  fc.bigInt(),
  fc.string({ unit: 'binary' }),
  fc.uint8Array(),
)
const keys = fc.oneof(
  fc.constantFrom('$bigint', '$bytes', '$map', '$object', '$number', '__proto__', 'toJSON'),
  fc.string(),
)
const { anything } = fc.letrec<{ anything: unknown }>((tie) => ({
  anything: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaves,
    fc.array(tie('anything'), { maxLength: 4 }),
    fc.dictionary(keys, tie('anything'), { maxKeys: 3, noNullPrototype: true }),
    fc.array(fc.tuple(tie('anything'), tie('anything')), { maxLength: 3 }).map((e) => new Map(e)),
  ),
}))

test('what was encoded is decoded exactly, objects that look like our tags included', () => {
  fc.assert(
    fc.property(anything, (value) => {
      expect(decodeExact(encodeExact(value))).toStrictEqual(value)
    }),
    { numRuns: 500 },
  )
})

test('a Buffer is bytes like any other', () => {
  expect(decodeExact(encodeExact({ bytes: Buffer.from([0, 255]) }))).toStrictEqual({
    bytes: new Uint8Array([0, 255]),
  })
})

test('text without 64-bit integers and bytes is plain JSON', () => {
  expect(encodeExact({ a: [1, 'b', null, true], n: 9n })).toBe(
    '{"a":[1,"b",null,true],"n":{"$bigint":"9"}}',
  )
})

test('an unknown tag is refused', () => {
  expect(() => decodeExact('{"$date":1}')).toThrow(/no tag \$date/)
})
