import { writeFile } from 'node:fs/promises'
import { tableFromIPC } from 'apache-arrow'
import { ask, type Json, must, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { querySql } from '../../../parquet-files.ts'
import { addFile, download, makeTable } from './dump-lab.ts'

/** Types and defaults of format version 3, which only Iceberg REST gives a table. */
let service: TestService
let tables = 0
let name: string

beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())
beforeEach(async () => {
  name = `t${++tables}`
  await makeTable(service, name, ["SELECT 7::BIGINT AS n, {'x': 1::INTEGER} AS s"])
})

const address = () => `/iceberg/v1/namespaces/default/tables/${name}`

async function schemaNow(): Promise<Json> {
  const { metadata } = await must(ask(service, address()))
  return metadata.schemas.at(-1)
}

/** Version 3, and these fields besides those that the table has. */
async function addFields(...fields: Json[]) {
  const schema = await schemaNow()
  const updates = [
    { action: 'upgrade-format-version', 'format-version': 3 },
    { action: 'add-schema', schema: { ...schema, fields: [...schema.fields, ...fields] } },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]
  return post(service, address(), { requirements: [], updates })
}

async function dump(format: string): Promise<Buffer> {
  const { status, body } = await download(`${service.url}/v1/tables/${name}/dump?format=${format}`)
  expect([format, status, status === 200 ? '' : body.toString()]).toEqual([format, 200, ''])
  return body
}

async function parquetRows(sql = '*'): Promise<Json> {
  const path = `${service.dataFolder}/${name}.dumped.parquet`
  await writeFile(path, await dump('parquet'))
  return querySql(`SELECT ${sql} FROM read_parquet('${path}')`)
}

const field = (id: number, type: Json, more: Json = {}) => ({
  ...{ id, name: `f${id}`, required: false, type },
  ...more,
})

const list = (id: number, element: Json) => ({
  ...{ type: 'list', 'element-id': id, element, 'element-required': false },
})
const map = (id: number, key: Json, value: Json) => ({
  ...{ type: 'map', 'key-id': id, key, 'value-id': id + 1, value, 'value-required': false },
})
const struct = (...fields: Json[]) => ({ type: 'struct', fields })

test('columns of type unknown are NULL in every format, and typed as that', async () => {
  const inside = struct(field(21, 'unknown'), field(22, 'long'))
  const listed = field(23, list(24, 'unknown'))
  await must(addFields(field(10, 'unknown'), field(20, inside), listed))
  expect((await dump('csv')).toString()).toBe('n,s,f10,f20,f23\n7,"{""x"":1}",,,\n')
  expect(JSON.parse((await dump('ndjson')).toString())).toEqual({
    ...{ n: 7, s: { x: 1 }, f10: null, f20: null, f23: null },
  })
  expect(await parquetRows('n, f10, f20, f23')).toEqual([
    { n: '7', f10: null, f20: null, f23: null },
  ])
  const path = `${service.dataFolder}/${name}.dumped.parquet`
  const types = `SELECT DISTINCT logical_type FROM parquet_schema('${path}')
    WHERE field_id IN (10, 21, 24)`
  expect(await querySql(types)).toEqual([{ logical_type: 'NullType()' }])
  const arrow = tableFromIPC(await dump('arrow'))
  const typesOf = arrow.schema.fields.map(({ type }) => String(type))
  expect(typesOf.slice(2)).toEqual([...['Null', 'Struct<{f21:Null, f22:Int64}>', 'List<Null>']])
  expect(arrow.get(0)?.toJSON()).toMatchObject({ n: 7n, f10: null, f20: null })
})

