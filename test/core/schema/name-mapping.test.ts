import { CatalogError } from '../../../src/core/errors.ts'
import {
  nameMappingFromJson,
  nameMappingOf,
  nameMappingToJson,
} from '../../../src/core/schema/name-mapping.ts'
import type { Schema } from '../../../src/core/value/type.ts'

const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: 1, name: 'id', required: true, type: { kind: 'long' } },
    {
      id: 2,
      name: 'place',
      required: false,
      type: {
        kind: 'struct',
        fields: [{ id: 4, name: 'town', required: false, type: { kind: 'string' } }],
      },
    },
    {
      id: 3,
      name: 'visits',
      required: false,
      type: {
        kind: 'map',
        keyId: 5,
        key: { kind: 'string' },
        valueId: 6,
        valueRequired: false,
        value: { kind: 'list', elementId: 7, elementRequired: false, element: { kind: 'date' } },
      },
    },
  ],
}

const JSON_FORM = [
  { 'field-id': 1, names: ['id', 'key'] },
  { 'field-id': 2, names: ['place'], fields: [{ 'field-id': 4, names: ['town', 'city'] }] },
  {
    'field-id': 3,
    names: ['visits'],
    fields: [
      { 'field-id': 5, names: ['key'] },
      { 'field-id': 6, names: ['value'], fields: [{ 'field-id': 7, names: ['element'] }] },
    ],
  },
]

test('a mapping holds names and aliases, with element, key and value below lists and maps', () => {
  const aliases = new Map([
    [1, ['key']],
    [4, ['city']],
  ])
  expect(nameMappingToJson(nameMappingOf(SCHEMA, aliases))).toEqual(JSON_FORM)
})

test('a mapping survives its JSON', () => {
  expect(nameMappingToJson(nameMappingFromJson(JSON_FORM))).toEqual(JSON_FORM)
})

test('a name stands for one field on its level: current names win, then the first alias', () => {
  const aliases = new Map([
    [1, ['place', 'old', 'old']],
    [2, ['old', 'older']],
  ])
  const mapping = nameMappingOf(SCHEMA, aliases)
  expect(mapping.map(({ names }) => names)).toEqual([['id', 'old'], ['place', 'older'], ['visits']])
})

test('names without a field id are kept: they are known to be no column', () => {
  const mapping = nameMappingFromJson([{ names: ['scratch'] }, { 'field-id': null }])
  expect(mapping).toEqual([{ names: ['scratch'] }, { names: [] }])
})

test('a name may stand on two levels, and twice in one field', () => {
  const json = [{ ...named(1, 'a', 'a'), fields: [named(2, 'a')] }, { ...named(3, 'A') }]
  expect(nameMappingToJson(nameMappingFromJson(json))).toEqual(json)
})

test.each([
  ['no list', {}],
  ['a field that is no object', [1]],
  ['a field id that is no integer', [{ 'field-id': '1', names: ['a'] }]],
  ['names that are no strings', [{ 'field-id': 1, names: [1] }]],
  ['names that are no list', [{ 'field-id': 1, names: 'a' }]],
  ['fields that are no list', [{ 'field-id': 1, names: ['a'], fields: 1 }]],
  ['a name of two fields', [named(1, 'a'), named(2, 'b', 'a')]],
  ['a name of a field and of no column', [named(1, 'a'), { names: ['a'] }]],
  ['a name of two fields below another', [{ ...named(1), fields: [named(2, 'a'), named(3, 'a')] }]],
  ['a field id of two fields', [named(1, 'a'), named(1, 'b')]],
  ['a field id on two levels', [{ ...named(1, 'a'), fields: [named(1, 'b')] }]],
  ['mappings nested without end', nested(5_000)],
])('%s is corrupt', (_, json) => {
  expect(() => nameMappingFromJson(json)).toThrow(CatalogError)
})

function named(fieldId: number, ...names: string[]) {
  return { 'field-id': fieldId, names }
}

function nested(depth: number): unknown {
  let json: unknown = []
  for (let i = 0; i < depth; i++) json = [{ names: ['a'], fields: json }]
  return json
}
