import {
  type ColumnDefinition,
  describeColumns,
  parseColumns,
} from '../../../src/core/schema/column-definition.ts'
import {
  evolveSchema,
  reconcileSchema,
  type SchemaChange,
  sameSchema,
} from '../../../src/core/schema/schema-evolution.ts'
import { findFieldByName } from '../../../src/core/schema/schema-lookup.ts'
import type { Field, Schema } from '../../../src/core/value/type.ts'
import { COLUMNS, PARSED, refusedColumn, SCHEMA } from './evolution-samples.ts'

function evolve(changes: readonly SchemaChange[]): { readonly schema: Schema } {
  const { aliasesById, lastColumnId } = PARSED
  return evolveSchema({ schema: SCHEMA, aliasesById, lastColumnId, sourceIds: [2], changes })
}

describe('reconcileSchema', () => {
  function reconcile(columns: readonly ColumnDefinition[]): readonly SchemaChange[] {
    return reconcileSchema({ schema: SCHEMA, aliasesById: PARSED.aliasesById, columns })
  }
  const described = describeColumns(SCHEMA, PARSED.aliasesById)

  test('the columns that a table has are no change, with ids or without', () => {
    expect(reconcile(described)).toEqual([])
    expect(reconcile(COLUMNS)).toEqual([])
    expect(reconcile(COLUMNS.map(({ name, type }) => ({ name, type })))).toEqual([])
  })

  test('a column is known by its id, its name, or an alias, in this order', () => {
    const [id, day, price, ...others] = described as [...typeof described, never, never]
    if (id === undefined || day === undefined || price === undefined) throw new Error('none')
    const byId = reconcile([id, day, { ...price, name: 'amount' }, ...others])
    expect(byId).toEqual([
      { op: 'rename', id: 3, to: 'amount' },
      { op: 'aliases', id: 3, aliases: ['cost', 'price'] },
    ])
    const byAlias = reconcile([id, day, { name: 'cost', type: 'decimal(9,2)' }, ...others])
    expect(byAlias).toEqual([{ op: 'rename', id: 3, to: 'cost' }])
    const amount = { name: 'amount', type: 'decimal(9,2)', aliases: ['price'] }
    expect(reconcile([id, day, amount, ...others])[0]).toEqual({
      op: 'rename',
      id: 3,
      to: 'amount',
    })
  })

  test('nested members are added, widened and dropped in place', () => {
    const columns = COLUMNS.map((column) => {
      if (column.name === 'scores') return { ...column, type: 'map<string, list<double>>' }
      if (column.name !== 'address') return column
      const fields = [
        { name: 'street', type: 'string' },
        { name: 'zip', type: 'string', doc: 'code' },
      ]
      return { ...column, type: { type: 'struct', fields } }
    })
    const { schema } = evolve(reconcile(columns))
    expect(findFieldByName(schema, 'address.street')?.id).toBe(11)
    expect(findFieldByName(schema, 'address.zip')).toMatchObject({ id: 6, doc: 'code' })
    expect(findFieldByName(schema, 'address.city')).toBeUndefined()
    expect(findFieldByName(schema, 'scores.value.element')?.type.kind).toBe('double')
  })

  test('what is not allowed as a change is not allowed so, either', () => {
    const without = COLUMNS.filter((column) => column.name !== 'day')
    expect(() => evolve(reconcile(without))).toThrow(refusedColumn('day', 'partitioned'))
    expect(() => evolve(reconcile([]))).toThrow(refusedColumn('id', 'identifies'))
    const retyped = COLUMNS.map((column) => ({ ...column, type: 'string' }))
    expect(() => evolve(reconcile(retyped))).toThrow(refusedColumn('id', 'cannot become'))
    const rekeyed = COLUMNS.with(4, { name: 'scores', type: 'map<int, list<float>>' })
    expect(() => evolve(reconcile(rekeyed))).toThrow(refusedColumn('scores.key', 'keys'))
  })

  test('a new required member without a default is refused: old rows would have nothing', () => {
    const columns = COLUMNS.with(3, {
      name: 'address',
      type: {
        type: 'struct',
        fields: [
          { name: 'zip', type: 'string' },
          { name: 'city', type: 'string' },
          { name: 'street', type: 'string', required: true },
        ],
      },
    })
    expect(() => evolve(reconcile(columns))).toThrow(
      refusedColumn('address.street', 'needs a default'),
    )
  })

  test('an element may become nullable, and may not cease to be', () => {
    const list = (required: boolean) => {
      return { type: 'list', 'element-id': 3, element: 'int', 'element-required': required }
    }
    const of = (required: boolean) => parseColumns([{ name: 'l', type: list(required) }])
    const changes = (from: boolean, to: boolean) =>
      reconcileSchema({
        schema: { ...SCHEMA, fields: of(from).fields },
        aliasesById: new Map(),
        columns: [{ name: 'l', type: list(to) }],
      })
    expect(changes(true, true)).toEqual([])
    expect(changes(true, false)).toEqual([{ op: 'nullable', id: 2, nullable: true }])
    expect(changes(false, true)).toEqual([{ op: 'nullable', id: 2, nullable: false }])
  })

  test('one column that comes first is one move, and a new one between two no other', () => {
    const [id, day, price, address, scores] = COLUMNS
    const order = (...columns: (ColumnDefinition | undefined)[]) =>
      reconcile(columns as ColumnDefinition[])
    expect(order(scores, id, day, price, address)).toEqual([{ op: 'move', id: 5, first: true }])
    expect(order(id, price, day, address, scores)).toEqual([{ op: 'move', id: 3, after: 'id' }])
    const added = order(id, { name: 'n', type: 'int' }, day, price, address, scores)
    expect(added.map(({ op }) => op)).toEqual(['add'])
  })

  test('an id that is unknown or given twice is refused', () => {
    expect(() => reconcile([...COLUMNS, { id: 42, name: 'x', type: 'int' }])).toThrow(
      refusedColumn('x', 'id 42'),
    )
    const twice = [1, 1].map((id, i) => ({ id, name: `x${i}`, type: 'int' }))
    expect(() => reconcile(twice)).toThrow(refusedColumn('x1', 'twice'))
  })
})

