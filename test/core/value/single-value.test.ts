import fc from 'fast-check'
import {
  decodeSingleValue,
  encodeSingleValue,
  findValueFromJson,
  valueFromJson,
  valueToJson,
  valueToText,
} from '../../../src/core/value/single-value.ts'
import { type PrimitiveType, typeName } from '../../../src/core/value/type.ts'
import type { Value } from '../../../src/core/value/value.ts'

const INT32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const INT64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const TEXT = fc.string({ unit: 'binary' })

const CASES: readonly [PrimitiveType, fc.Arbitrary<Value>][] = [
  [{ kind: 'boolean' }, fc.boolean()],
  [{ kind: 'int' }, INT32],
  [{ kind: 'long' }, INT64],
  [{ kind: 'float' }, fc.float()],
  [{ kind: 'double' }, fc.double()],
  [{ kind: 'date' }, INT32],
  [{ kind: 'time' }, fc.bigInt({ min: 0n, max: 86_399_999_999n })],
  [{ kind: 'timestamp' }, INT64],
  [{ kind: 'timestamptz' }, INT64],
  [{ kind: 'timestamp_ns' }, INT64],
  [{ kind: 'timestamptz_ns' }, INT64],
  [{ kind: 'string' }, TEXT],
  [{ kind: 'uuid' }, fc.uint8Array({ minLength: 16, maxLength: 16 })],
  [{ kind: 'fixed', length: 5 }, fc.uint8Array({ minLength: 5, maxLength: 5 })],
  [{ kind: 'binary' }, fc.uint8Array()],
  [{ kind: 'opaque', name: 'geometry' }, fc.uint8Array()],
  ...[0, 2, 38].map((scale): [PrimitiveType, fc.Arbitrary<Value>] => [
    { kind: 'decimal', precision: 38, scale },
    fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }),
  ]),
]

for (const [type, values] of CASES) {
  test(`every ${typeName(type)} survives its binary form`, () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decodeSingleValue(type, encodeSingleValue(type, value))).toEqual(value)
      }),
    )
  })

  test(`every ${typeName(type)} survives its JSON form`, () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(valueFromJson(type, valueToJson(type, value))).toEqual(value)
      }),
    )
  })
}

test.each([
  [{ kind: 'boolean' }, true, [1]],
  [{ kind: 'int' }, 34, [34, 0, 0, 0]],
  [{ kind: 'long' }, -2n, [254, 255, 255, 255, 255, 255, 255, 255]],
  [{ kind: 'float' }, 1, [0, 0, 128, 63]],
  [{ kind: 'double' }, 1, [0, 0, 0, 0, 0, 0, 240, 63]],
  [{ kind: 'decimal', precision: 9, scale: 2 }, 1420n, [5, 140]],
  [{ kind: 'decimal', precision: 9, scale: 2 }, 128n, [0, 128]],
  [{ kind: 'decimal', precision: 9, scale: 2 }, -128n, [128]],
  [{ kind: 'decimal', precision: 9, scale: 2 }, 0n, [0]],
  [{ kind: 'string' }, 'é', [195, 169]],
] as [PrimitiveType, Value, number[]][])(
  '%j %p has the bytes of the specification',
  (type, value, bytes) => {
    expect([...encodeSingleValue(type, value)]).toEqual(bytes)
  },
)

test.each([
  [{ kind: 'long' }, 34n, 34],
  [{ kind: 'long' }, 2n ** 53n + 1n, 2n ** 53n + 1n],
  [{ kind: 'decimal', precision: 9, scale: 2 }, 1420n, '14.20'],
  [{ kind: 'decimal', precision: 9, scale: 2 }, -5n, '-0.05'],
  [{ kind: 'decimal', precision: 9, scale: -20 }, 2n, '2E+20'],
  [{ kind: 'date' }, 17486, '2017-11-16'],
  [{ kind: 'date' }, -719529, '-0001-12-31'],
  [{ kind: 'date' }, 3_000_000, '+10183-09-21'],
  [{ kind: 'time' }, 81_068_123_456n, '22:31:08.123456'],
  [{ kind: 'timestamp' }, 1510871468123456n, '2017-11-16T22:31:08.123456'],
  [{ kind: 'timestamp' }, -1n, '1969-12-31T23:59:59.999999'],
  [{ kind: 'timestamptz' }, 1510871468123456n, '2017-11-16T22:31:08.123456+00:00'],
  [{ kind: 'timestamp_ns' }, 1510871468123456789n, '2017-11-16T22:31:08.123456789'],
  [{ kind: 'timestamptz_ns' }, 1510871468123456789n, '2017-11-16T22:31:08.123456789+00:00'],
  [{ kind: 'fixed', length: 4 }, Uint8Array.of(0, 1, 2, 255), '000102ff'],
  [{ kind: 'double' }, Number.NaN, 'NaN'],
  [{ kind: 'float' }, Number.NEGATIVE_INFINITY, '-Infinity'],
  [{ kind: 'double' }, 1, 1],
] as [PrimitiveType, Value, unknown][])('%j %p is written in JSON as %p', (type, value, json) => {
  expect(valueToJson(type, value)).toEqual(json)
  expect(valueFromJson(type, json)).toEqual(value)
})

