import type { TableDefinition } from '../../../../src/core/table/table.ts'
import { editionOf } from '../../../../src/modules/dumps/format/dump-edition.ts'
import { definitionOf, stateOf } from '../../../catalog/catalog-samples.ts'

const MAPPING = 'schema.name-mapping.default'
const DEFINITION: TableDefinition = { ...definitionOf(), properties: {} }
const [SCHEMA] = DEFINITION.schemas
if (SCHEMA === undefined) throw new Error('no schema')

interface Changes {
  readonly properties?: Readonly<Record<string, string>>
  readonly manifestList?: string
  readonly dialectVersion?: number
  readonly column?: string
  readonly schemaId?: number
  readonly bom?: boolean
}

function edition(changes: Changes = {}): string {
  const { properties = {}, manifestList = 'file:///list', dialectVersion = 1 } = changes
  const { column = 'amount', schemaId = 0, bom = false } = changes
  const fields = (SCHEMA?.fields ?? []).map((field) => ({ ...field, name: column }))
  const schema = { identifierFieldIds: [], fields, schemaId }
  const definition = { ...DEFINITION, schemas: [schema], properties }
  return editionOf({
    ...{ state: stateOf('t', { definition }), snapshot: { manifestList } },
    ...{ schema, dialectVersion, bom, restriction: 'unrestricted' },
  })
}

const mapping = (...names: string[]) => {
  return { properties: { [MAPPING]: JSON.stringify([{ 'field-id': 1, names }]) } }
}

test.each<[string, Changes]>([
  ['files', { manifestList: 'file:///other' }],
  ['a column', { column: 'price' }],
  ['a name mapping', mapping('amount', 'price')],
  ['a mapping that says what was guessed', mapping('amount')],
  ['a newer way of writing', { dialectVersion: 2 }],
  ['a byte order mark', { bom: true }],
])('another edition has %s', (_what, changes) => {
  expect(edition(changes)).toMatch(/^[0-9a-f]{12}$/)
  expect(edition(changes)).not.toBe(edition())
})

test.each<[string, Changes]>([
  ['nothing', {}],
  ['a property that no dump shows', { properties: { owner: 'ada' } }],
  ['the id of the same schema', { schemaId: 3 }],
])('the edition is the same with another %s', (_what, changes) => {
  expect(edition(changes)).toBe(edition())
})

test('with a mapping of its own, another edition has another mapping or another column', () => {
  const own = edition(mapping('amount'))
  expect(edition(mapping('amount', 'price'))).not.toBe(own)
  expect(edition({ ...mapping('amount'), column: 'price' })).not.toBe(own)
})
