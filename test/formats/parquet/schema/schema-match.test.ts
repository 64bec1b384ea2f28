import { nameMappingOf } from '../../../../src/core/schema/name-mapping.ts'
import type { SchemaProblem } from '../../../../src/core/schema/schema-problem.ts'
import type { Field, PrimitiveType, Schema, Type } from '../../../../src/core/value/type.ts'
import { inferSchemaFields } from '../../../../src/formats/parquet/schema/parquet-schema.ts'
import { matchFileSchema } from '../../../../src/formats/parquet/schema/schema-match.ts'
import { refusal } from '../../../refusal.ts'
import {
  footerOf,
  LOGICAL,
  type SampleChunk,
  type SampleFile,
  type SampleNode,
  sampleFooter,
} from '../sample-file.ts'
import { readShared, SHARED_FILES, testWithShared } from '../shared-data.ts'

const A: SampleNode = { name: 'a', physical: 'INT32' }
const B: SampleNode = { name: 'b', physical: 'BYTE_ARRAY', logical: LOGICAL.string }

function column(id: number, name: string, type: Type, extra: Partial<Field> = {}): Field {
  return { id, name, required: false, type, ...extra }
}
const int: PrimitiveType = { kind: 'int' }
const string: PrimitiveType = { kind: 'string' }
function schemaOf(...fields: Field[]): Schema {
  return { schemaId: 0, fields, identifierFieldIds: [] }
}
const AB = schemaOf(column(1, 'a', int), column(2, 'b', string))

async function match(file: SampleFile, schema: Schema, aliases?: [number, string[]][]) {
  const nameMapping = aliases === undefined ? undefined : nameMappingOf(schema, new Map(aliases))
  const footer = await sampleFooter(file)
  return matchFileSchema({ footer, schema, ...(nameMapping === undefined ? {} : { nameMapping }) })
}

async function problems(file: SampleFile, schema: Schema, aliases?: [number, string[]][]) {
  const { code, facts } = await refusal(match(file, schema, aliases))
  expect(code).toBe('file-schema-mismatch')
  return (facts['problems'] as SchemaProblem[]).map(({ column: name, rule }) => `${name}: ${rule}`)
}

test('columns without ids are found by name, in any order', async () => {
  expect(await match({ columns: [B, A] }, AB)).toEqual({
    hasFieldIds: false,
    fieldIds: [2, 1],
    missingNames: [],
    notes: [],
    conversions: [],
  })
})

test('columns with ids are found by id, whatever their name', async () => {
  const columns = [
    { ...B, name: 'x', fieldId: 2 },
    { ...A, fieldId: 1 },
  ]
  expect(await match({ columns }, AB)).toMatchObject({ hasFieldIds: true, fieldIds: [2, 1] })
})

test('an alias finds its column; a spelling in another case does, and is reported', async () => {
  const columns = [
    { ...A, name: 'old' },
    { ...B, name: 'B' },
  ]
  expect(await match({ columns }, AB, [[1, ['old']]])).toMatchObject({
    fieldIds: [1, 2],
    missingNames: [{ fieldId: 2, name: 'B' }],
  })
})

test('an alias in another case is the last that is tried', async () => {
  const aliases: [number, string[]][] = [[1, ['B', 'Old']]]
  const columns = [{ ...A, name: 'OLD' }, B]
  expect(await match({ columns }, AB, aliases)).toMatchObject({ fieldIds: [1, 2] })
  const found = await match({ columns: [{ ...A, name: 'B' }] }, AB, aliases)
  expect(found.fieldIds).toEqual([1])
})

test('a spelling that could be two columns is refused', async () => {
  const twins = schemaOf(column(1, 'id', int), column(2, 'ID', int))
  const columns = [{ ...A, name: 'Id' }]
  expect(await problems({ columns }, twins)).toEqual(['Id: ambiguous-column'])
  const exact = [
    { ...A, name: 'ID' },
    { ...A, name: 'id' },
  ]
  expect(await match({ columns: exact }, twins)).toMatchObject({ fieldIds: [2, 1] })
})

test('two columns of the file for one of the table are refused', async () => {
  const columns = [A, { ...A, name: 'old' }]
  expect(await problems({ columns }, AB, [[1, ['old']]])).toEqual(['old: ambiguous-column'])
})

