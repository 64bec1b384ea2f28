import { LAST_ADDED, type TableUpdate } from '../../../src/core/metadata/table-update.ts'
import type { PartitionSpec } from '../../../src/core/partition/partition-spec.ts'
import {
  convertedSince,
  schemaIdAfterRollback,
} from '../../../src/core/table/schema-of-rollback.ts'
import { changeAliases } from '../../../src/core/table-properties.ts'
import type { Field, PlainPrimitiveName, Schema, Type } from '../../../src/core/value/type.ts'
import { addSnapshot, field, schemaOf, setRef, TableModel, tableOf } from './metadata-samples.ts'

const ID = field(1, 'id', 'long', { required: true })

/** A schema with `at` of this type and field id, made the current one. */
function withAt(kind: PlainPrimitiveName, id: number): readonly TableUpdate[] {
  return [
    {
      action: 'add-schema',
      schema: schemaOf(ID, field(2, 'name', 'string'), field(id, 'at', kind)),
    },
    { action: 'set-current-schema', schemaId: LAST_ADDED },
  ]
}

interface Change {
  readonly version: 2 | 3
  readonly from: PlainPrimitiveName
  readonly to: PlainPrimitiveName
  /** Field id of `at` from then on. */
  readonly id: number
}

/** Whether a rollback from past a change of `at` leaves the newest schema. */
function leavesSchema({ version, from, to, id }: Change): boolean {
  const rows = (firstRowId: bigint) => (version === 3 ? { firstRowId, addedRows: 10n } : {})
  const model = new TableModel(tableOf(version)).apply(withAt(from, 3))
  model.apply([addSnapshot(1n, 1n, rows(0n)), setRef('main', 1n)])
  if (id === 3 && version === 2) {
    // As a conversion of `/v1`, which keeps the id where the table has a name mapping.
    const { definition } = model.state
    const converted = schemaOf(ID, field(2, 'name', 'string'), field(3, 'at', to))
    const schemas = [...definition.schemas, { ...converted, schemaId: 2 }]
    model.state = { ...model.state, definition: { ...definition, schemas, currentSchemaId: 2 } }
  } else model.apply(withAt(to, id))
  const { currentSchemaId } = model.state.definition
  model.apply([addSnapshot(2n, 2n, { parentSnapshotId: 1n, ...rows(10n) }), setRef('main', 2n)])
  return model.apply([setRef('main', 1n)]).state.definition.currentSchemaId === currentSchemaId
}

test.each<[string, boolean, Change]>([
  ['of a new id', false, { version: 2, from: 'long', to: 'double', id: 4 }],
  ['that kept its id', false, { version: 2, from: 'long', to: 'double', id: 3 }],
  ['that is read as it is', true, { version: 3, from: 'date', to: 'timestamp', id: 3 }],
  ['of other values', true, { version: 2, from: 'string', to: 'binary', id: 4 }],
])('a rollback past a column %s leaves the schema: %s', (_, isLeft, change) => {
  expect(leavesSchema(change)).toBe(isLeft)
})

const NUMBER: PlainPrimitiveName = 'double'
const struct = (...fields: readonly Field[]): Type => ({ kind: 'struct', fields })
const list = (elementId: number, kind: PlainPrimitiveName): Type => ({
  ...{ kind: 'list', elementId, elementRequired: false, element: { kind } },
})
const map = (valueId: number, value: Type): Type => ({
  ...{ kind: 'map', keyId: 4, key: { kind: 'string' }, valueId, valueRequired: false, value },
})
const at = (type: Type, name = 'at', id = 3): Field => ({ id, name, required: false, type })

