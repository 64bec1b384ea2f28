import type { TableUpdate } from '../../../src/core/metadata/table-update.ts'
import type { Transform } from '../../../src/core/partition/transform.ts'
import { currentSchema } from '../../../src/core/table/table.ts'
import type { Field, Schema, Type } from '../../../src/core/value/type.ts'
import { refusalOf } from '../../refusal.ts'
import {
  addSnapshot,
  field,
  refusalFor,
  SCHEMA,
  schemaOf,
  setRef,
  TableModel,
  tableOf,
} from './metadata-samples.ts'

const WIDER = schemaOf(...SCHEMA.fields, field(4, 'mass', 'double', { doc: 'in kg' }))
const SET_LAST: TableUpdate = { action: 'set-current-schema', schemaId: -1 }

const add = (schema: Schema): TableUpdate => ({ action: 'add-schema', schema })
const one = (type: Type): Schema => schemaOf({ id: 9, name: 'odd', required: false, type })

describe('add-schema', () => {
  test('assigns the next id and raises the last column id', () => {
    const { definition } = new TableModel().apply([add({ ...WIDER, schemaId: 77 }), SET_LAST]).state
    expect(definition.schemas.map((s) => s.schemaId)).toEqual([0, 1])
    expect(definition).toMatchObject({ currentSchemaId: 1, lastColumnId: 4 })
    expect(currentSchema(definition).fields).toEqual(WIDER.fields)
  })

  test('refuses a field id after which no column can be added', () => {
    for (const id of [2_000_000_001, 2 ** 31 - 1]) {
      const message = refusalFor([add(schemaOf(...SCHEMA.fields, field(id, 'last')))])
      expect(message).toContain(`field id ${id} leaves none for later columns`)
    }
    const high = schemaOf(...SCHEMA.fields, field(2_000_000_000, 'high'))
    expect(new TableModel().apply([add(high)]).state.definition.lastColumnId).toBe(2e9)
  })

  test('reuses the id of a schema that says the same, and that counts as added last', () => {
    const model = new TableModel().apply([add(WIDER), SET_LAST])
    const { definition } = model.apply([add(WIDER), add(SCHEMA), SET_LAST]).state
    expect(definition.schemas).toHaveLength(2)
    expect(definition.currentSchemaId).toBe(0)
  })

  test.each<[string, Partial<Field>]>([
    ['name', { name: 'label' }],
    ['doc', { doc: 'x' }],
    ['requiredness', { required: true }],
    ['write default', { writeDefault: 'x' }],
    ['type', { type: { kind: 'fixed', length: 3 } }],
  ])('takes another %s for another schema', (_what, change) => {
    const [first, second, ...rest] = SCHEMA.fields as [Field, Field, ...Field[]]
    const model = new TableModel().apply([add(schemaOf(first, { ...second, ...change }, ...rest))])
    expect(model.state.definition.schemas).toHaveLength(2)
  })

  test('knows nested types apart, and counts the ids in them', () => {
    const nested = (valueRequired: boolean, more: Partial<Field> = {}): Schema => {
      const member = field(8, 'deep', 'long', more)
      const inList: Type = { kind: 'struct', fields: [member] }
      const list: Type = { kind: 'list', elementId: 7, elementRequired: true, element: inList }
      const key: Type = { kind: 'string' }
      const type: Type = { kind: 'map', keyId: 5, key, valueId: 6, valueRequired, value: list }
      return schemaOf(...SCHEMA.fields, { id: 4, name: 'm', required: false, type })
    }
    const big = 2n ** 60n
    const model = new TableModel(tableOf(3)).apply([
      add(nested(true)),
      add(nested(false)),
      add(nested(true, { writeDefault: big })),
      add(nested(true)),
      // A small id may come as either.
      add(nested(true, { writeDefault: 5n })),
      add(nested(true, { writeDefault: 5 })),
    ])
    expect(model.state.definition).toMatchObject({ lastColumnId: 8, schemas: { length: 5 } })
  })

  test('never lowers the last column id', () => {
    const model = new TableModel().apply([add(WIDER), SET_LAST])
    expect(model.apply([add(schemaOf(field(1, 'id')))]).state.definition.lastColumnId).toBe(4)
  })

  test.each<[string, Type]>([
    ['variant', { kind: 'variant' }],
    ['timestamp_ns', { kind: 'timestamp_ns' }],
    ['unknown', { kind: 'unknown' }],
    ['geometry(srid:4326)', { kind: 'opaque', name: 'geometry(srid:4326)' }],
  ])('of type %s waits for version 3', (name, type) => {
    expect(refusalFor([add(one(type))])).toBe(
      `Invalid schema for v2:\n- Invalid type for odd: ${name} is not supported until v3` +
        ' (updates[0], add-schema)',
    )
    expect(() => new TableModel(tableOf(3)).apply([add(one(type))])).not.toThrow()
  })

  test('with a default waits for version 3, unless the table has that very default', () => {
    const withDefault = schemaOf(...SCHEMA.fields, field(4, 'mass', 'long', { initialDefault: 5 }))
    expect(refusalFor([add(withDefault)])).toMatch(
      'Invalid initial default for mass: non-null default (5) is not supported until v3',
    )
    const base = tableOf()
    const definition = { ...base.definition, schemas: [{ ...withDefault, schemaId: 0 }] }
    const model = new TableModel({ ...base, definition })
    const evolved = schemaOf(...withDefault.fields, field(5, 'radius'))
    expect(() => model.apply([add(evolved), SET_LAST])).not.toThrow()
  })

  test.each<[string, Schema, string]>([
    ['one name twice', schemaOf(field(1, 'a'), field(2, 'a')), 'multiple fields for name a'],
    ['one id twice', schemaOf(field(1, 'a'), field(1, 'b')), 'multiple fields of id 1'],
    ['no name', schemaOf(field(1, '')), 'a field has no name'],
    [
      'an unheard type',
      one({ kind: 'opaque', name: 'money' }),
      'Cannot parse type string to primitive: money',
    ],
    [
      'a full name twice',
      schemaOf(field(1, 'a.b'), {
        id: 2,
        name: 'a',
        required: false,
        type: { kind: 'struct', fields: [field(3, 'b')] },
      }),
      'multiple fields for name a.b',
    ],
    [
      'an optional identifier field',
      { ...SCHEMA, identifierFieldIds: [2] },
      'Cannot add field name as an identifier field: not a required field',
    ],
    [
      'an identifier field that is not there',
      { ...SCHEMA, identifierFieldIds: [99] },
      'Cannot add field 99 as an identifier field: field does not exist',
    ],
    [
      'a struct as identifier field',
      {
        fields: [
          {
            id: 1,
            name: 's',
            required: true,
            type: { kind: 'struct', fields: [field(2, 'a', 'long', { required: true })] },
          },
        ],
        schemaId: 0,
        identifierFieldIds: [2, 1],
      },
      'Cannot add field s as an identifier field: not a primitive type field',
    ],
    [
      'an identifier field in a list',
      {
        fields: [
          {
            id: 1,
            name: 'l',
            required: true,
            type: { kind: 'list', elementId: 2, elementRequired: true, element: { kind: 'long' } },
          },
        ],
        schemaId: 0,
        identifierFieldIds: [2],
      },
      'must not be nested in a list or map',
    ],
    [
      'too long a name',
      schemaOf(field(1, 'x'.repeat(1_001))),
      'a name of more than 1000 characters',
    ],
    [
      'a float as identifier field',
      { ...schemaOf(field(1, 'x', 'float', { required: true })), identifierFieldIds: [1] },
      'must not be float or double field',
    ],
  ])('with %s is refused', (_what, schema, message) => {
    expect(refusalFor([add(schema)], 3)).toMatch(message)
  })

  test('with hostile depth or width is refused', () => {
    let deep: Type = { kind: 'long' }
    for (let id = 1; id < 100; id++) {
      deep = { kind: 'list', elementId: id, elementRequired: true, element: deep }
    }
    expect(refusalFor([add(schemaOf({ ...field(100, 'd'), type: deep }))])).toMatch('deep')
    const wide = Array.from({ length: 10_001 }, (_, i) => field(i, `c${i}`))
    expect(refusalFor([add(schemaOf(...wide))])).toMatch('more than 10000 fields')
  })
})

