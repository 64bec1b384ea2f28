import { keepLostNames } from '../../../src/core/schema/lost-names.ts'
import type { TableDefinition } from '../../../src/core/table/table.ts'
import type { Field, Schema, Type } from '../../../src/core/value/type.ts'
import { tableOf } from '../metadata/metadata-samples.ts'

const LOST = 'moraine.lost-names'
const ALIASES = 'moraine.column-aliases'
const MAPPING = 'schema.name-mapping.default'

const field = (id: number, name: string, type: Type = { kind: 'long' }): Field => ({
  ...{ id, name, required: false, type },
})
const schema = (schemaId: number, ...fields: readonly Field[]): Schema => ({
  ...{ schemaId, fields, identifierFieldIds: [] },
})
const FIRST = schema(0, field(1, 'id'), field(2, 'delay'))

function definition(
  schemas: readonly Schema[],
  properties: Readonly<Record<string, string>> = {},
): TableDefinition {
  const currentSchemaId = schemas.at(-1)?.schemaId ?? 0
  return { ...tableOf().definition, schemas, currentSchemaId, lastColumnId: 9, properties }
}

function lostBy(before: TableDefinition, after: TableDefinition): unknown {
  return keepLostNames(before, after).properties[LOST]
}

const mapped = (...names: readonly string[]) => ({
  [MAPPING]: JSON.stringify([
    { 'field-id': 1, names: ['id'] },
    ...(names.length === 0 ? [] : [{ 'field-id': 2, names }]),
  ]),
})

test.each([
  ['an alias', { [ALIASES]: '{"2":["dep"]}' }, {}, '[2]'],
  ['a name of the mapping', mapped('delay', 'dep'), mapped('delay'), '[2]'],
  ['the mapping', mapped('delay'), {}, '[1,2]'],
  ['that a mapping leaves a column out', mapped(), mapped('delay'), '[2]'],
])('a change that takes %s away is written down', (_title, before, after, written) => {
  const [then, now] = [definition([FIRST], before), definition([FIRST], after)]
  expect(lostBy(then, now)).toBe(written)
  const other = { ...now, properties: { ...now.properties, [LOST]: '[1,7]' } }
  expect(lostBy({ ...then, properties: { ...before, [LOST]: '[1,7]' } }, other)).toBe('[1,2]')
})

test('what a removed schema had otherwise is written down', () => {
  const renamed = schema(1, field(1, 'id'), field(2, 'late'))
  expect(lostBy(definition([FIRST, renamed]), definition([renamed]))).toBe('[2]')
  const decimal = (scale: number): Type => ({ kind: 'decimal', precision: 9, scale })
  const types: readonly (readonly [Type, Type, unknown])[] = [
    [{ kind: 'int' }, { kind: 'long' }, undefined],
    [{ kind: 'date' }, { kind: 'timestamp' }, '[1]'],
    [decimal(2), { ...decimal(2), precision: 12 } as Type, undefined],
    [decimal(2), decimal(3), '[1]'],
  ]
  for (const [then, now, written] of types) {
    const [old, latest] = [schema(0, field(1, 'a', then)), schema(1, field(1, 'a', now))]
    expect(lostBy(definition([old, latest]), definition([latest]))).toBe(written)
  }
})

test('nothing is written of what is still told, or of columns that are new or gone', () => {
  const before = definition([FIRST], { [ALIASES]: '{"2":["dep"]}' })
  const more = schema(1, ...FIRST.fields, field(3, 'x'))
  const after = definition([FIRST, more], {
    [ALIASES]: '{"2":["dep"],"3":["y"]}',
    ...mapped('dep'),
  })
  expect(keepLostNames(before, after)).toBe(after)
  const fewer = definition([schema(1, field(1, 'id'))])
  expect(keepLostNames(definition([FIRST, ...fewer.schemas]), fewer)).toBe(fewer)
})

test('members of structs are found by the mapping, too', () => {
  const place = schema(0, field(1, 'p', { kind: 'struct', fields: [field(2, 'zip')] }))
  const mapping = (...names: readonly string[]) => ({
    [MAPPING]: JSON.stringify([
      { 'field-id': 1, names: ['p'], fields: [{ 'field-id': 2, names }] },
    ]),
  })
  const before = definition([place], mapping('zip', 'plz'))
  expect(lostBy(before, definition([place], mapping('zip')))).toBe('[2]')
})

test('what cannot be read tells nothing, and keeps nobody from mending it', () => {
  const before = definition([FIRST], { [ALIASES]: 'null' })
  const mended = definition([FIRST])
  expect(keepLostNames(before, mended)).toBe(mended)
})
