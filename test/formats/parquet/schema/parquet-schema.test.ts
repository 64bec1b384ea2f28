import { parquetMetadata, parquetSchema } from 'hyparquet'
import { type Type, typeName } from '../../../../src/core/value/type.ts'
import { inferSchemaFields } from '../../../../src/formats/parquet/schema/parquet-schema.ts'
import { footerOf, LOGICAL, type SampleNode, sampleFooter } from '../sample-file.ts'
import { readShared, SHARED_FILES, testWithShared } from '../shared-data.ts'

async function infer(...columns: SampleNode[]) {
  return inferSchemaFields(await sampleFooter({ columns }))
}
async function inferType(column: Omit<SampleNode, 'name'>): Promise<Type> {
  const [field] = await infer({ name: 'c', ...column })
  return field?.type as Type
}

const INT: SampleNode = { name: 'n', physical: 'INT32' }
test.each<[string, Omit<SampleNode, 'name'>]>([
  ['boolean', { physical: 'BOOLEAN' }],
  ['int', { physical: 'INT32' }],
  ['long', { physical: 'INT64' }],
  ['timestamp', { physical: 'INT96' }],
  ['float', { physical: 'FLOAT' }],
  ['double', { physical: 'DOUBLE' }],
  ['binary', { physical: 'BYTE_ARRAY' }],
  ['fixed[7]', { physical: 'FIXED_LEN_BYTE_ARRAY', typeLength: 7 }],
  ['string', { physical: 'BYTE_ARRAY', logical: LOGICAL.string }],
  ['string', { physical: 'BYTE_ARRAY', converted: 0 }],
  ['string', { physical: 'BYTE_ARRAY', converted: 4 }],
  ['string', { physical: 'BYTE_ARRAY', converted: 19 }],
  ['binary', { physical: 'BYTE_ARRAY', converted: 20 }],
  ['uuid', { physical: 'FIXED_LEN_BYTE_ARRAY', typeLength: 16, logical: LOGICAL.uuid }],
  ['date', { physical: 'INT32', logical: LOGICAL.date }],
  ['date', { physical: 'INT32', converted: 6 }],
  ['time', { physical: 'INT32', logical: LOGICAL.time('millis') }],
  ['time', { physical: 'INT32', converted: 7 }],
  ['time', { physical: 'INT64', logical: LOGICAL.time('micros') }],
  ['timestamp', { physical: 'INT64', logical: LOGICAL.timestamp('millis', false) }],
  ['timestamptz', { physical: 'INT64', logical: LOGICAL.timestamp('micros', true) }],
  ['timestamptz', { physical: 'INT64', converted: 9 }],
  ['timestamptz', { physical: 'INT64', converted: 10 }],
  ['int', { physical: 'INT32', logical: LOGICAL.integer(8, true) }],
  ['int', { physical: 'INT32', logical: LOGICAL.integer(16, false) }],
  ['long', { physical: 'INT32', logical: LOGICAL.integer(32, false) }],
  ['long', { physical: 'INT32', converted: 13 }],
  ['long', { physical: 'INT64', converted: 18 }],
  ['decimal(20,0)', { physical: 'INT64', converted: 14 }],
  ['decimal(9,2)', { physical: 'INT32', logical: LOGICAL.decimal(9, 2) }],
  ['decimal(18,0)', { physical: 'INT64', converted: 5, precision: 18 }],
  ['decimal(38,38)', { physical: 'BYTE_ARRAY', converted: 5, precision: 38, scale: 38 }],
  [
    'decimal(30,4)',
    { physical: 'FIXED_LEN_BYTE_ARRAY', typeLength: 13, logical: LOGICAL.decimal(30, 4) },
  ],
])('%s is inferred from %j', async (name, column) => {
  expect(typeName(await inferType(column))).toBe(name)
})