describe('sameSchema', () => {
  test('the schema id and the order of identifiers do not matter', () => {
    expect(sameSchema(SCHEMA, { ...SCHEMA, schemaId: 7 })).toBe(true)
    expect(
      sameSchema(
        { ...SCHEMA, identifierFieldIds: [1, 8] },
        { ...SCHEMA, identifierFieldIds: [8, 1] },
      ),
    ).toBe(true)
  })

  const [id, ...others] = SCHEMA.fields as [Field, ...Field[]]
  test.each<[string, Partial<Field>]>([
    ['id', { id: 10 }],
    ['name', { name: 'key' }],
    ['nullability', { required: false }],
    ['description', { doc: 'key' }],
    ['initial default', { initialDefault: 1 }],
    ['write default', { writeDefault: 1n }],
    ['type', { type: { kind: 'long' } }],
    ['precision', { type: { kind: 'decimal', precision: 9, scale: 2 } }],
    [
      'element',
      { type: { kind: 'list', elementId: 5, elementRequired: true, element: { kind: 'long' } } },
    ],
  ])('a column that differs in %s makes it another schema', (_, change) => {
    expect(sameSchema(SCHEMA, { ...SCHEMA, fields: [{ ...id, ...change }, ...others] })).toBe(false)
  })

  test('order and identifiers make a difference', () => {
    expect(sameSchema(SCHEMA, { ...SCHEMA, fields: [...others, id] })).toBe(false)
    expect(sameSchema(SCHEMA, { ...SCHEMA, identifierFieldIds: [] })).toBe(false)
  })
})
