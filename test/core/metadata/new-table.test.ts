import { createFromUpdates, newTableDefinition } from '../../../src/core/metadata/new-table.ts'
import type { TableUpdate } from '../../../src/core/metadata/table-update.ts'
import type { Schema } from '../../../src/core/value/type.ts'
import { refusalOf } from '../../refusal.ts'
import { addSnapshot, BORN_MS, field, schemaOf, setRef, UUID } from './metadata-samples.ts'

const REQUEST = { tableUuid: UUID, location: 's3://b/t/' }

/** With ids as a client has them that lays schemas out by itself. */
const GIVEN: Schema = {
  schemaId: 12,
  fields: [
    field(40, 'id', 'long', { required: true }),
    {
      id: 7,
      name: 'place',
      required: true,
      type: { kind: 'struct', fields: [field(0, 'lat', 'double'), field(5, 'name', 'string')] },
    },
    field(3, 'day', 'date'),
  ],
  identifierFieldIds: [40],
}

describe('a new table', () => {
  test('gets fresh field ids, and its spec and order point to them', () => {
    const definition = newTableDefinition({
      ...REQUEST,
      schema: GIVEN,
      spec: {
        fields: [
          { name: 'day_month', sourceId: 3, transform: { kind: 'month' }, fieldId: 4000 },
          { name: 'place.name', sourceId: 5, transform: { kind: 'identity' } },
        ],
      },
      sortOrder: {
        fields: [
          {
            sourceId: 40,
            transform: { kind: 'identity' },
            direction: 'asc',
            nullOrder: 'nulls-last',
          },
        ],
      },
      properties: { owner: 'me', uuid: 'x' },
    })
    expect(definition).toMatchObject({
      formatVersion: 2,
      location: 's3://b/t',
      lastColumnId: 5,
      lastPartitionId: 1001,
      currentSchemaId: 0,
      defaultSpecId: 0,
      defaultSortOrderId: 1,
      properties: { owner: 'me', 'write.parquet.compression-codec': 'zstd' },
    })
    expect(definition.properties).not.toHaveProperty('uuid')
    const [schema] = definition.schemas
    expect(schema).toMatchObject({
      schemaId: 0,
      identifierFieldIds: [1],
      fields: [{ id: 1 }, { id: 2, type: { fields: [{ id: 4 }, { id: 5 }] } }, { id: 3 }],
    })
    expect(definition.partitionSpecs[0]?.fields).toMatchObject([
      { fieldId: 1000, sourceId: 3 },
      { fieldId: 1001, sourceId: 5 },
    ])
    expect(definition.sortOrders).toMatchObject([{ orderId: 1, fields: [{ sourceId: 1 }] }])
  })

  test('is of the version that its properties say', () => {
    const properties = { 'format-version': '3' }
    const schema = schemaOf(field(1, 'v', 'variant'))
    const definition = newTableDefinition({ ...REQUEST, schema, properties })
    expect(definition.formatVersion).toBe(3)
    expect(definition.properties).not.toHaveProperty('format-version')
    expect(refusalOf(() => newTableDefinition({ ...REQUEST, schema }))).toMatchObject({
      code: 'update-invalid',
      message: 'Invalid schema for v2:\n- Invalid type for v: variant is not supported until v3',
    })
  })

  test('is refused with a spec or order of columns that it has not', () => {
    const spec = { fields: [{ name: 'x', sourceId: 99, transform: { kind: 'identity' as const } }] }
    expect(
      refusalOf(() => newTableDefinition({ ...REQUEST, schema: GIVEN, spec })).message,
    ).toMatch('Cannot find source column: 99')
    expect(
      refusalOf(() => newTableDefinition({ ...REQUEST, schema: GIVEN, location: '' })).message,
    ).toMatch('Invalid location')
  })
})

