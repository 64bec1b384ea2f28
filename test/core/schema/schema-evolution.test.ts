import { describeColumns } from '../../../src/core/schema/column-definition.ts'
import {
  type EvolvedSchema,
  evolveSchema,
  type SchemaChange,
  sameSchema,
} from '../../../src/core/schema/schema-evolution.ts'
import { allFields, findFieldByName } from '../../../src/core/schema/schema-lookup.ts'
import type { Field } from '../../../src/core/value/type.ts'
import { PARSED, refusedColumn, SCHEMA } from './evolution-samples.ts'

/** `day`. */
const SOURCE_IDS = [2]

function evolve(changes: readonly SchemaChange[], from?: EvolvedSchema): EvolvedSchema {
  return evolveSchema({
    schema: from?.schema ?? SCHEMA,
    aliasesById: from?.aliasesById ?? PARSED.aliasesById,
    lastColumnId: from?.lastColumnId ?? PARSED.lastColumnId,
    sourceIds: SOURCE_IDS,
    changes,
  })
}

function namesOf({ schema }: EvolvedSchema): string[] {
  return schema.fields.map((field) => `${field.name} ${field.id}`)
}

describe('evolveSchema', () => {
  test('no changes change nothing, and the schema given stays as it is', () => {
    const before = structuredClone(SCHEMA)
    expect(evolve([])).toEqual({
      schema: SCHEMA,
      lastColumnId: PARSED.lastColumnId,
      aliasesById: PARSED.aliasesById,
      rewrites: new Map(),
    })
    evolve([{ op: 'drop', name: 'price' }])
    expect(SCHEMA).toEqual(before)
  })

  test('a new column goes to the end, or where it is put', () => {
    const evolved = evolve([
      { op: 'add', column: { name: 'end', type: 'int' } },
      { op: 'add', column: { name: 'start', type: 'int' }, first: true },
      { op: 'add', column: { name: 'behind', type: 'int' }, after: 'day' },
      { op: 'add', column: { name: 'ahead', type: 'int' }, before: 'PRICE' },
    ])
    expect(namesOf(evolved)).toEqual([
      'start 12',
      'id 1',
      'day 2',
      'behind 13',
      'ahead 14',
      'price 3',
      'address 4',
      'scores 5',
      'end 11',
    ])
    expect(evolved.lastColumnId).toBe(14)
  })

  test('a new nested column gets ids for all that is in it', () => {
    const column = { name: 'tags', type: 'list<map<int, string>>' }
    const evolved = evolve([{ op: 'add', column }])
    expect(findFieldByName(evolved.schema, 'tags')?.id).toBe(11)
    expect(findFieldByName(evolved.schema, 'tags.element.value')?.id).toBe(14)
    expect(evolved.lastColumnId).toBe(14)
  })

  test('a new column that is not nullable brings a default for the rows before it', () => {
    const column = { name: 'n', type: 'int', nullable: false, default: 7 }
    const evolved = evolve([{ op: 'add', column }])
    expect(findFieldByName(evolved.schema, 'n')).toEqual({
      id: 11,
      name: 'n',
      required: true,
      type: { kind: 'int' },
      initialDefault: 7,
      writeDefault: 7,
    })
  })

  test('a struct gets, renames, moves and loses members', () => {
    const evolved = evolve([
      {
        op: 'add',
        parent: { name: 'address' },
        column: { name: 'street', type: 'string' },
        before: 'city',
      },
      { op: 'rename', name: 'address.zip', to: 'postcode' },
      { op: 'move', name: 'address.city', first: true },
      { op: 'describe', name: 'address.city', description: 'where' },
    ])
    const members = describeColumns(evolved.schema)[3]?.type
    expect(members).toMatchObject({
      fields: [
        { id: 7, name: 'city', doc: 'where' },
        { id: 6, name: 'postcode' },
        { id: 11, name: 'street' },
      ],
    })
    expect(evolved.aliasesById.get(6)).toEqual(['zip'])
    const dropped = evolve([{ op: 'drop', name: 'address.postcode' }], evolved)
    expect(findFieldByName(dropped.schema, 'address.postcode')).toBeUndefined()
    expect(dropped.aliasesById.has(6)).toBe(false)
  })

  test('a rename keeps the field id, and the old name as an alias', () => {
    const evolved = evolve([{ op: 'rename', name: 'price', to: 'amount' }])
    expect(namesOf(evolved)).toContain('amount 3')
    expect(evolved.aliasesById).toEqual(new Map([[3, ['cost', 'price']]]))
    const back = evolve([{ op: 'rename', name: 'amount', to: 'price' }], evolved)
    expect(back.aliasesById).toEqual(new Map([[3, ['cost', 'amount']]]))
    expect(sameSchema(back.schema, SCHEMA)).toBe(true)
  })

  test('a change of case is a rename, too', () => {
    const evolved = evolve([{ op: 'rename', name: 'price', to: 'Price' }])
    expect(namesOf(evolved)).toContain('Price 3')
    expect(evolved.aliasesById.get(3)).toEqual(['cost', 'price'])
  })

  test('a dropped column’s name may be used again, by a column of a new id', () => {
    const evolved = evolve([
      { op: 'drop', name: 'price' },
      { op: 'add', column: { name: 'price', type: 'string' } },
    ])
    expect(namesOf(evolved)).toContain('price 11')
    expect(evolved.aliasesById.size).toBe(0)
  })

  test('a name in use is no longer another column’s alias', () => {
    const renamed = evolve([{ op: 'rename', name: 'price', to: 'amount' }])
    const added = evolve([{ op: 'add', column: { name: 'Price', type: 'int' } }], renamed)
    expect(added.aliasesById).toEqual(new Map([[3, ['cost']]]))
    const taken = evolve([{ op: 'rename', name: 'scores', to: 'price' }], renamed)
    expect(taken.aliasesById).toEqual(
      new Map([
        [3, ['cost']],
        [5, ['scores']],
      ]),
    )
    const passedOn = evolve(
      [
        { op: 'rename', name: 'scores', to: 'price' },
        { op: 'rename', name: 'price', to: 'marks' },
      ],
      renamed,
    )
    expect(passedOn.aliasesById.get(5)).toEqual(['scores', 'price'])
  })

  test('two columns swap their names', () => {
    const evolved = evolve([
      { op: 'rename', id: 2, to: 'price' },
      { op: 'rename', id: 3, to: 'day' },
    ])
    expect(namesOf(evolved).slice(1, 3)).toEqual(['price 2', 'day 3'])
    expect(evolved.aliasesById).toEqual(new Map([[3, ['cost']]]))
  })

  test.each([
    [{ op: 'move', name: 'scores', first: true }, ['scores', 'id', 'day', 'price', 'address']],
    [{ op: 'move', name: 'id', after: 'price' }, ['day', 'price', 'id', 'address', 'scores']],
    [{ op: 'move', name: 'scores', before: 'day' }, ['id', 'scores', 'day', 'price', 'address']],
  ] as [SchemaChange, string[]][])('%j reorders', (change, names) => {
    expect(evolve([change]).schema.fields.map((field) => field.name)).toEqual(names)
  })

  test.each([
    ['id', 'long', 'long'],
    ['id', 'INTEGER', 'long'],
    ['id', 'int', 'int'],
    ['price', 'decimal(12,2)', 'decimal(12,2)'],
    ['price', 'decimal(9,2)', 'decimal(9,2)'],
    ['scores.value.element', 'double', 'double'],
    ['address.zip', 'VARCHAR', 'string'],
    ['scores', 'map<string, list<float>>', undefined],
  ])('%s widens to %s', (name, type, result) => {
    const { schema } = evolve([{ op: 'widen', name, type }])
    const field = findFieldByName(schema, name)
    if (result === undefined) expect(sameSchema(schema, SCHEMA)).toBe(true)
    else expect(describeColumns({ fields: [field as Field] })[0]?.type).toBe(result)
    expect(allFields(schema).map((f) => f.id)).toEqual(allFields(SCHEMA).map((f) => f.id))
  })

  test.each(['new', 'kept'] as const)(
    'rewritten nested fields have ids that are %s',
    (rewriting) => {
      const struct = (id: number, type: string) => ({
        ...{ type: 'struct', fields: [{ id, name: 'x', type, required: false }] },
      })
      const map = (key: number, value: unknown) => ({
        ...{ type: 'map', 'key-id': key, key: 'string', 'value-id': key + 1, value },
        'value-required': false,
      })
      const added = evolve([
        { op: 'add', column: { name: 's', type: struct(1, 'long') } },
        { op: 'add', column: { name: 'l', type: 'list<long>' } },
        { op: 'add', column: { name: 'm', type: map(1, 'date') } },
      ])
      const ids = (from: EvolvedSchema) =>
        ['s.x', 'l.element', 'm.value'].map((name) => findFieldByName(from.schema, name)?.id ?? 0)
      const changes = [
        { op: 'type', name: 's.x', type: 'double' },
        { op: 'type', name: 'l.element', type: 'double' },
        { op: 'type', name: 'm.value', type: 'timestamp' },
      ] as const
      const after = evolveSchema({ ...added, sourceIds: [], rewriting, changes })
      const pairs = ids(after).map((id, i) => [id, ids(added)[i]] as const)
      expect([...after.rewrites]).toEqual(pairs)
      expect(pairs.every(([id, before]) => (id === before) === (rewriting === 'kept'))).toBe(true)
      const types = ['s.x', 'l.element', 'm.value'].map((name) =>
        findFieldByName(after.schema, name),
      )
      expect(types.map((field) => field?.type.kind)).toEqual(['double', 'double', 'timestamp'])
      const key = findFieldByName(after.schema, 'm.key')
      expect(key).toEqual(findFieldByName(added.schema, 'm.key'))
      const sources = ids(added)
      const attempt = () => evolveSchema({ ...added, sourceIds: sources, rewriting, changes })
      expect(attempt).toThrow(expect.objectContaining({ code: 'schema-change-invalid' }))
    },
  )

  test.each([
    ['long', 'double'],
    ['date', 'timestamp'],
    ['boolean', 'int'],
  ])('%s to %s would rewrite files, and says so', (from, to) => {
    const added = evolve([{ op: 'add', column: { name: 'c', type: from } }])
    expect(() => evolve([{ op: 'widen', name: 'c', type: to }], added)).toThrow(
      refusedColumn('c', `${from} to ${to}`, 'schema-change-rewrites-files'),
    )
  })

  test.each([
    ['id', 'string'],
    ['id', 'double'],
    ['id', 'decimal(9,0)'],
    ['price', 'decimal(8,2)'],
    ['price', 'decimal(12,3)'],
    ['price', 'double'],
    ['address', 'string'],
    ['scores', 'map<string, list<double>>'],
    ['scores.value', 'list<double>'],
    ['address', { type: 'struct', fields: [{ name: 'zip', type: 'string' }] }],
  ])('%s cannot become %j', (name, type) => {
    expect(() => evolve([{ op: 'type', name, type }])).toThrow(refusedColumn(name, 'cannot become'))
  })

  test('a column becomes nullable, and never the other way', () => {
    const required = evolve([
      { op: 'add', column: { name: 'n', type: 'int', nullable: false, default: 1 } },
    ])
    const { schema } = evolve([{ op: 'nullable', name: 'n', nullable: true }], required)
    expect(findFieldByName(schema, 'n')).toMatchObject({ required: false, initialDefault: 1 })
    const same = evolve([{ op: 'nullable', name: 'n', nullable: false }], required)
    expect(sameSchema(same.schema, required.schema)).toBe(true)
    expect(() => evolve([{ op: 'nullable', name: 'day', nullable: false }])).toThrow(
      refusedColumn('day', 'nullable'),
    )
  })

  test('a new default is for new rows; old rows keep theirs', () => {
    const added = evolve([{ op: 'add', column: { name: 'n', type: 'int', default: 1 } }])
    const { schema } = evolve([{ op: 'default', name: 'n', default: 2 }], added)
    expect(findFieldByName(schema, 'n')).toMatchObject({ initialDefault: 1, writeDefault: 2 })
    const none = evolve([{ op: 'default', name: 'n', default: null }], added)
    const field = findFieldByName(none.schema, 'n')
    expect(field).toMatchObject({ initialDefault: 1 })
    expect(field).not.toHaveProperty('writeDefault')
  })

  test('defaults beyond 2^53 are compared, in lists too', () => {
    const [field, ...others] = SCHEMA.fields as [Field, ...Field[]]
    const big = 2n ** 53n + 1n
    const having = (...initialDefault: readonly bigint[]) => ({
      ...{ ...SCHEMA, fields: [{ ...field, initialDefault }, ...others] },
    })
    expect(sameSchema(having(big, 7n), having(big, 7n))).toBe(true)
    expect(sameSchema(having(big), having(big + 2n))).toBe(false)
  })

  test('a description is set and removed', () => {
    const described = evolve([{ op: 'describe', name: 'day', description: 'when' }])
    expect(findFieldByName(described.schema, 'day')?.doc).toBe('when')
    const removed = evolve([{ op: 'describe', name: 'day', description: null }], described)
    expect(sameSchema(removed.schema, SCHEMA)).toBe(true)
  })

  test('aliases are set as a whole', () => {
    const { aliasesById } = evolve([{ op: 'aliases', name: 'price', aliases: ['x', 'y'] }])
    expect(aliasesById).toEqual(new Map([[3, ['x', 'y']]]))
    expect(evolve([{ op: 'aliases', name: 'price', aliases: [] }]).aliasesById.size).toBe(0)
    const own = evolve([{ op: 'aliases', name: 'price', aliases: ['PRICE'] }])
    expect(own.aliasesById.get(3)).toEqual(['PRICE'])
  })

  const n = { name: 'n', type: 'int' }
  test.each<[SchemaChange, string, string]>([
    [{ op: 'add', column: { ...n, name: 'DAY' } }, 'DAY', 'two of this name'],
    [{ op: 'add', column: { ...n, nullable: false } }, 'n', 'needs a default'],
    [
      { op: 'add', column: { ...n, nullable: false }, parent: { name: 'address' } },
      'address.n',
      'needs a default',
    ],
    [{ op: 'add', column: { ...n, default: 'x' } }, 'n', 'default'],
    [{ op: 'add', column: { ...n, name: '' } }, '', 'empty'],
    [{ op: 'add', column: { ...n, aliases: ['day'] } }, 'n', 'alias'],
    [{ op: 'add', column: { ...n, aliases: ['COST'] } }, 'n', 'alias'],
    [{ op: 'add', column: n, after: 'none' }, 'n', 'next to'],
    [{ op: 'add', column: n, after: 'day', first: true }, 'n', 'one of'],
    [{ op: 'add', column: n, parent: { name: 'day' } }, 'day.n', 'not a struct'],
    [{ op: 'add', column: n, parent: { name: 'none' } }, 'none', 'no such column'],
    [{ op: 'drop', name: 'none' }, 'none', 'no such column'],
    [{ op: 'drop', id: 99 }, 'of id 99', 'no such column'],
    [{ op: 'drop' }, '', 'name or id'],
    [{ op: 'drop', name: 'day', id: 2 }, 'day', 'name or id'],
    [{ op: 'drop', name: 'id' }, 'id', 'identifies'],
    [{ op: 'drop', name: 'day' }, 'day', 'partitioned'],
    [{ op: 'drop', name: 'scores.value' }, 'scores.value', 'list or map'],
    [{ op: 'rename', name: 'scores.value', to: 'v' }, 'scores.value', 'list or map'],
    [{ op: 'rename', name: 'day', to: 'ID' }, 'ID', 'two of this name'],
    [{ op: 'rename', name: 'day', to: '' }, '', 'empty'],
    [{ op: 'rename', name: 'day', to: 'address.zip' }, 'address.zip', 'two of this name'],
    [{ op: 'move', name: 'day' }, 'day', 'a position'],
    [{ op: 'move', name: 'day', after: 'day' }, 'day', 'next to'],
    [{ op: 'move', name: 'day', after: 'zip' }, 'day', 'next to'],
    [{ op: 'nullable', name: 'id', nullable: true }, 'id', 'identifies'],
    [{ op: 'nullable', name: 'scores.key', nullable: true }, 'scores.key', 'keys'],
    [{ op: 'widen', name: 'scores.key', type: 'string' }, 'scores.key', 'keys'],
    [{ op: 'default', name: 'day', default: 1 }, 'day', 'default'],
    [{ op: 'default', name: 'address', default: {} }, 'address', 'default'],
    [{ op: 'default', name: 'scores.value.element', default: 1 }, 'scores.value.element', 'list'],
    [{ op: 'describe', name: 'day', description: 'x'.repeat(20_000) }, 'day', 'description'],
    [{ op: 'aliases', name: 'day', aliases: ['id'] }, 'day', 'alias'],
    [{ op: 'aliases', name: 'day', aliases: ['cost'] }, 'price', 'alias'],
  ])('%.90j is refused by name', (change, column, rule) => {
    expect(() => evolve([change])).toThrow(refusedColumn(column, rule))
  })

  test('an alias is refused that is the name of another column in other letters', () => {
    const changes: SchemaChange[] = [
      { op: 'rename', name: 'day', to: 'DAY' },
      { op: 'aliases', name: 'price', aliases: ['day'] },
    ]
    expect(() => evolve(changes)).toThrow(refusedColumn('price', 'another column'))
  })

  test('an unknown type is refused as such', () => {
    expect(() => evolve([{ op: 'widen', name: 'day', type: 'thing' }])).toThrow(
      expect.objectContaining({ code: 'column-type-unknown' }) as Error,
    )
  })

  test('a member of a struct that is new with it may be required: no row has the struct', () => {
    const type = { type: 'struct', fields: [{ name: 'zip', type: 'string', required: true }] }
    const added = evolve([{ op: 'add', column: { name: 'home', type } }])
    expect(findFieldByName(added.schema, 'home.zip')?.required).toBe(true)
    const required: SchemaChange = { op: 'add', column: { name: 'home', type, nullable: false } }
    expect(() => evolve([required])).toThrow(refusedColumn('home', 'needs a default'))
  })

  test('the last column cannot be dropped, nor the last member of a struct', () => {
    const one: EvolvedSchema = {
      schema: { ...SCHEMA, fields: SCHEMA.fields.slice(2, 3), identifierFieldIds: [] },
      aliasesById: new Map(),
      lastColumnId: 10,
      rewrites: new Map(),
    }
    expect(() => evolve([{ op: 'drop', name: 'price' }], one)).toThrow(
      refusedColumn('price', 'last'),
    )
    const members: SchemaChange[] = [
      { op: 'drop', name: 'address.zip' },
      { op: 'drop', name: 'address.city' },
    ]
    expect(() => evolve(members)).toThrow(refusedColumn('address', 'at least one member'))
  })

  test('a struct that holds a source of the partitioning cannot be dropped', () => {
    const lastColumnId = PARSED.lastColumnId
    const drop: SchemaChange = { op: 'drop', name: 'address' }
    const aliasesById = PARSED.aliasesById
    const given = { schema: SCHEMA, changes: [drop], aliasesById, lastColumnId, sourceIds: [7] }
    expect(() => evolveSchema(given)).toThrow(refusedColumn('address', 'partitioned'))
  })

  test('more columns than a table may have are refused, and too many changes, too', () => {
    const add = (_: unknown, i: number): SchemaChange => {
      return { op: 'add', column: { name: `n${i}`, type: 'int' } }
    }
    expect(() => evolve(Array.from({ length: 1_991 }, add))).toThrow('at most 2000')
    expect(evolve(Array.from({ length: 1_990 }, add)).schema.fields).toHaveLength(1_995)
    expect(() => evolve(Array.from({ length: 2_501 }, add))).toThrow('at most 2500')
  })
})