test('nested columns that a file lacks have their defaults, in every format', async () => {
  const point = struct(
    field(11, 'int', { 'initial-default': 3 }),
    field(12, list(13, 'string')),
    field(14, struct(field(15, 'date', { 'initial-default': '1969-12-31' })), {
      'initial-default': {},
    }),
  )
  await must(
    addFields(
      field(10, point, { 'initial-default': {}, 'write-default': {} }),
      field(20, list(21, 'long'), { 'initial-default': [1, null, 9007199254740] }),
      field(
        30,
        list(31, struct(field(32, 'int'), field(33, 'string', { 'initial-default': 'd' }))),
        {
          'initial-default': [{ 32: 5 }, null, { 32: null, 33: "o'" }],
        },
      ),
      field(40, map(41, 'string', 'double'), {
        'initial-default': { keys: ['a', 'b'], values: [0.5, null] },
      }),
      field(50, list(51, 'int'), { 'initial-default': [] }),
      field(60, map(61, 'int', list(63, 'int')), {
        'initial-default': { keys: [-1], values: [[2]] },
      }),
      field(70, struct(field(71, 'int', { 'initial-default': 1 }))),
    ),
  )
  const wanted = {
    f10: { f11: 3, f12: null, f14: { f15: '1969-12-31' } },
    f20: [1, null, 9007199254740],
    f30: [{ f32: 5, f33: 'd' }, null, { f32: null, f33: "o'" }],
    f40: { a: 0.5, b: null },
    f50: [],
    f60: { '-1': [2] },
    f70: null,
  }
  const row = JSON.parse((await dump('ndjson')).toString())
  expect(row).toEqual({ n: 7, s: { x: 1 }, ...wanted })
  const json = JSON.parse((await dump('json')).toString())
  expect(json.data?.[0] ?? json.rows?.[0] ?? json.records?.[0]).toEqual(Object.values(row))
  const [, line = ''] = (await dump('csv')).toString().split('\n')
  expect(line).toContain(`"${JSON.stringify(wanted.f30).replaceAll('"', '""')}"`)
  expect(line.endsWith(',')).toBe(true)
  const xml = (await dump('xml')).toString()
  expect(xml).toContain('<f50></f50>')
  expect(xml).toContain('<f20><value key="0">1</value>')
  expect(xml).toContain('<f70 xsi:nil="true" />')
  const [parquet] = await parquetRows(
    'to_json({f10: f10, f20: f20, f30: f30, f40: f40, f50: f50, f60: f60, f70: f70}) AS all',
  )
  expect(JSON.parse(parquet.all)).toEqual(wanted)
  const arrow = tableFromIPC(await dump('arrow'))
  const [, , f10, f20] = arrow.schema.fields
  expect(String(f10?.type)).toContain('f11:Int32')
  expect(String(f20?.type)).toBe('List<Int64>')
  expect(arrow.numRows).toBe(1)
  expect(await must(ask(service, `/v1/tables/${name}`))).toBeTruthy()
})

test.each([
  ['a required column of unknown', field(10, 'unknown', { required: true }), 'unknown type'],
  ['a default of unknown', field(10, 'unknown', { 'initial-default': 1 }), 'must be null'],
  ['a default of variant', field(10, 'variant', { 'write-default': 1 }), 'must be null'],
  ['one of geometry', field(10, 'geometry', { 'initial-default': 'POINT(1 2)' }), 'must be null'],
  ['a text for a number', field(10, 'int', { 'initial-default': 'x' }), 'type int'],
  ['a number of too many bits', field(10, 'int', { 'write-default': 2 ** 31 }), 'type int'],
  ['a day that is none', field(10, 'date', { 'initial-default': '2024-02-30' }), 'type date'],
  [
    'members in the default of a struct',
    field(10, struct(field(11, 'int')), { 'initial-default': { 11: 1 } }),
    'have their own',
  ],
  ['a list that is none', field(10, list(11, 'int'), { 'initial-default': {} }), 'list<int>'],
  ['a wrong element', field(10, list(11, 'int'), { 'initial-default': ['x'] }), 'list<int>'],
  [
    'keys without values',
    field(10, map(11, 'int', 'int'), { 'initial-default': { keys: [1], values: [] } }),
    'map<int, int>',
  ],
  [
    'a wrong default of a member',
    field(10, struct(field(11, 'int', { 'initial-default': true }))),
    'type int',
  ],
])('a schema is refused that has %s', async (_, bad, text) => {
  const before = await must(ask(service, address()))
  const { status, body } = await addFields(bad)
  expect([status, body.error.type]).toEqual([400, 'BadRequestException'])
  expect(body.error.message).toContain(text)
  const create = { name: `${name}x`, schema: { type: 'struct', fields: [bad] } }
  const properties = { 'format-version': '3' }
  const made = await post(service, '/iceberg/v1/namespaces/default/tables', {
    ...create,
    properties,
  })
  expect([made.status, made.body.error.message]).toEqual([400, expect.stringContaining(text)])
  expect(await must(ask(service, address()))).toEqual(before)
})

