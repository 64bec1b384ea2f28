import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

let tables = 0

async function newTable(columns: readonly object[]): Promise<string> {
  const name = `converted${++tables}`
  await must(post(service, '/v1/tables', { name, schema: { columns } }), 201)
  return name
}

function uploadText(table: string, raw: string, type: string, query = '') {
  const headers = { 'Content-Type': type }
  return ask(service, `/v1/tables/${table}/files${query}`, { raw, headers })
}

async function rowsOf(table: string, moment = ''): Promise<Record<string, unknown>[]> {
  const { data_files: files } = await must(ask(service, `/v1/tables/${table}${moment}`))
  const paths = files.map(({ path }: Json) => `'${path.slice('file://'.length)}'`)
  return querySql(`SELECT * FROM read_parquet([${paths}]) ORDER BY 1`)
}

const COLUMNS = [
  { name: 'n', type: 'long' },
  { name: 'label', type: 'string', default: 'none' },
]

test.each([
  ['text/csv', 'label,n\n"x, y",9007199254740993\n,2\n'],
  ['text/csv; charset=utf-8', 'label,n\r\n"x, y",9007199254740993\r\n,2\r\n'],
  ['application/x-ndjson', '{"n":9007199254740993,"label":"x, y"}\n{"n":2,"label":null}\n'],
  ['application/ndjson', '{"n":9007199254740993,"label":"x, y"}\n{"n":2,"label":null}'],
])('a body of %s is uploaded and committed', async (type, body) => {
  const table = await newTable(COLUMNS)
  const answer = await must(uploadText(table, body, type), 201)
  expect(answer).toMatchObject({
    committed: true,
    files: [{ record_count: 2 }],
    results: [{ operation: 'append', added_records: 2 }],
  })
  expect(answer.files[0].path).toMatch(/\.parquet$/)
  expect(await rowsOf(table)).toEqual([
    { n: '2', label: null },
    { n: '9007199254740993', label: 'x, y' },
  ])
})

test('a bad row is a 422 with its line, and nothing is staged', async () => {
  const table = await newTable(COLUMNS)
  const { transaction_id: id } = await must(post(service, '/v1/transactions/start', {}), 201)
  const query = `?transaction_id=${id}`
  const refused = await uploadText(table, 'n\n1\n2\nthree\n', 'text/csv', query)
  expect(refused.body).toMatchObject({ status: 422, type: '/problems/row-invalid', line: 4 })
  expect(refused.body.detail).toContain('three')
  await must(uploadText(table, 'n\n1\n', 'text/csv', query), 201)
  const committed = await must(post(service, '/v1/transactions/commit', { transaction_id: id }))
  expect(committed.results).toMatchObject([{ added_data_files: 1, added_records: 1 }])
  expect(await rowsOf(table)).toEqual([{ n: '1', label: 'none' }])
  const left = await readdir(join(service.home, 'tmp'))
  expect(left.filter((name) => !name.startsWith('engine-'))).toEqual([])
})

test('a change of type converts the values, and older snapshots stay', async () => {
  const table = await newTable([
    { name: 'n', type: 'long' },
    { name: 'day', type: 'date' },
  ])
  const path = join(service.dataFolder, `${table}.parquet`)
  await writeParquet(path, `SELECT 1::BIGINT AS n, DATE '1969-12-31' AS day`)
  await must(post(service, `/v1/tables/${table}/files`, { files: [{ path }] }))
  const before = (await must(ask(service, `/v1/tables/${table}`))).snapshot.snapshot_id
  const changes = [
    { op: 'type', name: 'n', type: 'double' },
    { op: 'type', name: 'day', type: 'timestamp' },
    { op: 'add', column: { name: 'note', type: 'string' } },
  ]
  const evolved = await must(post(service, `/v1/tables/${table}/schemas`, { changes }))
  expect(evolved.schemas.at(-1).columns).toMatchObject([
    { name: 'n', type: 'double' },
    { name: 'day', type: 'timestamp' },
    { name: 'note', type: 'string' },
  ])
  expect(await rowsOf(table)).toEqual([{ n: 1, day: '1969-12-31 00:00:00', note: null }])
  expect(await rowsOf(table, `/${before}`)).toEqual([{ n: '1', day: '1969-12-31' }])
  const old = await must(ask(service, `/v1/tables/${table}/${before}`))
  expect(old.schema.columns).toMatchObject([{ type: 'long' }, { type: 'date' }])
  const log = await must(ask(service, `/v1/tables/${table}/snapshots`))
  expect(log.snapshots[0]).toMatchObject({ operation: 'overwrite' })
})
