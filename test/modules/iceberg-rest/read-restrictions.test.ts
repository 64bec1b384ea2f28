import {
  PARTITION_FIELD_ID_BASE,
  UNPARTITIONED,
  UNSORTED,
} from '../../../src/core/partition/partition-spec.ts'
import type { TableDefinition } from '../../../src/core/table/table.ts'
import type { Field } from '../../../src/core/value/type.ts'
import { readRestrictionsFor } from '../../../src/modules/iceberg-rest/read-restrictions.ts'

const TABLE = '0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11'

function texts(...names: readonly string[]): readonly Field[] {
  return names.map((name, i) => ({ id: i + 1, name, type: { kind: 'string' }, required: false }))
}

/** The last schema is the current one. */
function definitionOf(...schemas: readonly (readonly Field[])[]): TableDefinition {
  return {
    ...{ formatVersion: 2, tableUuid: TABLE, location: 'file:///lake/t', properties: {} },
    ...{ lastColumnId: 99, lastPartitionId: PARTITION_FIELD_ID_BASE },
    schemas: schemas.map((fields, schemaId) => ({ schemaId, fields, identifierFieldIds: [] })),
    currentSchemaId: schemas.length - 1,
    ...{ partitionSpecs: [UNPARTITIONED], defaultSpecId: 0 },
    ...{ sortOrders: [UNSORTED], defaultSortOrderId: 0 },
  }
}

function told(rowFilter: string, definition: TableDefinition) {
  const names = { tableUuid: TABLE, schemaId: definition.currentSchemaId }
  const policy = { rowFilter, except: [], names, isTrusted: true }
  return () => readRestrictionsFor({ definition, namespace: ['air'], name: 't' }, () => policy)
}

const restricted = expect.objectContaining({ code: 'table-restricted' })

// Tables of others that were registered may have such schemas.
test('a name of the filter that differs from another by its case only is not told', () => {
  const definition = definitionOf(texts('Region', 'region', 'zone'))
  expect(told("Region = 'EU'", definition)).toThrow(restricted)
  expect(told("zone = 'EU'", definition)()).toMatchObject({
    'required-row-filter': { type: 'and' },
  })
})

test('nor one that is the full name of a member of a struct, too', () => {
  const member: Field = { id: 9, name: 'b', type: { kind: 'string' }, required: false }
  const struct: Field = {
    ...{ id: 8, name: 'a', required: false },
    type: { kind: 'struct', fields: [member] },
  }
  expect(told(`"a.b" = 'x'`, definitionOf([...texts('a.b'), struct]))).toThrow(restricted)
  expect(told(`"a.b" = 'x'`, definitionOf(texts('a.b')))()).toBeDefined()
})

test('nor one under which an older schema has another column', () => {
  const [a, b] = texts('a', 'b') as [Field, Field]
  const swapped = [
    { ...a, name: 'b' },
    { ...b, name: 'a' },
  ]
  expect(told("a = 'x'", definitionOf([a, b], swapped))).toThrow(restricted)
  const renamed = [{ ...a, name: 'c' }, b]
  expect(told("c = 'x'", definitionOf([a, b], renamed))()).toMatchObject({
    'required-row-filter': { left: { term: 'c' } },
  })
})
