import type { Field, MapType, PrimitiveType, Type } from '../../../src/core/value/type.ts'
import { parseJsonExactly } from '../../../src/engine/worker/ingest/json-row.ts'
import {
  FieldNames,
  ValueInvalid,
  valuesByField,
  wireValue,
} from '../../../src/engine/worker/ingest/wire-json.ts'

const INT: PrimitiveType = { kind: 'int' }
const STRING: PrimitiveType = { kind: 'string' }
const field = (id: number, name: string, type: Type = INT, required = false): Field => ({
  id,
  name,
  type,
  required,
})
const listOf = (elementRequired: boolean): Type => ({
  ...{ kind: 'list', elementId: 9, elementRequired, element: INT },
})
const mapOf = (key: PrimitiveType, valueRequired = false): MapType => ({
  ...{ kind: 'map', keyId: 8, key, valueId: 9, valueRequired, value: INT },
})

const refused = (text: string) =>
  expect.objectContaining({ message: expect.stringContaining(text) }) as Error

test('a member is found by its exact name, else ignoring case', () => {
  const names = new FieldNames([field(1, 'a'), field(2, 'A'), field(3, 'Both')])
  expect([names.find('a'), names.find('A'), names.find('bOTH'), names.find('c')]).toEqual([
    ...[0, 1, 2, undefined],
  ])
})

test('values come in the order of the fields; unknown members and two of one are refused', () => {
  const fields = [field(1, 'a'), field(2, 'b')]
  expect(valuesByField(fields, { b: 2, A: 1 }, '')).toEqual([1, 2])
  expect(valuesByField(fields, {}, '')).toEqual([undefined, undefined])
  expect(() => valuesByField(fields, { c: 1 }, 's')).toThrow(refused('no column "s.c"'))
  expect(() => valuesByField(fields, { a: 1, A: 1 }, '')).toThrow(refused('"A" is given twice'))
  for (const json of [null, [], 1, 'a']) {
    expect(() => valuesByField(fields, json, '')).toThrow(ValueInvalid)
  }
})

test('elements, members and values that are required may not be null', () => {
  expect(wireValue(listOf(false), [1, null], 'l')).toEqual(['1', null])
  expect(() => wireValue(listOf(true), [1, null], 'l')).toThrow(refused('"l[1]" is required'))
  const struct: Type = { kind: 'struct', fields: [field(1, 'x', INT, true), field(2, 'y')] }
  expect(wireValue(struct, { x: 1 }, 's')).toEqual({ f0: '1', f1: null })
  expect(() => wireValue(struct, { y: 1 }, 's')).toThrow(refused('"s.x" is required'))
  expect(wireValue(mapOf(STRING), { k: null }, 'm')).toEqual([{ k: 'k', v: null }])
  expect(() => wireValue(mapOf(STRING, true), { k: null }, 'm')).toThrow(refused('is required'))
})

test('a map is an object, or a list of keys and values; no key comes twice', () => {
  expect(wireValue(mapOf(INT), { 1: 2 }, 'm')).toEqual([{ k: '1', v: '2' }])
  expect(wireValue(mapOf(INT), [{ key: 1, value: 2 }, { key: 3 }], 'm')).toEqual([
    { k: '1', v: '2' },
    { k: '3', v: null },
  ])
  const twice = [
    { key: 1, value: 1 },
    { key: 1, value: 2 },
  ]
  expect(() => wireValue(mapOf(INT), twice, 'm')).toThrow(refused('duplicate key'))
  for (const json of [1, 'a', [1], [{ value: 1 }]]) {
    expect(() => wireValue(mapOf(INT), json, 'm')).toThrow(ValueInvalid)
  }
})

test('only a list is a list', () => {
  for (const json of [{ 0: 1 }, '1', 1]) {
    expect(() => wireValue(listOf(false), json, 'l')).toThrow(refused('is not a list'))
  }
})

test('scalars are of the kind that the column is', () => {
  const long: PrimitiveType = { kind: 'long' }
  expect(wireValue(long, parseJsonExactly('9223372036854775807'), 'n')).toBe('9223372036854775807')
  expect(wireValue(long, parseJsonExactly('12345678901234567.0'), 'n')).toBe('12345678901234567')
  expect(wireValue({ kind: 'boolean' }, true, 'b')).toBe('true')
  for (const [type, json] of [
    [INT, 1.5],
    [INT, true],
    [{ kind: 'boolean' }, 1],
    [STRING, 1],
    [{ kind: 'date' }, 19_000],
  ] as const) {
    expect(() => wireValue(type, json, 'c')).toThrow(refused('column "c"'))
  }
})