describe('the current schema', () => {
  test('is not set to one that is unknown or was never added', () => {
    expect(refusalFor([{ action: 'set-current-schema', schemaId: 5 }])).toMatch(
      'Cannot set current schema to unknown schema: 5',
    )
    expect(refusalFor([SET_LAST])).toMatch('no schema has been added')
  })

  test('keeps the columns that the default partition spec and sort order need', () => {
    const model = new TableModel().apply([
      {
        action: 'add-spec',
        spec: { fields: [{ sourceId: 2, name: 'n', transform: { kind: 'bucket', buckets: 4 } }] },
      },
      { action: 'set-default-spec', specId: -1 },
    ])
    const without = schemaOf(field(1, 'id', 'long', { required: true }))
    const dropped = refusalOf(() => model.apply([add(without), SET_LAST]))
    expect(dropped.message).toBe('Cannot find source column for partition field: n (id 2)')
  })

  test('is not removed, nor is that of the current snapshot; unknown ids are passed over', () => {
    const remove = (...schemaIds: number[]): TableUpdate => ({
      action: 'remove-schemas',
      schemaIds,
    })
    expect(refusalFor([remove(0)])).toMatch('Cannot remove the current schema')

    const model = new TableModel().apply([addSnapshot(1n, 1n), setRef('main', 1n)])
    model.apply([add(WIDER), SET_LAST])
    expect(refusalOf(() => model.apply([remove(0)])).message).toMatch(
      'Cannot remove the schema of the current snapshot: 0',
    )
    model.apply([addSnapshot(2n, 2n), setRef('main', 2n)])
    expect(model.apply([remove(0, 41)]).state.definition.schemas.map((s) => s.schemaId)).toEqual([
      1,
    ])
    expect(refusalOf(() => model.apply([add(SCHEMA), remove(2), SET_LAST])).message).toMatch(
      'no schema has been added',
    )
  })
})