test.each<[string, Omit<SampleNode, 'name'>]>([
  ['INTERVAL', { physical: 'FIXED_LEN_BYTE_ARRAY', typeLength: 12, converted: 21 }],
  ['logical type 99', { physical: 'INT32', logical: LOGICAL.later }],
  ['VARIANT', { logical: LOGICAL.variant, children: [INT] }],
  ['DECIMAL(39,0)', { physical: 'BYTE_ARRAY', logical: LOGICAL.decimal(39, 0) }],
  ['DECIMAL(4,5)', { physical: 'INT32', logical: LOGICAL.decimal(4, 5) }],
  ['DECIMAL(4,2)', { physical: 'DOUBLE', logical: LOGICAL.decimal(4, 2) }],
  ['DATE', { physical: 'INT64', logical: LOGICAL.date }],
  ['STRING', { physical: 'INT32', logical: LOGICAL.string }],
  ['UUID', { physical: 'FIXED_LEN_BYTE_ARRAY', typeLength: 12, logical: LOGICAL.uuid }],
  ['UINT_64', { physical: 'INT32', logical: LOGICAL.integer(64, false) }],
  ['TIME_MICROS', { physical: 'INT32', logical: LOGICAL.time('micros') }],
  ['TIMESTAMP_MILLIS', { physical: 'INT32', logical: LOGICAL.timestamp('millis', true) }],
  ['group without columns', { children: [] }],
  ['repeated field', { physical: 'INT32', repetition: 'repeated' }],
  ['map without keys and values', { logical: LOGICAL.map, children: [INT] }],
  ['list without its repeated group', { logical: LOGICAL.list, children: [INT] }],
])('%s is refused by name', async (name, column) => {
  const refusal = infer({ name: 'good', physical: 'INT32' }, { name: 'odd', ...column })
  await expect(refusal).rejects.toMatchObject({
    code: 'column-type-unknown',
    facts: { columns: [{ column: 'odd', type: expect.stringContaining(name) }] },
  })
})

test('half floats are taken as floats, with a note', async () => {
  const logical = LOGICAL.float16
  const column = { physical: 'FIXED_LEN_BYTE_ARRAY', typeLength: 2, logical } as const
  const [half] = await infer({ name: 'half', ...column })
  expect(half).toMatchObject({
    type: { kind: 'float' },
    notes: [expect.stringMatching(/^half: FLOAT16 becomes float/)],
  })
})

test('nanoseconds are taken with a note that names the column', async () => {
  const [when] = await infer({
    name: 'when',
    physical: 'INT64',
    logical: LOGICAL.timestamp('nanos', true),
  })
  expect(when).toMatchObject({
    type: { kind: 'timestamptz' },
    notes: [expect.stringMatching(/^when: TIMESTAMP_NANOS/)],
  })
})

const repeated = (name: string, ...children: SampleNode[]): SampleNode => ({
  name,
  repetition: 'repeated',
  children,
})

test.each<[string, SampleNode, string, boolean]>([
  ['three levels', repeated('list', { name: 'element', physical: 'INT32' }), 'int', false],
  ['Arrow', repeated('list', { name: 'item', physical: 'INT32' }), 'int', false],
  ['Hive', repeated('bag', { name: 'array_element', physical: 'INT32' }), 'int', false],
  [
    'required elements',
    repeated('list', { name: 'element', physical: 'INT32', repetition: 'required' }),
    'int',
    true,
  ],
  ['two levels', { name: 'array', physical: 'INT32', repetition: 'repeated' }, 'int', true],
  ['Avro structs', repeated('array', INT), 'struct<n: int>', true],
  ['Thrift structs', repeated('c_tuple', INT), 'struct<n: int>', true],
  [
    'structs on two levels',
    repeated('element', INT, { ...INT, name: 'm' }),
    'struct<n: int, m: int>',
    true,
  ],
  [
    'lists of lists on two levels',
    { ...repeated('array', { ...INT, repetition: 'repeated' }), converted: 3 },
    'list<int>',
    true,
  ],
])('a list as %s', async (_, child, element, elementRequired) => {
  for (const annotation of [{ logical: LOGICAL.list }, { converted: 3 }]) {
    const type = await inferType({ ...annotation, children: [child] })
    expect(typeName(type)).toBe(`list<${element}>`)
    expect(type).toMatchObject({ elementRequired })
  }
})

