import fc from 'fast-check'
import {
  assignFreshIds,
  type ColumnDefinition,
  describeColumns,
  parseColumns,
} from '../../../src/core/schema/column-definition.ts'
import { columnTypeToJson, parseColumnType } from '../../../src/core/schema/column-type.ts'
import { allFields } from '../../../src/core/schema/schema-lookup.ts'
import { typeName } from '../../../src/core/value/type.ts'

function refusal(code: string, column: string, rule = ''): Error {
  return expect.objectContaining({
    code,
    message: expect.stringContaining(rule),
    facts: expect.objectContaining({ column }),
  })
}

function column(name: string, type: unknown = 'long'): ColumnDefinition {
  return { name, type }
}

function nested(depth: number): unknown {
  return depth === 1 ? 'int' : { type: 'list', element: nested(depth - 1) }
}

describe('parseColumnType', () => {
  test.each([
    ['int', 'int'],
    ['LONG', 'long'],
    ['INTEGER', 'long'],
    ['Double', 'double'],
    ['VARCHAR', 'string'],
    ['BLOB', 'binary'],
    ['BOOLEAN', 'boolean'],
    ['DATE', 'date'],
    ['TIME', 'time'],
    ['TIMESTAMP', 'timestamp'],
    ['timestamptz', 'timestamptz'],
    ['uuid', 'uuid'],
    [' string ', 'string'],
    ['decimal(9,2)', 'decimal(9,2)'],
    ['DECIMAL( 38 , 38 )', 'decimal(38,38)'],
    ['decimal(1,0)', 'decimal(1,0)'],
    ['fixed(16)', 'fixed[16]'],
    ['fixed[1048576]', 'fixed[1048576]'],
    ['list<string>', 'list<string>'],
    ['ARRAY<VARCHAR>', 'list<string>'],
    ['ARRAY<ARRAY<DECIMAL(9,2)>>', 'list<list<decimal(9,2)>>'],
    ['map<string, list<int>>', 'map<string, list<int>>'],
    ['map<decimal(4,1), map<int, int>>', 'map<decimal(4,1), map<int, int>>'],
  ])('%s is %s', (text, name) => {
    expect(typeName(parseColumnType(text, 'c'))).toBe(name)
  })

  test('Iceberg JSON is read with ids or without, and written back', () => {
    const json = {
      type: 'struct',
      fields: [
        { id: 4, name: 'a', required: true, type: 'int', doc: 'first', 'write-default': 7 },
        {
          id: 5,
          name: 'b',
          required: false,
          type: {
            type: 'map',
            'key-id': 6,
            key: 'string',
            'value-id': 7,
            value: { type: 'list', 'element-id': 8, element: 'fixed[4]', 'element-required': true },
            'value-required': false,
          },
        },
      ],
    }
    expect(columnTypeToJson(parseColumnType(json, 'c'))).toEqual(json)
    const bare = { type: 'list', element: { type: 'map', key: 'int', value: 'VARCHAR' } }
    expect(columnTypeToJson(parseColumnType(bare, 'c'))).toEqual({
      type: 'list',
      'element-id': 0,
      'element-required': false,
      element: {
        type: 'map',
        'key-id': 0,
        key: 'int',
        'value-id': 0,
        value: 'string',
        'value-required': false,
      },
    })
  })

  test.each([
    '',
    'bigint',
    'longs',
    'decimal',
    'decimal(9)',
    'decimal(9,-1)',
    'decimal(9999999999,1)',
    'fixed',
    'list<>',
    'list<thing>',
    'list<int',
    'map<int>',
    'map<list<int>, int>',
    'x'.repeat(1_000_000),
    'list<'.repeat(200),
    7,
    7n,
    null,
    undefined,
    true,
    [],
    {},
    { type: 'set', element: 'int' },
    { type: { type: 'list', element: 5n } },
    { type: 'list' },
    { type: 'map', key: 'int' },
  ])('%.30p is unknown, and the refusal lists what is known', (type) => {
    expect(() => parseColumnType(type, 'price')).toThrow(refusal('column-type-unknown', 'price'))
    expect(() => parseColumnType(type, 'price')).toThrow(
      expect.objectContaining({
        facts: expect.objectContaining({ known: expect.arrayContaining(['long', 'varchar']) }),
      }) as Error,
    )
  })

  test.each([
    ['timestamp_ns', 'format version 3'],
    ['variant', 'format version 3'],
    ['geometry(srid:4326)', 'format version 3'],
    ['STRUCT', 'Iceberg JSON'],
    ['struct<a: int>', 'Iceberg JSON'],
    ['DECIMAL', 'decimal(precision,scale)'],
  ])('%s is refused with a hint: %s', (type, hint) => {
    expect(() => parseColumnType(type, 'c')).toThrow(refusal('column-type-unknown', 'c', hint))
  })

  test.each<[unknown, string]>([
    ['decimal(39,2)', 'digits'],
    ['decimal(0,0)', 'digits'],
    ['decimal(4,5)', 'digits'],
    ['fixed(0)', 'bytes'],
    ['fixed(1048577)', 'bytes'],
    [nested(17), '16 deep'],
    [{ type: 'struct' }, 'at least one member'],
    [{ type: 'struct', fields: [] }, 'at least one member'],
    [{ type: 'struct', fields: {} }, 'at least one member'],
    [{ type: 'struct', fields: [null] }, 'an object'],
    [{ type: 'struct', fields: [{ type: 'int' }] }, 'must be text'],
    [{ type: 'struct', fields: [{ name: '', type: 'int' }] }, 'empty'],
    [{ type: 'list', element: 'int', 'element-id': 1.5 }, 'integer'],
    [{ type: 'list', element: 'int', 'element-id': 2 ** 31 }, 'integer'],
    [{ type: 'list', element: 'int', 'element-required': 'yes' }, 'true or false'],
  ])('the type %.40j is refused for its parts', (type, rule) => {
    expect(() => parseColumns([column('c', type)])).toThrow(
      expect.objectContaining({
        code: 'schema-invalid',
        message: expect.stringContaining(rule),
      }) as Error,
    )
  })

  test('sixteen levels are allowed, and nothing deeper is even looked at', () => {
    expect(typeName(parseColumnType(nested(16), 'c'))).toContain('list<')
    let deep: unknown = 'int'
    for (let i = 0; i < 100_000; i++) deep = { type: 'list', element: deep }
    expect(() => parseColumnType(deep, 'c')).toThrow('16 deep')
  })
})

