import { bindFilter } from '../../../../src/core/filter/bind/bind-filter.ts'
import { parseFilter } from '../../../../src/core/filter/parse/filter-parser.ts'
import type { Field, Schema, Type } from '../../../../src/core/value/type.ts'
import { refusalOf } from '../../../refusal.ts'

function field(id: number, name: string, type: Type): Field {
  return { id, name, type, required: false }
}

const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    field(1, 'id', { kind: 'long' }),
    field(2, 'Name', { kind: 'string' }),
    field(3, 'NAME', { kind: 'string' }),
    field(4, 'birth_place', {
      kind: 'struct',
      fields: [field(5, 'Town', { kind: 'string' }), field(6, 'year', { kind: 'int' })],
    }),
    field(7, 'dotted.name', { kind: 'int' }),
    field(8, 'tags', {
      kind: 'list',
      elementId: 9,
      elementRequired: false,
      element: { kind: 'string' },
    }),
    field(10, 'when', { kind: 'date' }),
    field(11, 'key', { kind: 'uuid' }),
    field(12, 'flag', { kind: 'boolean' }),
    field(13, 'ratio', { kind: 'float' }),
    field(14, 'shape', { kind: 'opaque', name: 'geometry' }),
  ],
}

function bind(text: string) {
  return bindFilter(parseFilter(text), SCHEMA)
}

test.each([
  ['id = 1', 1],
  ['ID = 1', 1],
  ["Name = 'x'", 2],
  ["NAME = 'x'", 3],
  ["birth_place.Town = 'x'", 5],
  ["Birth_Place.town = 'x'", 5],
  ['dotted.name = 1', 7],
  ['"dotted.name" = 1', 7],
])('%s is about field %d', (text, fieldId) => {
  expect(bind(text)).toMatchObject({ column: { fieldId } })
})

test.each([
  ['id = 1 and missing = 2', 11, 'unknown column missing', 'a column of the table'],
  ["name = 'x'", 0, 'column name is ambiguous', 'the exact case'],
  ['birth_place.street = 1', 0, 'unknown column birth_place.street', 'a column of the table'],
  ['id.x = 1', 0, 'unknown column id.x', 'a column of the table'],
  ['tags.element = 1', 0, 'unknown column tags.element', 'a column of the table'],
  ["tags = 'x'", 0, 'list<string> cannot be compared', 'IS NULL'],
  ["shape = 'x'", 0, 'geometry cannot be compared', 'IS NULL'],
  ["id = 'abc'", 5, 'abc is not a value of type long', 'a number'],
  ['id = TRUE', 5, 'true is not a value of type long', 'a number'],
  ['id = 1e2000', 5, '1e2000 is not a value of type long', 'a number'],
  ['Name = 5', 7, '5 is not a value of type string', 'a quoted string'],
  ["when = '2023-02-29'", 7, 'is not a value of type date', 'a quoted date'],
  ['when = 20230228', 7, 'is not a value of type date', 'a quoted date'],
  ["key = 'xyz'", 6, 'xyz is not a value of type uuid', 'a quoted UUID'],
  ['flag = 1', 7, '1 is not a value of type boolean', 'TRUE or FALSE'],
  ["ratio = 'x'", 8, 'x is not a value of type float', 'a number'],
  ["id in (1, 'x')", 10, 'x is not a value of type long', 'a number'],
  ["id like '4%'", 8, 'LIKE needs a string column', 'a string column'],
  ["Name like 'a\\'", 10, 'ends in a backslash', 'two backslashes'],
  ["Name like '%\\'", 10, 'ends in a backslash', 'two backslashes'],
])('%s is refused at character %d: %s', (...[text, position, detail, expected]) => {
  const { code, message, facts } = refusalOf(() => bind(text))
  expect(code).toBe('filter-invalid')
  expect(message).toContain(detail)
  expect(facts['position']).toBe(position)
  expect(facts['expected']).toContain(expected)
})

test('an unknown column is answered with the known ones, at most 20', () => {
  expect(refusalOf(() => bind('missing = 2')).facts['columns']).toEqual([
    'id',
    'Name',
    'NAME',
    'birth_place',
    'birth_place.Town',
    'birth_place.year',
    'dotted.name',
    'tags',
    'when',
    'key',
    'flag',
    'ratio',
    'shape',
  ])
  const fields = Array.from({ length: 50 }, (_, i) => field(i + 1, `c${i}`, { kind: 'int' }))
  const wide = { ...SCHEMA, fields }
  expect(() => bindFilter(parseFilter('x = 1'), wide)).toThrow(
    expect.objectContaining({
      facts: expect.objectContaining({ columns: fields.slice(0, 20).map(({ name }) => name) }),
    }),
  )
})

test('a long literal is cut in the message', () => {
  expect(refusalOf(() => bind(`id = '${'x'.repeat(500)}'`)).message.length).toBeLessThan(100)
})

test.each([
  ['id < 5', { kind: 'range', high: { value: 4n, isInclusive: true } }],
  ['id > 4.5', { kind: 'range', low: { value: 5n, isInclusive: true } }],
  ['id = 4.0', { kind: 'in', values: [4n] }],
  ['id = 9223372036854775807', { kind: 'in', values: [9223372036854775807n] }],
  ["id = '42'", { kind: 'in', values: [42n] }],
  ['id in (3, 1, 2, 3, 1.5)', { kind: 'in', values: [1n, 2n, 3n] }],
  ['id = 4.5', { kind: 'always', value: false }],
  ['not id = 4.5', { kind: 'is-not-null' }],
  ['id <= -9223372036854775809', { kind: 'always', value: false }],
  ['id >= -9223372036854775809', { kind: 'is-not-null' }],
  ['id > -9223372036854775808.5', { kind: 'is-not-null' }],
  ['id < -9223372036854775808', { kind: 'always', value: false }],
  ['tags is not null', { kind: 'always', value: true }],
  ['tags is null and id = 1', { kind: 'in', values: [1n] }],
  ["when < '2001-03-15T12:00:00'", { high: { value: 11396, isInclusive: true } }],
  ["when > '2001-03-15T23:59:59-01:00'", { low: { value: 11398, isInclusive: true } }],
  ['ratio = 0.5', { kind: 'in', values: [0.5] }],
  [
    'ratio = 0.1',
    { kind: 'range', low: { value: 0.09999999403953552 }, high: { value: Math.fround(0.1) } },
  ],
  ['ratio > -0.1', { kind: 'range', low: { value: Math.fround(-0.1) } }],
  ['ratio < 1e-60', { high: { value: 2 ** -149, isInclusive: true } }],
  ['ratio > -1e-60', { low: { value: -(2 ** -149), isInclusive: true } }],
  ['ratio < 1e300', { high: { value: Number.POSITIVE_INFINITY } }],
  ["Name like 'abc'", { kind: 'in', values: ['abc'] }],
  ["Name not like 'abc'", { kind: 'not-equal', value: 'abc' }],
  ["Name like 'a\\%b%'", { kind: 'starts-with', prefix: 'a%b' }],
  ["Name like '%'", { kind: 'is-not-null' }],
  ["Name like '_'", { kind: 'is-not-null' }],
  ["key = 'F79C3E09677C4BBDA4793F349CB785E7'", { kind: 'in' }],
  ['flag > FALSE', { kind: 'range', low: { value: true, isInclusive: true } }],
  ['flag > true', { kind: 'always', value: false }],
])('%s means %j', (text, expected) => {
  expect(bind(text)).toMatchObject(expected)
})