test('every problem is reported, by column', async () => {
  const table = schemaOf(
    column(1, 'a', string),
    column(2, 'b', int),
    column(3, 'c', int, { required: true }),
  )
  const columns = [A, B, { name: 'd', physical: 'DOUBLE' as const }]
  expect(await problems({ columns }, table)).toEqual([
    'a: column-type',
    'b: column-type',
    'd: extra-column',
    'c: missing-column',
  ])
})

test('a column that is not there is fine when it is optional or has a default', async () => {
  const table = schemaOf(
    column(1, 'a', int),
    column(2, 'b', string),
    column(3, 'c', int, { required: true, initialDefault: 0 }),
  )
  expect(await match({ columns: [A] }, table)).toMatchObject({ fieldIds: [1] })
})

const numbers: PrimitiveType[] = [{ kind: 'long' }, { kind: 'double' }, { kind: 'float' }]
const decimal = (precision: number, scale: number): PrimitiveType => ({
  kind: 'decimal',
  precision,
  scale,
})
const kind = (name: 'timestamp' | 'timestamptz' | 'uuid' | 'binary' | 'date') =>
  ({ kind: name }) as const
const DECIMAL: Omit<SampleNode, 'name'> = { physical: 'INT32', logical: LOGICAL.decimal(9, 2) }
const MILLIS_UTC = { physical: 'INT64', logical: LOGICAL.timestamp('millis', true) } as const
const FIXED16 = { physical: 'FIXED_LEN_BYTE_ARRAY', typeLength: 16 } as const

test.each<[Omit<SampleNode, 'name'>, readonly Type[], readonly Type[]]>([
  [{ physical: 'INT32' }, [int, numbers[0] as Type], [string, numbers[1] as Type, kind('date')]],
  [{ physical: 'INT64' }, [{ kind: 'long' }], [int, { kind: 'double' }, kind('timestamp')]],
  [{ physical: 'FLOAT' }, [{ kind: 'float' }, { kind: 'double' }], [int]],
  [{ physical: 'DOUBLE' }, [{ kind: 'double' }], [{ kind: 'float' }]],
  [DECIMAL, [decimal(9, 2), decimal(38, 2)], [decimal(8, 2), decimal(12, 3), int]],
  [{ physical: 'BYTE_ARRAY' }, [kind('binary')], [string, { kind: 'fixed', length: 3 }]],
  [{ physical: 'BYTE_ARRAY', converted: 0 }, [string], [kind('binary')]],
  [{ physical: 'INT96' }, [kind('timestamp'), kind('timestamptz')], [{ kind: 'long' }]],
  [MILLIS_UTC, [kind('timestamptz')], [kind('timestamp'), { kind: 'long' }]],
  [FIXED16, [kind('uuid'), { kind: 'fixed', length: 16 }], [{ kind: 'fixed', length: 15 }]],
  [{ physical: 'INT32', converted: 13 }, [{ kind: 'long' }], [int]],
])('%j is read as its own type or a wider one, and as nothing else', async (node, yes, no) => {
  const columns = [{ name: 'a', ...node }]
  for (const type of yes) {
    expect(await match({ columns }, schemaOf(column(1, 'a', type)))).toMatchObject({
      fieldIds: [1],
    })
  }
  for (const type of no) {
    expect(await problems({ columns }, schemaOf(column(1, 'a', type)))).toEqual(['a: column-type'])
  }
})

test('a type that no engine reads is refused by name', async () => {
  const columns = [
    { ...A, physical: 'FIXED_LEN_BYTE_ARRAY', typeLength: 2, logical: LOGICAL.float16 },
  ] as const
  await expect(match({ columns }, AB)).rejects.toThrow('a has type FLOAT16 (FIXED_LEN_BYTE_ARRAY)')
})

const REQUIRED = schemaOf(column(1, 'a', int, { required: true }))
const withNulls = (...nullCounts: (number | undefined)[]): SampleFile => ({
  columns: [A],
  rowGroups: nullCounts.map((nullCount) => {
    const chunk: SampleChunk = nullCount === undefined ? {} : { statistics: { nullCount } }
    return { rows: 5, chunks: [chunk] }
  }),
})

