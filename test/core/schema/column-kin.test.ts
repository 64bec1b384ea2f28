import { isAkin, keepColumnKin } from '../../../src/core/schema/column-kin.ts'
import type { TableDefinition } from '../../../src/core/table/table.ts'
import type { Field, Schema } from '../../../src/core/value/type.ts'
import { tableOf } from '../metadata/metadata-samples.ts'

const RELATED = 'moraine.related-columns'
const ALIASES = 'moraine.column-aliases'

const field = (id: number, name: string): Field => ({
  ...{ id, name, required: false, type: { kind: 'string' } },
})
const schema = (schemaId: number, ...fields: readonly Field[]): Schema => ({
  ...{ schemaId, fields, identifierFieldIds: [] },
})
const FIRST = schema(0, field(1, 'id'), field(2, 'salary'))
const CONVERTED = schema(1, field(1, 'id'), field(3, 'salary'))
const RENAMED = schema(2, field(1, 'id'), field(3, 'pay'))

function definition(
  schemas: readonly Schema[],
  properties: Readonly<Record<string, string>> = {},
): TableDefinition {
  const currentSchemaId = schemas.at(-1)?.schemaId ?? 0
  return { ...tableOf().definition, schemas, currentSchemaId, lastColumnId: 3, properties }
}

const akin = (id: number, to: TableDefinition) =>
  [field(1, 'id'), field(2, 'salary'), field(3, 'pay')].filter(isAkin(id, to)).map((f) => f.id)

test('what only a removed schema told is written down', () => {
  const before = definition([FIRST, CONVERTED, RENAMED])
  expect(akin(2, before)).toEqual([2, 3])
  const after = definition([FIRST, RENAMED])
  expect(akin(2, after)).toEqual([2])
  const kept = keepColumnKin(before, after)
  expect(kept.properties).toEqual({ [RELATED]: '[[2,3]]' })
  expect([akin(2, kept), akin(1, kept)]).toEqual([[2, 3], [1]])
})

test('what only an alias told is written down, beside what is already', () => {
  const properties = { [ALIASES]: '{"3":["salary"]}', [RELATED]: '[[3,2],[1,9]]' }
  const before = definition([FIRST, RENAMED], properties)
  const { [ALIASES]: _, ...others } = properties
  expect(keepColumnKin(before, definition([FIRST, RENAMED], others)).properties).toEqual({
    [RELATED]: '[[2,3]]',
  })
})

test('nothing is written of what is still told, or of columns that no schema has', () => {
  const properties = { [ALIASES]: '{"3":["salary"]}' }
  const before = definition([FIRST, RENAMED], properties)
  const same = definition([FIRST, RENAMED, schema(3, ...RENAMED.fields, field(4, 'x'))], properties)
  expect(keepColumnKin(before, same)).toBe(same)
  const alone = definition([RENAMED])
  expect(keepColumnKin(definition([FIRST, CONVERTED, RENAMED]), alone).properties).toEqual({})
})

test('what cannot be read tells nothing, and keeps nobody from mending it', () => {
  const before = definition([FIRST], { [ALIASES]: 'null' })
  const mended = definition([FIRST])
  expect(keepColumnKin(before, mended)).toBe(mended)
})