describe('a type that files cannot be read as', () => {
  const decimal = (precision: number, scale = 2): Type => ({ kind: 'decimal', precision, scale })
  const list = (element: Type): Type => ({
    ...{ kind: 'list', elementId: 31, elementRequired: false, element },
  })
  const struct = (type: Type): Type => ({
    ...{ kind: 'struct', fields: [{ id: 32, name: 'm', required: false, type }] },
  })
  const kind = (name: string): Type => ({ kind: name }) as Type
  const ROW_IDS = { firstRowId: 0n, addedRows: 3n }
  /** A table of rows whose column has a type. */
  const filled = (type: Type, version: 1 | 2 | 3 = 2): TableModel =>
    new TableModel(tableOf(version)).apply([
      add(schemaOf(...SCHEMA.fields, { id: 30, name: 'c', required: false, type })),
      SET_LAST,
      addSnapshot(1n, version === 1 ? 0n : 1n, version === 3 ? ROW_IDS : {}),
      setRef('main', 1n),
    ])
  const becomes = (type: Type): TableUpdate[] => [
    add(schemaOf(...SCHEMA.fields, { id: 30, name: 'c', required: false, type })),
    SET_LAST,
  ]

  test.each<[string, Type, Type]>([
    ['long to int', kind('long'), kind('int')],
    ['double to float', kind('double'), kind('float')],
    ['long to string', kind('long'), kind('string')],
    ['string to uuid', kind('string'), kind('uuid')],
    ['timestamptz to timestamp', kind('timestamptz'), kind('timestamp')],
    ['fewer digits', decimal(9), decimal(8)],
    ['another scale', decimal(9), decimal(10, 3)],
    ['other bytes', { kind: 'fixed', length: 3 }, { kind: 'fixed', length: 4 }],
    ['date to timestamp before version 3', kind('date'), kind('timestamp')],
    ['a list of narrower elements', list(kind('long')), list(kind('int'))],
    ['a narrower member', struct(kind('double')), struct(kind('float'))],
    ['a list for its element', list(kind('long')), kind('long')],
    ['a struct for a number', kind('long'), struct(kind('long'))],
  ])('cannot be that of a column: %s', (_what, from, to) => {
    const model = filled(from)
    const { code, facts, message } = refusalOf(() => model.apply(becomes(to)))
    expect([code, message.slice(0, 25)]).toEqual(['update-invalid', 'Cannot change column type'])
    expect([30, 31, 32]).toContain(facts['fieldId'])
    expect(currentSchema(model.state.definition).fields.at(-1)?.type).toEqual(from)
  })

  test.each<[Transform, Type, Type, boolean]>([
    [{ kind: 'identity' }, kind('int'), kind('long'), true],
    [{ kind: 'bucket', buckets: 4 }, kind('int'), kind('long'), true],
    [{ kind: 'day' }, kind('date'), kind('timestamp'), true],
    [{ kind: 'identity' }, kind('date'), kind('timestamp'), false],
    [{ kind: 'bucket', buckets: 4 }, kind('date'), kind('timestamp_ns'), false],
    [{ kind: 'identity' }, kind('string'), kind('binary'), true],
    [{ kind: 'truncate', width: 4 }, kind('string'), kind('binary'), false],
    [{ kind: 'truncate', width: 4 }, kind('int'), kind('long'), true],
  ])('a column that partitions are made of stays in them: %j', (transform, from, to, isTaken) => {
    const spec = { fields: [{ sourceId: 30, name: 'p', transform }] }
    const model = filled(from, 3).apply([{ action: 'add-spec', spec }])
    const widen = () => model.apply(becomes(to))
    if (isTaken) expect(currentSchema(widen().state.definition).fields.at(-1)?.type).toEqual(to)
    else expect(refusalOf(widen).message).toContain('its data files would be in other partitions')
  })

  test.each<[string, Type, Type, 1 | 2 | 3]>([
    ['int to long', kind('int'), kind('long'), 1],
    ['float to double', kind('float'), kind('double'), 2],
    ['more digits', decimal(9), decimal(38), 2],
    ['elements', list(kind('int')), list(kind('long')), 2],
    ['members', struct(decimal(3)), struct(decimal(4)), 2],
    ['string to binary, as PyIceberg has it', kind('string'), kind('binary'), 2],
    ['binary to string', kind('binary'), kind('string'), 2],
    ['fixed to uuid', { kind: 'fixed', length: 16 }, kind('uuid'), 2],
    ['date to timestamp', kind('date'), kind('timestamp'), 3],
    ['date to timestamp_ns', kind('date'), kind('timestamp_ns'), 3],
    ['unknown to any', kind('unknown'), kind('string'), 3],
    ['unknown to what is nested', kind('unknown'), list(kind('int')), 3],
  ])('but promotions are taken: %s', (_what, from, to, version) => {
    const { definition } = filled(from, version).apply(becomes(to)).state
    expect(currentSchema(definition).fields.at(-1)?.type).toEqual(to)
  })

  test('is refused by way of an earlier schema, and of a column that was dropped', () => {
    const model = filled(kind('int')).apply(becomes(kind('long')))
    const back: TableUpdate = { action: 'set-current-schema', schemaId: 1 }
    expect(refusalOf(() => model.apply([back])).message).toContain('c: long -> int')
    model.apply([{ action: 'set-current-schema', schemaId: 0 }])
    expect(refusalOf(() => model.apply(becomes(kind('string')))).message).toContain('-> string')
    model.apply(becomes(kind('long')))
  })

  test('is taken by a table without rows, and where a commit replaces the table', () => {
    new TableModel().apply(becomes(kind('long'))).apply(becomes(kind('string')))
    const main: TableUpdate = { action: 'remove-snapshot-ref', refName: 'main' }
    filled(kind('long')).apply([main, ...becomes(kind('string'))])
  })

  test('may be that of a schema which is not the current one', () => {
    const [narrow] = becomes(kind('int'))
    filled(kind('long')).apply([narrow as TableUpdate])
  })
})