test('an optional column fills a required one only if no row group can have a null', async () => {
  expect(await match(withNulls(0, 0), REQUIRED)).toMatchObject({ fieldIds: [1] })
  expect(await match({ columns: [A] }, REQUIRED)).toMatchObject({ fieldIds: [1] })
  expect(await problems(withNulls(0, 1), REQUIRED)).toEqual(['a: null-in-required-column'])
  expect(await problems(withNulls(0, undefined), REQUIRED)).toEqual(['a: null-in-required-column'])
  expect(await problems(withNulls(-1), REQUIRED)).toEqual(['a: null-in-required-column'])
})

const STRUCT_TABLE = (required: boolean) =>
  schemaOf(
    column(
      1,
      's',
      { kind: 'struct', fields: [column(2, 'x', int), column(3, 'y', int)] },
      { required },
    ),
  )
const X: SampleNode = { name: 'x', physical: 'INT32' }
const Y: SampleNode = { name: 'Y', physical: 'INT32' }

test('members of a struct are found one by one', async () => {
  const columns = [{ name: 's', children: [Y, X] }]
  expect(await match({ columns }, STRUCT_TABLE(false), [])).toMatchObject({
    fieldIds: [3, 2],
    missingNames: [{ fieldId: 3, name: 'Y' }],
  })
  const odd = [{ name: 's', children: [X, { ...X, name: 'z' }] }]
  expect(await problems({ columns: odd }, STRUCT_TABLE(false))).toEqual(['s.z: extra-column'])
  expect(await problems({ columns: [{ ...X, name: 's' }] }, STRUCT_TABLE(false))).toEqual([
    's: column-type',
  ])
})

test('a struct is known to be there when one of its columns has no null', async () => {
  const file = (x: number, y: number): SampleFile => ({
    columns: [{ name: 's', children: [X, Y] }],
    rowGroups: [
      { rows: 5, chunks: [{ statistics: { nullCount: x } }, { statistics: { nullCount: y } }] },
    ],
  })
  expect(await match(file(5, 0), STRUCT_TABLE(true))).toMatchObject({ fieldIds: [2, 3] })
  expect(await problems(file(5, 1), STRUCT_TABLE(true))).toEqual(['s: null-in-required-column'])
})

test('a required member that the file lacks is named, unless it has a default', async () => {
  const member = (extra: Partial<Field>): Type => ({
    kind: 'struct',
    fields: [column(2, 'x', int), column(3, 'y', int, { required: true, ...extra })],
  })
  const inside = (type: Type): Schema[] => [
    schemaOf(column(1, 'a', type)),
    schemaOf(column(1, 'a', { kind: 'list', elementId: 4, elementRequired: false, element: type })),
    schemaOf(
      column(1, 'a', {
        ...{ kind: 'map', keyId: 5, key: int, valueId: 4, valueRequired: false, value: type },
      }),
    ),
  ]
  const child = (name: string): SampleNode => ({ name, children: [X] })
  const files: SampleNode[] = [
    child('a'),
    {
      ...{ name: 'a', logical: LOGICAL.list },
      children: [{ name: 'list', repetition: 'repeated', children: [child('element')] }],
    },
    {
      ...{ name: 'a', logical: LOGICAL.map },
      children: [
        {
          ...{ name: 'key_value', repetition: 'repeated' },
          children: [{ ...X, name: 'key', repetition: 'required' }, child('value')],
        },
      ],
    },
  ]
  const paths = ['a.y', 'a.element.y', 'a.value.y']
  for (const [i, file] of files.entries()) {
    const strict = inside(member({}))[i] as Schema
    expect(await problems({ columns: [file] }, strict)).toEqual([`${paths[i]}: missing-column`])
    const mild = inside(member({ initialDefault: 0 }))[i] as Schema
    expect((await match({ columns: [file] }, mild)).fieldIds).toContain(2)
  }
})

const LIST_TABLE = schemaOf(
  column(1, 'l', { kind: 'list', elementId: 2, elementRequired: false, element: int }),
)
const listColumn = (name: string, ...fieldIds: number[]): SampleNode => {
  const [listId, elementId] = fieldIds
  const element: SampleNode = {
    name,
    physical: 'INT32',
    ...(elementId === undefined ? {} : { fieldId: elementId }),
  }
  return {
    name: 'l',
    logical: LOGICAL.list,
    ...(listId === undefined ? {} : { fieldId: listId }),
    children: [{ name: 'list', repetition: 'repeated', children: [element] }],
  }
}