describe('parseColumns', () => {
  test('a column becomes a field, and is described as it was', () => {
    const definition = {
      name: 'price',
      type: 'DECIMAL(9,2)',
      nullable: false,
      default: '1.50',
      description: 'in euro',
      aliases: ['cost'],
    }
    const { fields, aliasesById, lastColumnId } = parseColumns([definition, column('n')])
    expect(fields).toEqual([
      {
        id: 1,
        name: 'price',
        required: true,
        type: { kind: 'decimal', precision: 9, scale: 2 },
        doc: 'in euro',
        initialDefault: '1.50',
        writeDefault: '1.50',
      },
      { id: 2, name: 'n', required: false, type: { kind: 'long' } },
    ])
    expect(lastColumnId).toBe(2)
    expect(aliasesById).toEqual(new Map([[1, ['cost']]]))
    expect(describeColumns({ fields }, aliasesById)).toEqual([
      { ...definition, id: 1, type: 'decimal(9,2)' },
      {
        id: 2,
        name: 'n',
        type: 'long',
        nullable: true,
        default: null,
        description: null,
        aliases: [],
      },
    ])
  })

  test('ids go level by level: columns first, then what is in each', () => {
    const inner = { type: 'struct', fields: [{ name: 'x', type: 'int', id: 77 }] }
    const { fields, lastColumnId } = parseColumns([
      column('a', { type: 'struct', fields: [{ name: 'b', type: inner }, column('c')] }),
      column('m', { type: 'map', key: 'string', value: 'list<int>' }),
      column('z'),
    ])
    const ids = allFields({ fields }).map((field) => `${field.name} ${field.id}`)
    expect(ids).toEqual(['a 1', 'b 4', 'x 6', 'c 5', 'm 2', 'key 7', 'value 8', 'element 9', 'z 3'])
    expect(lastColumnId).toBe(9)
  })

  test('a long default beyond 2^53 is kept exactly, and described as text', () => {
    const { fields } = parseColumns([
      { name: 'a', type: 'long', default: '9007199254740993' },
      { name: 'b', type: 'long', default: 9_007_199_254_740_993n },
    ])
    expect(fields.map((field) => field.writeDefault)).toEqual([
      9_007_199_254_740_993n,
      9_007_199_254_740_993n,
    ])
    const defaults = describeColumns({ fields }).map((described) => described.default)
    expect(defaults).toEqual(['9007199254740993', '9007199254740993'])
  })

  test.each<[unknown, unknown]>([
    ['int', 'one'],
    ['int', 1.5],
    ['int', 2 ** 31],
    ['long', 2 ** 53],
    ['boolean', 0],
    ['date', '2023-02-30'],
    ['decimal(4,2)', '100.00'],
    ['decimal(4,2)', 1.5],
    ['fixed(2)', '00'],
    ['string', 'x'.repeat(65_537)],
    ['list<int>', []],
    [{ type: 'struct', fields: [{ name: 'x', type: 'int' }] }, {}],
  ])('of type %j, the default %.20j is refused', (type, value) => {
    const definition = { name: 'c', type, default: value }
    expect(() => parseColumns([definition])).toThrow(refusal('schema-invalid', 'c', 'default'))
  })

  test.each([
    [[], '', 'at least one'],
    [[column('')], '', 'empty'],
    [[column('a\u0000b')], 'a\ufffdb', 'control'],
    [[column('a\u0085b')], 'a\ufffdb', 'control'],
    [[column('n'.repeat(256))], `${'n'.repeat(100)}…`, '255'],
    [[column('a'), column('A')], 'A', 'two of this name'],
    [[{ ...column('a'), description: 'x'.repeat(20_000) }], 'a', 'description'],
    [[{ ...column('a'), aliases: ['b'] }, column('B')], 'a', 'alias'],
    [
      [
        { ...column('a'), aliases: ['x'] },
        { ...column('b'), aliases: ['X'] },
      ],
      'b',
      'alias',
    ],
    [[{ ...column('a'), aliases: ['x', 'x'] }], 'a', 'twice'],
    [[{ ...column('a'), aliases: [''] }], '', 'empty'],
  ])('columns %#: refused by name', (columns, name, rule) => {
    expect(() => parseColumns(columns)).toThrow(refusal('schema-invalid', name, rule))
  })

  test('a column called as a struct’s member in full is refused', () => {
    const struct = { type: 'struct', fields: [{ name: 'b', type: 'int' }] }
    expect(() => parseColumns([column('a', struct), column('a.b')])).toThrow(
      refusal('schema-invalid', 'a.b', 'two of this name'),
    )
  })

  test('two thousand columns are the most, nested ones included', () => {
    const columns = Array.from({ length: 2_000 }, (_, i) => column(`c${i}`))
    expect(parseColumns(columns).lastColumnId).toBe(2_000)
    expect(() => parseColumns([...columns, column('x')])).toThrow('at most 2000')
    expect(() => parseColumns([...columns.slice(1), column('x', 'list<int>')])).toThrow(
      'at most 2000',
    )
  })

  test('fresh ids are each number once, from the first on', () => {
    const types: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
      type: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom('int', 'decimal(9,2)'),
        tie('type').map((element) => ({ type: 'list', element })),
        tie('type').map((value) => ({ type: 'map', key: 'int', value })),
        fc.array(tie('type'), { minLength: 1, maxLength: 3 }).map((members) => ({
          type: 'struct',
          fields: members.map((t, i) => column(`m${i}`, t)),
        })),
      ),
    })).type
    fc.assert(
      fc.property(fc.array(types, { minLength: 1, maxLength: 4 }), (all) => {
        const { fields } = parseColumns(all.map((type, i) => column(`c${i}`, type)))
        const fresh = assignFreshIds(fields, 100)
        const ids = allFields(fresh).map((field) => field.id)
        expect(ids.sort((a, b) => a - b)).toEqual(ids.map((_, i) => 100 + i))
        expect(fresh.lastId).toBe(99 + ids.length)
        expect(fresh.fields.map((field) => field.id)).toEqual(all.map((_, i) => 100 + i))
      }),
    )
  })
})