test('a uuid is text in lower case', () => {
  const text = 'f79c3e09-677c-4bbd-a479-3f349cb785e7'
  const bytes = valueFromJson({ kind: 'uuid' }, text.toUpperCase())
  expect(valueToText({ kind: 'uuid' }, bytes)).toBe(text)
})

test('a value written before its column was widened is widened', () => {
  const int = encodeSingleValue({ kind: 'int' }, -7)
  expect(decodeSingleValue({ kind: 'long' }, int)).toBe(-7n)
  expect(decodeSingleValue({ kind: 'double' }, encodeSingleValue({ kind: 'float' }, 1.5))).toBe(1.5)
  expect(decodeSingleValue({ kind: 'timestamp' }, int)).toBe(-7n * 86_400_000_000n)
  expect(decodeSingleValue({ kind: 'timestamp_ns' }, int)).toBe(-7n * 86_400_000_000_000n)
})

test('the least and the greatest long are longs', () => {
  for (const value of [-(2n ** 63n), 2n ** 63n - 1n]) {
    expect(findValueFromJson({ kind: 'long' }, value)).toBe(value)
  }
})

test('a byte order mark at the start of a string is kept', () => {
  const bytes = encodeSingleValue({ kind: 'string' }, '\ufeffa')
  expect(decodeSingleValue({ kind: 'string' }, bytes)).toBe('\ufeffa')
})

test.each([
  [{ kind: 'boolean' }, 0],
  [{ kind: 'int' }, 8],
  [{ kind: 'int' }, 3],
  [{ kind: 'date' }, 8],
  [{ kind: 'long' }, 5],
  [{ kind: 'float' }, 8],
  [{ kind: 'double' }, 0],
  [{ kind: 'time' }, 4],
  [{ kind: 'timestamptz' }, 4],
  [{ kind: 'uuid' }, 15],
  [{ kind: 'fixed', length: 4 }, 5],
  [{ kind: 'decimal', precision: 9, scale: 2 }, 0],
  [{ kind: 'decimal', precision: 9, scale: 2 }, 33],
] as [PrimitiveType, number][])('%j of %d bytes is corrupt metadata', (type, length) => {
  expect(() => decodeSingleValue(type, new Uint8Array(length))).toThrow(
    expect.objectContaining({ code: 'metadata-corrupt' }),
  )
})

test.each([
  [{ kind: 'boolean' }, 1],
  [{ kind: 'int' }, 1.5],
  [{ kind: 'int' }, 2 ** 31],
  [{ kind: 'int' }, '1'],
  [{ kind: 'long' }, 2 ** 63],
  [{ kind: 'long' }, 2n ** 63n],
  [{ kind: 'long' }, '9223372036854775808'],
  [{ kind: 'long' }, -(2n ** 63n) - 1n],
  [{ kind: 'double' }, 'x'],
  [{ kind: 'decimal', precision: 3, scale: 2 }, '12.345'],
  [{ kind: 'decimal', precision: 3, scale: 2 }, '123.00'],
  [{ kind: 'decimal', precision: 3, scale: 2 }, 1.5],
  [{ kind: 'date' }, '2023-02-29'],
  [{ kind: 'date' }, '2023-2-9'],
  [{ kind: 'date' }, '+99999999-01-01'],
  [{ kind: 'time' }, '24:00:00'],
  [{ kind: 'time' }, '22:31:08.1234567'],
  [{ kind: 'time' }, '12:00:00.0000000009'],
  [{ kind: 'timestamp' }, '2017-11-16T22:31:08Z'],
  [{ kind: 'timestamp' }, '2017-11-16T22:31:08.1234567'],
  [{ kind: 'timestamp_ns' }, '2017-11-16T22:31:08.0000000009'],
  [{ kind: 'timestamp_ns' }, '3000-01-01T00:00:00'],
  [{ kind: 'timestamptz' }, '2017-11-16T22:31:08'],
  [{ kind: 'timestamptz' }, '2017-11-16T22:31:08+19:00'],
  [{ kind: 'uuid' }, 'f79c3e09677c4bbda4793f349cb785e7'],
  [{ kind: 'fixed', length: 4 }, '0001'],
  [{ kind: 'binary' }, '0'],
  [{ kind: 'binary' }, 'zz'],
] as [PrimitiveType, unknown][])('%j does not take %p from JSON', (type, json) => {
  expect(findValueFromJson(type, json)).toBeUndefined()
  expect(() => valueFromJson(type, json)).toThrow(
    expect.objectContaining({ code: 'metadata-corrupt' }),
  )
})

test('bytes of another length or another truth are not read as if they were right', () => {
  const read = (bytes: Uint8Array) => () => decodeSingleValue({ kind: 'uuid' }, bytes)
  expect(read(new Uint8Array(17))).toThrow('cannot have 17 bytes')
  expect(read(new Uint8Array(15))).toThrow('cannot have 15 bytes')
  expect(decodeSingleValue({ kind: 'boolean' }, Uint8Array.of(2))).toBe(true)
  expect(findValueFromJson({ kind: 'float' }, 0.1)).toBe(Math.fround(0.1))
})