test.each(['key_value', 'map', 'entries'])('a map with its entries in %s', async (name) => {
  const key: SampleNode = {
    name: 'k',
    physical: 'BYTE_ARRAY',
    converted: 0,
    repetition: 'required',
  }
  for (const annotation of [{ logical: LOGICAL.map }, { converted: 1 }, { converted: 2 }]) {
    const type = await inferType({ ...annotation, children: [repeated(name, key, INT)] })
    expect(typeName(type)).toBe('map<string, int>')
    expect(type).toMatchObject({ valueRequired: false })
  }
})

const NESTED: SampleNode[] = [
  {
    name: 's',
    children: [
      { name: 'a', physical: 'INT32' },
      {
        name: 'b',
        logical: LOGICAL.list,
        children: [repeated('list', { ...INT, name: 'element' })],
      },
    ],
  },
  {
    name: 'm',
    logical: LOGICAL.map,
    children: [
      repeated(
        'key_value',
        { name: 'key', physical: 'INT32', repetition: 'required' },
        { name: 'value', children: [{ name: 'x', physical: 'INT32' }] },
      ),
    ],
  },
  { name: 'z', physical: 'INT32' },
]

test('fresh ids go level by level, as Iceberg assigns them', async () => {
  const [s, m, z] = await infer(...NESTED)
  expect([s?.id, m?.id, z?.id]).toEqual([1, 2, 3])
  expect(s?.type).toMatchObject({
    fields: [{ id: 4 }, { id: 5, type: { elementId: 6 } }],
  })
  expect(m?.type).toMatchObject({ keyId: 7, valueId: 8, value: { fields: [{ id: 9 }] } })
})

test('the ids of the file are kept when every field has its own', async () => {
  const ids = (...fieldIds: [number, number, number]) =>
    infer(
      { ...INT, name: 'a', fieldId: fieldIds[0] },
      {
        name: 'l',
        fieldId: fieldIds[1],
        logical: LOGICAL.list,
        children: [repeated('list', { ...INT, name: 'element', fieldId: fieldIds[2] })],
      },
    )
  expect(await ids(7, 3, 12)).toMatchObject([{ id: 7 }, { id: 3, type: { elementId: 12 } }])
  expect(await ids(7, 3, 7)).toMatchObject([{ id: 1 }, { id: 2, type: { elementId: 3 } }])
  expect(await ids(7, 3, -1)).toMatchObject([{ id: 1 }, { id: 2, type: { elementId: 3 } }])
  expect(await ids(7, 3, 0)).toMatchObject([{ id: 1 }, { id: 2, type: { elementId: 3 } }])
})

test('a name twice and a file without columns are refused', async () => {
  await expect(infer(INT, INT)).rejects.toMatchObject({
    code: 'file-schema-mismatch',
    facts: { column: 'n' },
  })
  await expect(infer()).rejects.toMatchObject({ code: 'file-schema-mismatch' })
})

testWithShared(
  'columns of real files have the names and nullability that hyparquet reads',
  async () => {
    for (const name of SHARED_FILES.filter((file) => !file.startsWith('security'))) {
      const bytes = readShared(name)
      const fields = inferSchemaFields(await footerOf(bytes))
      const oracle = parquetSchema(parquetMetadata(bytes)).children
      expect(fields.map((field) => [field.name, field.required])).toEqual(
        oracle.map(({ element }) => [element.name, element.repetition_type === 'REQUIRED']),
      )
      expect(fields.map((field) => field.id)).toEqual(fields.map((_, i) => i + 1))
    }
  },
)

testWithShared('the types of the astronauts are known', async () => {
  const fields = inferSchemaFields(await footerOf(readShared('astronauts.parquet')))
  const types = Object.fromEntries(fields.map((field) => [field.name, typeName(field.type)]))
  expect(types).toMatchObject({
    name: 'string',
    birth_date: 'date',
    birth_place: 'binary',
    missions: 'list<string>',
    space_walks: 'long',
    year: 'double',
  })
})
