import {
  allFields,
  findField,
  findFieldByName,
  findPathToField,
  highestFieldId,
} from '../../../src/core/schema/schema-lookup.ts'
import type { Field, Schema } from '../../../src/core/value/type.ts'

const long = { kind: 'long' } as const
const string = { kind: 'string' } as const
const schema: Schema = {
  schemaId: 0,
  identifierFieldIds: [1],
  fields: [
    { id: 1, name: 'Id', required: true, type: long },
    {
      id: 2,
      name: 'address',
      required: false,
      type: {
        kind: 'struct',
        fields: [
          { id: 4, name: 'zip', required: false, type: string },
          { id: 5, name: 'ZIP', required: false, type: string },
        ],
      },
    },
    {
      id: 3,
      name: 'scores',
      required: false,
      type: {
        kind: 'map',
        keyId: 6,
        key: string,
        valueId: 7,
        valueRequired: true,
        value: { kind: 'list', elementId: 9, elementRequired: false, element: long },
      },
    },
    { id: 8, name: 'a.b', required: false, type: long },
  ],
}

test('all fields come with their members, elements, keys and values', () => {
  const names = allFields(schema).map((field) => `${field.id} ${field.name} ${field.required}`)
  expect(names).toEqual([
    '1 Id true',
    '2 address false',
    '4 zip false',
    '5 ZIP false',
    '3 scores false',
    '6 key true',
    '7 value true',
    '9 element false',
    '8 a.b false',
  ])
  expect(highestFieldId(schema)).toBe(9)
  expect(highestFieldId({ fields: [] })).toBe(0)
})

test('a field is found by id, with the way to it', () => {
  expect(findField(schema, 9)?.type).toEqual(long)
  expect(findField(schema, 99)).toBeUndefined()
  expect(findPathToField(schema.fields, 9)?.map((field) => field.name)).toEqual([
    'scores',
    'value',
    'element',
  ])
})

test.each([
  ['Id', 1],
  ['id', 1],
  ['address.zip', 4],
  ['address.ZIP', 5],
  ['ADDRESS.ZIP', undefined],
  ['address.Zip', undefined],
  ['address.', undefined],
  ['scores.key', 6],
  ['Scores.Value', 7],
  ['scores.value.element', 9],
  ['a.b', 8],
  ['A.B', 8],
  ['a', undefined],
  ['', undefined],
])('the name %j finds field %p', (path, id) => {
  expect(findFieldByName(schema, path)?.id).toBe(id)
})

test('a dotted name that may mean two fields finds none', () => {
  const type = { kind: 'struct', fields: [{ id: 21, name: 'b', required: false, type: long }] }
  const struct = { id: 20, name: 'a', required: false, type } as Field
  expect(findFieldByName({ fields: [...schema.fields, struct] }, 'a.b')).toBeUndefined()
})