/** Whether a rollback over this change of the columns leaves the newest schema. */
function staysPast(before: readonly Field[], after: readonly Field[]): boolean {
  const model = new TableModel()
  const { definition } = model.state
  const properties = changeAliases(definition.properties, new Map([[9, ['at', 'none']]]))
  const schemas = [before, after].map((fields, i) => ({ ...schemaOf(ID, ...fields), schemaId: i }))
  const earlier = { ...definition, properties, schemas }
  model.state = { ...model.state, definition: earlier }
  model.apply([addSnapshot(1n, 1n), setRef('main', 1n)])
  model.state = { ...model.state, definition: { ...model.state.definition, currentSchemaId: 1 } }
  model.apply([addSnapshot(2n, 2n, { parentSnapshotId: 1n }), setRef('main', 2n)])
  return model.apply([setRef('main', 1n)]).state.definition.currentSchemaId === 1
}

const LONG: Type = { kind: 'long' }
const DOUBLE: Type = { kind: NUMBER }
test.each<[string, boolean, Field, Field]>([
  ['in a struct', false, at(struct(field(4, 'x'))), at(struct(field(5, 'x', NUMBER)))],
  ['of a list', false, at(list(4, 'long')), at(list(5, NUMBER))],
  ['of a map', false, at(map(5, LONG)), at(map(6, DOUBLE))],
  ['that kept its id in a map', false, at(map(5, LONG)), at(map(5, DOUBLE))],
  [
    ...(['in a struct of a map', false] as const),
    ...([at(map(5, struct(field(6, 'x')))), at(map(5, struct(field(7, 'x', NUMBER))))] as const),
  ],
  ['renamed, too', false, at(LONG), at(DOUBLE, 'to', 9)],
  [
    ...(['renamed, too, in a struct', false] as const),
    ...([at(struct(at(LONG, 'at', 4))), at(struct(at(DOUBLE, 'to', 9)))] as const),
  ],
  ['of a struct with another name', true, at(struct(field(4, 'x'))), at(struct(field(4, 'y')))],
  ['of an int in a list', true, at(list(4, 'int')), at(list(4, 'long'))],
])('a rollback past a change %s leaves the schema: %s', (_, isLeft, before, after) => {
  expect(staysPast([before], [after])).toBe(isLeft)
})

interface History {
  /** The columns of each schema, in the order of their ids. */
  readonly schemas: readonly (readonly Field[])[]
  readonly old: number
  readonly current: number
}

const OTHER = field(20, 'other', 'string')
const longs = at(LONG)
const doubles = at(DOUBLE, 'at', 4)

test.each<[string, string | undefined, History]>([
  [
    'that came and went in between',
    undefined,
    { schemas: [[], [longs], [doubles], [], [OTHER]], old: 0, current: 4 },
  ],
  ['that came in between', undefined, { schemas: [[], [longs], [doubles]], old: 0, current: 2 }],
  ['that was dropped since', undefined, { schemas: [[longs], [doubles], []], old: 0, current: 2 }],
  [
    'that got its new name later',
    'was',
    { schemas: [[longs], [doubles], [at(DOUBLE, 'was', 4)]], old: 0, current: 2 },
  ],
  [
    'whose conversion was undone',
    undefined,
    { schemas: [[longs], [doubles], [longs, OTHER]], old: 0, current: 2 },
  ],
  [
    'of files of a conversion that was undone',
    'at',
    { schemas: [[longs], [doubles], [longs, OTHER]], old: 1, current: 2 },
  ],
  [
    'that was converted twice',
    'at',
    {
      ...{ old: 0, current: 3 },
      schemas: [
        [at({ kind: 'boolean' }, 'at', 5)],
        [at({ kind: 'int' }, 'at', 6)],
        [at({ kind: 'long' }, 'at', 6)],
        [at(DOUBLE, 'at', 7)],
      ],
    },
  ],
  [
    'in a struct, that got its new name later',
    'at.y',
    {
      ...{ old: 0, current: 2 },
      schemas: [
        [at(struct(field(5, 'x')))],
        [at(struct(field(6, 'x', NUMBER)))],
        [at(struct(field(6, 'y', NUMBER)))],
      ],
    },
  ],
])('of a column %s the conversion since is that of: %s', (_, name, { schemas, old, current }) => {
  const { definition } = new TableModel().state
  const all = schemas.map((fields, schemaId) => ({ ...schemaOf(ID, ...fields), schemaId }))
  const changed = { ...definition, schemas: all, currentSchemaId: current }
  expect(convertedSince(changed, old)).toBe(name)
  expect(schemaIdAfterRollback(changed, old)).toBe(name === undefined ? current : old)
})