test.each(['variant', 'geometry', 'geography(srid:4326)'])(
  'a dump of a %s column is refused by name before anything is begun',
  async (type) => {
    await must(addFields(field(10, struct(field(11, type))), field(20, type)))
    for (const format of ['csv', 'ndjson', 'parquet', 'arrow', 'json', 'xml', 'tsv']) {
      const { status, body } = await ask(service, `/v1/tables/${name}/dump?format=${format}`)
      expect([status, body.type, body.column]).toEqual([
        501,
        '/problems/not-implemented',
        'f10.f11',
      ])
      expect(body.columns).toEqual(['f10.f11', 'f20'])
      expect(body.detail).toContain('schema_id')
    }
    expect((await dump('csv&schema_id=0')).toString()).toContain('n,s\n7,')
  },
)

test('what is added to a table of version 3 takes the next row ids', async () => {
  const types = [field(10, 'timestamp_ns'), field(20, 'int', { 'write-default': 4 })]
  await must(addFields(...types))
  const csv = { method: 'POST', headers: { 'Content-Type': 'text/csv' } }
  const upload = (raw: string) => ask(service, `/v1/tables/${name}/files`, { ...csv, raw })
  await must(upload('n,f10\n8,2024-01-01T00:00:00.123456789\n9,\n'), 201)
  const { path } = await addFile(service, `${name}other`, 'SELECT 10::BIGINT AS n')
  await must(post(service, `/v1/tables/${name}/files`, { files: [{ path }] }))
  const { rows } = await must(ask(service, `/v1/tables/${name}/rows?columns=n,f10,f20`))
  expect(rows).toEqual([
    { n: 7, f10: null, f20: null },
    { n: 8, f10: '2024-01-01T00:00:00.123456789', f20: 4 },
    { n: 9, f10: null, f20: 4 },
    { n: 10, f10: null, f20: null },
  ])
  const { metadata } = await must(ask(service, address()))
  const ids = metadata.snapshots.map((s: Json) => [s['first-row-id'], s['added-rows']])
  expect([ids, metadata['next-row-id']]).toEqual([
    [
      [undefined, undefined],
      [0, 3],
      [3, 1],
    ],
    4,
  ])
})

test('nothing is added to a table whose files are encrypted, nor a body read', async () => {
  await must(addFields())
  const key = { 'key-id': 'k1', 'encrypted-key-metadata': 'AA==' }
  const updates = [{ action: 'add-encryption-key', 'encryption-key': key }]
  await must(post(service, address(), { requirements: [], updates }))
  const { path } = await addFile(service, `${name}other`, 'SELECT 1 AS n')
  await expectNoFiles(path)
})

test('nor to one whose files are to be encrypted, before there is any', async () => {
  await must(addFields())
  const updates = [{ action: 'set-properties', updates: { 'encryption.key-id': 'k1' } }]
  await must(post(service, address(), { requirements: [], updates }))
  const { path } = await addFile(service, `${name}other`, 'SELECT 1 AS n')
  await expectNoFiles(path)
})

async function expectNoFiles(path: string): Promise<void> {
  const started = await must(post(service, '/v1/transactions/start', {}), 201)
  const table = `/v1/tables/${name}`
  const id = started.transaction_id
  const refusals = [
    await post(service, `${table}/files`, { files: [{ path }] }),
    await post(service, `${table}/files`, { files: [{ path }], transaction_id: id }),
    await post(service, `${table}/files/truncate`, { transaction_id: id }),
    await post(service, `${table}/files/truncate`, {}),
    await ask(service, `${table}/files`, {
      method: 'POST',
      headers: { 'Content-Type': 'text/csv' },
      raw: 'n\n"unfinished',
    }),
  ]
  for (const { status, body } of refusals) {
    expect([status, body.type]).toEqual([501, '/problems/not-implemented'])
    expect(body.detail).toContain('encrypted')
  }
}