test('an element is the element, whatever the file calls it', async () => {
  expect(await match({ columns: [listColumn('item')] }, LIST_TABLE)).toMatchObject({
    fieldIds: [2],
  })
  expect(await match({ columns: [listColumn('item', 1, 2)] }, LIST_TABLE)).toMatchObject({
    hasFieldIds: true,
  })
})

test('field ids that disagree with the table, or are given to some only, are refused', async () => {
  expect(await problems({ columns: [listColumn('item', 1, 9)] }, LIST_TABLE)).toEqual([
    'l.element: field-ids',
  ])
  expect(await problems({ columns: [listColumn('item', 1)] }, LIST_TABLE)).toEqual([
    'l.element: field-ids',
  ])
  expect(await problems({ columns: [{ ...A, fieldId: 1 }, B] }, AB)).toEqual(['b: field-ids'])
  expect(await problems({ columns: [{ ...A, fieldId: 7 }] }, AB)).toEqual(['a: extra-column'])
})

test('exchanged ids are those of another table', async () => {
  const table = schemaOf(column(1, 'a', int), column(2, 'b', int))
  const swapped = [
    { ...A, fieldId: 2 },
    { ...A, name: 'b', fieldId: 1 },
  ]
  expect(await problems({ columns: swapped }, table)).toEqual(['a: field-ids', 'b: field-ids'])
  expect(await match({ columns: [{ ...A, fieldId: 2 }] }, table)).toMatchObject({ fieldIds: [2] })
})

test('a map is matched by key and value', async () => {
  const table = schemaOf(
    column(1, 'm', {
      kind: 'map',
      keyId: 2,
      key: string,
      valueId: 3,
      valueRequired: false,
      value: { kind: 'long' },
    }),
  )
  const entry: SampleNode = {
    name: 'map',
    repetition: 'repeated',
    children: [{ ...B, name: 'k' }, A],
  }
  const columns = [{ name: 'm', logical: LOGICAL.map, children: [entry] }]
  expect(await match({ columns }, table)).toMatchObject({ fieldIds: [2, 3], hasFieldIds: false })
})

test('elements and values that are required may not be null in the file', async () => {
  const withRows = (column: SampleNode, chunks: SampleChunk[]): SampleFile => ({
    columns: [column],
    rowGroups: [{ rows: 5, chunks }],
  })
  const list = (elementRequired: boolean) =>
    schemaOf(column(1, 'l', { kind: 'list', elementId: 2, elementRequired, element: int }))
  const ofList = withRows(listColumn('element'), [{}])
  expect(await problems(ofList, list(true))).toEqual(['l.element: null-in-required-column'])
  expect(await match(ofList, list(false))).toMatchObject({ fieldIds: [2] })
  const map = (valueRequired: boolean) => {
    const inside = { keyId: 2, key: string, valueId: 3, valueRequired, value: int }
    return schemaOf(column(1, 'm', { kind: 'map', ...inside }))
  }
  const entry: SampleNode = {
    ...{ name: 'key_value', repetition: 'repeated' },
    children: [
      { ...B, name: 'key' },
      { ...A, name: 'value' },
    ],
  }
  const ofMap = withRows({ name: 'm', logical: LOGICAL.map, children: [entry] }, [{}, {}])
  expect(await problems(ofMap, map(true))).toEqual(['m.value: null-in-required-column'])
  expect(await match(ofMap, map(false))).toMatchObject({ fieldIds: [2, 3] })
})

test('ids that only members have are field ids, too', async () => {
  const file: SampleFile = { columns: [{ name: 's', children: [{ ...X, fieldId: 2 }] }] }
  expect(await problems(file, STRUCT_TABLE(false))).toEqual(['s: field-ids'])
})

testWithShared('every real file fits the table that is inferred from it', async () => {
  for (const name of SHARED_FILES) {
    const footer = await footerOf(readShared(name))
    const schema = schemaOf(...inferSchemaFields(footer))
    const nameMapping = nameMappingOf(schema)
    const found = matchFileSchema({ footer, schema, nameMapping })
    expect(found.fieldIds).toHaveLength(footer.leaves.length)
    expect(found.missingNames).toEqual([])
  }
})

testWithShared('a file of another table is refused with its columns', async () => {
  const planets = schemaOf(...inferSchemaFields(await footerOf(readShared('planets.parquet'))))
  const footer = await footerOf(readShared('satellites.parquet'))
  expect(() => matchFileSchema({ footer, schema: planets })).toThrow(/planetId is not a column/)
})