describe('a creating transaction', () => {
  const identity = {
    namespace: ['a', 'b'],
    name: 't',
    tableUuid: 'bbbbbbbb-03fe-4693-9a96-a0705ddf69c1',
    location: 's3://default/',
    nowMs: BORN_MS,
  }
  const schema: TableUpdate = { action: 'add-schema', schema: schemaOf(field(8, 'id')) }
  const create = (updates: readonly TableUpdate[]) =>
    createFromUpdates([{ type: 'assert-create' }], updates, identity)

  test('makes the table that its updates say, with their ids', () => {
    const { state, newSnapshots, newLogEntries } = create([
      { action: 'assign-uuid', uuid: UUID.toUpperCase() },
      { action: 'upgrade-format-version', formatVersion: 1 },
      schema,
      { action: 'set-current-schema', schemaId: -1 },
      {
        action: 'add-spec',
        spec: {
          fields: [{ name: 'id', sourceId: 8, transform: { kind: 'identity' }, fieldId: 1000 }],
        },
      },
      { action: 'set-default-spec', specId: -1 },
      { action: 'add-sort-order', sortOrder: { fields: [] } },
      { action: 'set-default-sort-order', sortOrderId: -1 },
      { action: 'set-location', location: 'file:/w/t' },
      { action: 'set-properties', updates: { a: 'b' } },
      addSnapshot(5n, 0n),
      setRef('main', 5n),
    ])
    expect(state).toMatchObject({
      namespace: ['a', 'b'],
      name: 't',
      version: 0,
      lastUpdatedMs: BORN_MS,
      createdAtMs: BORN_MS,
      currentSnapshot: { snapshotId: 5n, schemaId: 0 },
      publishedVersion: -1,
    })
    expect(state.definition).toEqual({
      formatVersion: 1,
      tableUuid: UUID,
      location: 'file:/w/t',
      lastColumnId: 8,
      schemas: [{ schemaId: 0, fields: [field(8, 'id')], identifierFieldIds: [] }],
      currentSchemaId: 0,
      partitionSpecs: [
        {
          specId: 0,
          fields: [{ name: 'id', sourceId: 8, transform: { kind: 'identity' }, fieldId: 1000 }],
        },
      ],
      defaultSpecId: 0,
      lastPartitionId: 1000,
      sortOrders: [{ orderId: 0, fields: [] }],
      defaultSortOrderId: 0,
      properties: { a: 'b' },
    })
    expect(newSnapshots).toHaveLength(1)
    expect(newLogEntries).toEqual([{ timestampMs: BORN_MS, snapshotId: 5n }])
  })

  test('is unpartitioned, unsorted, of version 2 and at the default place by default', () => {
    const { definition } = create([schema]).state
    expect(definition).toMatchObject({
      formatVersion: 2,
      tableUuid: identity.tableUuid,
      location: 's3://default',
      partitionSpecs: [{ specId: 0, fields: [] }],
      sortOrders: [{ orderId: 0, fields: [] }],
      lastPartitionId: 999,
    })
  })

  test('lists the unsorted order when that is the default', () => {
    const order = {
      fields: [
        { sourceId: 8, transform: { kind: 'identity' }, direction: 'asc', nullOrder: 'nulls-last' },
      ],
    } as const
    const { definition } = create([schema, { action: 'add-sort-order', sortOrder: order }]).state
    expect(definition.sortOrders.map((o) => o.orderId)).toEqual([0, 1])
  })

  test.each<[string, readonly TableUpdate[], string]>([
    ['no schema', [{ action: 'set-properties', updates: { a: 'b' } }], 'without a schema'],
    ['nothing at all', [], 'without a schema'],
    [
      'a spec before the schema',
      [{ action: 'add-spec', spec: { fields: [] } }, schema],
      'before a schema',
    ],
    [
      'an order before the schema',
      [{ action: 'add-sort-order', sortOrder: { fields: [] } }, schema],
      'before a schema',
    ],
    ['a snapshot before the schema', [addSnapshot(1n, 1n), schema], 'before a schema'],
    ['an invalid uuid', [{ action: 'assign-uuid', uuid: 'x' }, schema], 'an invalid uuid'],
    ['an odd version', [{ action: 'upgrade-format-version', formatVersion: 9 }, schema], 'v9'],
  ])('with %s is refused', (_what, updates, message) => {
    const error = refusalOf(() => create(updates))
    expect(error.code).toBe('update-invalid')
    expect(error.message).toMatch(message)
  })

  test('is refused with requirements of a table that exists', () => {
    const requirement = { type: 'assert-default-spec-id', defaultSpecId: 0 } as const
    expect(refusalOf(() => createFromUpdates([requirement], [schema], identity)).message).toBe(
      'Invalid create requirements: assert-default-spec-id',
    )
  })
})