test('a column that took over the name of one renamed was not converted', () => {
  expect(staysPast([at(LONG)], [at(LONG, 'was'), at(DOUBLE, 'at', 10)])).toBe(true)
})

const by = (sourceId: number, specId: number): PartitionSpec => {
  const transform = { kind: 'identity' } as const
  return { specId, fields: [{ fieldId: 1000 + specId, sourceId, name: `by_${specId}`, transform }] }
}
const NONE: PartitionSpec = { specId: 0, fields: [] }

test.each<[string, readonly PartitionSpec[], { before: number; after: number; count: number }]>([
  [
    'is kept where its column was there',
    [NONE, by(1, 1), by(3, 2)],
    { before: 1, after: 1, count: 3 },
  ],
  [
    'gives way to the newest that fits',
    [NONE, by(1, 2), by(2, 1), by(9, 3)],
    { before: 3, after: 2, count: 4 },
  ],
  ['gives way to none', [NONE, by(9, 1)], { before: 1, after: 0, count: 2 }],
  ['gives way to a new one of none', [by(9, 3), by(9, 1)], { before: 3, after: 4, count: 3 }],
])('after a rollback of the schema a default spec %s', (_, specs, ids) => {
  const { before, after, count } = ids
  const model = new TableModel()
  model.apply([addSnapshot(1n, 1n), setRef('main', 1n)])
  model.apply([addSnapshot(2n, 2n, { parentSnapshotId: 1n }), setRef('main', 2n)])
  const { definition } = model.state
  const fields = [ID, field(2, 'name', 'string'), at(DOUBLE, 'at', 9)]
  const [then] = definition.schemas as [Schema]
  const early = { ...then, fields: then.fields.map((each) => (each.id === 3 ? at(LONG) : each)) }
  const orders = specs.map(({ specId: orderId, fields }) => ({
    orderId,
    fields: fields.map((each) => ({ ...each, direction: 'asc', nullOrder: 'nulls-last' }) as const),
  }))
  model.state = {
    ...model.state,
    definition: {
      ...definition,
      ...{ schemas: [early, { ...schemaOf(...fields), schemaId: 1 }], currentSchemaId: 1 },
      ...{ partitionSpecs: specs, defaultSpecId: before },
      ...{ sortOrders: orders, defaultSortOrderId: before },
    },
  }
  const back = model.apply([setRef('main', 1n)]).state.definition
  expect(back).toMatchObject({ currentSchemaId: 0, defaultSpecId: after })
  expect(back.partitionSpecs).toHaveLength(count)
  expect(back.partitionSpecs.find(({ specId }) => specId === after)).toBeDefined()
  expect(back.defaultSortOrderId).toBe(after === 4 ? 0 : after)
  expect(back.sortOrders.find(({ orderId }) => orderId === back.defaultSortOrderId)).toBeDefined()
})

test('a snapshot that a commit brings leaves the schema, whichever its writer knew', () => {
  const model = new TableModel().apply(withAt('long', 4)).apply(withAt('double', 5))
  const { currentSchemaId } = model.state.definition
  model.apply([addSnapshot(1n, 1n, { schemaId: currentSchemaId - 1 }), setRef('main', 1n)])
  expect(model.state.definition.currentSchemaId).toBe(currentSchemaId)
})

test('of a column that was converted twice to one type, all ids are followed', () => {
  const kinds = ['long', 'double', 'double'] as const
  const schemas = kinds.map((kind, i) => ({
    ...schemaOf(ID, field(3 + i, `name_${i}`, kind)),
    schemaId: i,
  }))
  const properties = { 'moraine.related-columns': '[[3,4,5]]' }
  const definition = { ...tableOf().definition, schemas, currentSchemaId: 2, properties }
  expect(convertedSince(definition, 0)).toBe('name_2')
  expect(convertedSince(definition, 1)).toBe('name_2')
})
