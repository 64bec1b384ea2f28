import fc from 'fast-check'
import { runSteps } from '../../../../src/core/steps.ts'
import {
  readThriftStruct,
  THRIFT,
  ThriftError,
  type ThriftStruct,
  type ThriftValue,
  writeThriftStruct,
} from '../../../../src/formats/parquet/thrift/thrift.ts'
import {
  readThriftInSteps,
  writeThriftInSteps,
} from '../../../../src/formats/parquet/thrift/thrift-steps.ts'
import { field, struct } from '../sample-file.ts'

const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((value) => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
})
const binary = fc.uint8Array({ maxLength: 40 })
const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

const { value: anyTyped } = fc.letrec<{ value: [number, ThriftValue]; struct: ThriftStruct }>(
  (tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.boolean().map((v): [number, ThriftValue] => [THRIFT.TRUE, v]),
      fc.integer({ min: -128, max: 127 }).map((v): [number, ThriftValue] => [THRIFT.BYTE, v]),
      fc.integer({ min: -32768, max: 32767 }).map((v): [number, ThriftValue] => [THRIFT.I16, v]),
      fc.integer().map((v): [number, ThriftValue] => [THRIFT.I32, v]),
      int64.map((v): [number, ThriftValue] => [THRIFT.I64, v]),
      fixed(8).map((v): [number, ThriftValue] => [THRIFT.DOUBLE, v]),
      fixed(16).map((v): [number, ThriftValue] => [THRIFT.UUID, v]),
      binary.map((v): [number, ThriftValue] => [THRIFT.BINARY, v]),
      fc
        .array(int64, { maxLength: 40 })
        .map((values): [number, ThriftValue] => [THRIFT.LIST, { elementType: THRIFT.I64, values }]),
      fc
        .array(fc.boolean())
        .map((values): [number, ThriftValue] => [THRIFT.SET, { elementType: THRIFT.TRUE, values }]),
      fc
        .array(tie('struct'))
        .map((values): [number, ThriftValue] => [
          THRIFT.LIST,
          { elementType: THRIFT.STRUCT, values },
        ]),
      fc
        .array(fc.tuple(binary, tie('struct')), { minLength: 1 })
        .map((entries): [number, ThriftValue] => [
          THRIFT.MAP,
          { keyType: THRIFT.BINARY, valueType: THRIFT.STRUCT, entries },
        ]),
      tie('struct').map((v): [number, ThriftValue] => [THRIFT.STRUCT, v]),
    ),
    struct: fc
      .array(fc.tuple(fc.integer({ min: -32768, max: 32767 }), tie('value')), { maxLength: 5 })
      .map((members) => ({ fields: members.map(([id, [type, value]]) => ({ id, type, value })) })),
  }),
)

test('any tree is read back as it was written, and written again to the same bytes', () => {
  fc.assert(
    fc.property(anyTyped, ([type, value]) => {
      const bytes = writeThriftStruct(struct(field(1, type, value)))
      const { struct: read, lengthBytes } = readThriftStruct(bytes)
      expect(lengthBytes).toBe(bytes.length)
      expect(plain(read.fields[0]?.value)).toEqual(plain(value))
      expect(writeThriftStruct(read)).toEqual(bytes)
    }),
  )
})

test('any tree is read and written in steps as at once, and any cut or changed one read', () => {
  const inSteps = (bytes: Uint8Array) => runSteps(readThriftInSteps(bytes))
  const outcomeOf = (read: () => ThriftStruct) => {
    try {
      return plain(read())
    } catch (error) {
      return (error as Error).message
    }
  }
  fc.assert(
    fc.property(anyTyped, fc.nat(), fc.nat(255), ([type, value], at, byte) => {
      const tree = struct(field(1, type, value))
      const bytes = writeThriftStruct(tree)
      expect(runSteps(writeThriftInSteps(tree))).toEqual(bytes)
      const changed = bytes.slice()
      changed[at % bytes.length] = byte
      for (const each of [bytes, changed, bytes.subarray(0, at % bytes.length)]) {
        expect(outcomeOf(() => inSteps(each))).toEqual(
          outcomeOf(() => readThriftStruct(each).struct),
        )
      }
    }),
  )
})

test('every cut of a struct ends in a ThriftError', () => {
  fc.assert(
    fc.property(anyTyped, ([type, value]) => {
      const bytes = writeThriftStruct(struct(field(1, type, value)))
      for (let length = 0; length < bytes.length; length++) {
        expect(() => readThriftStruct(bytes.subarray(0, length))).toThrow(ThriftError)
      }
    }),
    { numRuns: 30 },
  )
})

test('random bytes are a struct or a ThriftError, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        readThriftStruct(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(ThriftError)
      }
    }),
    { numRuns: 2000 },
  )
})

test('integers at the edges of 53 and 64 bits keep every bit', () => {
  const edges = [0, -1, 2 ** 49, 2 ** 52, -(2 ** 52), 2 ** 53 - 1, -(2 ** 53 - 1)]
  const wide = [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]
  for (const value of [...edges, ...wide]) {
    const bytes = writeThriftStruct(struct(field(1, THRIFT.I64, value)))
    expect(readThriftStruct(bytes).struct.fields[0]?.value).toBe(value)
  }
})

test.each([
  ['a list that claims more elements than bytes', [0x19, 0xf5, 0xff, 0xff, 0xff, 0x7f, 0]],
  ['a binary that claims more bytes than there are', [0x18, 0x7f, 1, 0]],
  ['a map that claims more entries than bytes', [0x1b, 0xff, 0xff, 0x7f, 0x55, 0]],
  ['an integer of eleven bytes', [0x16, ...Array(10).fill(0xff), 1, 0]],
  ['an integer of 65 bits', [0x16, ...Array(9).fill(0xff), 2, 0]],
  ['a 32-bit integer of 33 bits', [0x15, 0xff, 0xff, 0xff, 0xff, 0x7f, 0]],
  ['an unknown type', [0x1f, 0]],
  ['structs nested without end', Array(10_000).fill(0x1c)],
  ['lists nested without end', [0x19, ...Array(10_000).fill(0x19)]],
])('%s is refused', (_, bytes) => {
  expect(() => readThriftStruct(Uint8Array.from(bytes as number[]))).toThrow(ThriftError)
})

test('values beyond the limit are refused before they take memory', () => {
  const values = Array.from({ length: 100 }, () => struct())
  const bytes = writeThriftStruct(struct(field(1, THRIFT.LIST, { elementType: 12, values })))
  expect(() => readThriftStruct(bytes, { depthMax: 9, valuesMax: 100 })).toThrow('too many values')
  expect(readThriftStruct(bytes, { depthMax: 9, valuesMax: 101 }).lengthBytes).toBe(bytes.length)
})

/** Without the wire type of booleans, which the value decides. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, member]) => [key, plain(member)])
  const { type, ...rest } = Object.fromEntries(entries)
  return typeof rest.value === 'boolean'
    ? rest
    : { ...rest, ...(type === undefined ? {} : { type }) }
}
