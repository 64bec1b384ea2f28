import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { withoutFields } from '../../../src/formats/parquet/stitch/thrift-edit.ts'
import { annotate, editColumns } from '../../formats/parquet/edited-footer.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'

const PARQUET = 'application/vnd.apache.parquet'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

let tables = 0

async function newTable(columns: readonly object[], partitioning: readonly object[]) {
  const name = `split${++tables}`
  const { location } = await must(
    post(service, '/v1/tables', { name, schema: { columns }, partitioning }),
    201,
  )
  return { name, folder: new URL(location).pathname }
}

function upload(table: string, raw: string | Buffer, type: string, more: Json = {}) {
  const headers = { 'Content-Type': type, ...more.headers }
  return ask(service, `/v1/tables/${table}/files${more.query ?? ''}`, { raw, headers })
}

/** Data files that are there, whether or not anything names them. */
async function filesIn(folder: string): Promise<readonly string[]> {
  const found = await readdir(join(folder, 'data'), { recursive: true })
  return found.filter((name) => name.endsWith('.parquet')).sort()
}

async function dump(table: string): Promise<readonly string[]> {
  const { text } = await ask(service, `/v1/tables/${table}/dump?format=csv`)
  return text.trimEnd().split('\n')
}

const EVENTS = [
  { name: 'id', type: 'long' },
  { name: 'at', type: 'timestamp' },
  { name: 'tenant', type: 'string' },
]
const BY_DAY = [{ column: 'at', transform: 'day' }]
const LATE = `id,at,tenant
1,2024-03-17 00:00:00,a
2,2024-03-16 23:59:59.999999,b
3,2024-03-17 23:59:59.999999,a
4,,c
5,2024-03-16 00:00:00,a
`

function tuple(line: string): string {
  const values = line.split(',').map((value) => (value === '' ? 'NULL' : `'${value}'`))
  return `(${values})`
}

test.each(['text/csv', 'application/x-ndjson', PARQUET])(
  'a daily file of %s with late rows becomes a file of each day, and every row is there',
  async (type) => {
    const { name, folder } = await newTable(EVENTS, BY_DAY)
    const path = join(service.dataFolder, `${name}.parquet`)
    const values = LATE.trimEnd().split('\n').slice(1).map(tuple)
    await writeParquet(
      path,
      `SELECT id::BIGINT AS id, moment::TIMESTAMP AS "at", tenant
       FROM (VALUES ${values}) AS t(id, moment, tenant)`,
    )
    const rows = await querySql(`SELECT * REPLACE (CAST("at" AS VARCHAR) AS "at") FROM '${path}'`)
    const bodies: Readonly<Record<string, string | Buffer>> = {
      'text/csv': LATE,
      'application/x-ndjson': rows.map((row) => `${JSON.stringify(row)}\n`).join(''),
      [PARQUET]: readFileSync(path),
    }
    const answer = await must(upload(name, bodies[type] ?? '', type), 201)
    expect(answer.files.map((file: Json) => file.record_count)).toEqual([2, 2, 1])
    expect(answer.results).toMatchObject([{ added_data_files: 3, added_records: 5 }])
    const { data_files: files } = await must(ask(service, `/v1/tables/${name}`))
    const partitions = new Map(files.map((file: Json) => [file.path, file.partition]))
    expect(answer.files.map(({ path }: Json) => partitions.get(path))).toEqual([
      { at_day: '2024-03-17' },
      { at_day: '2024-03-16' },
      { at_day: null },
    ])
    expect((await filesIn(folder)).length).toBe(3)
    const ids = async (index: number) =>
      (await querySql(`SELECT id FROM '${answer.files[index].path.slice(7)}'`)).map(({ id }) => id)
    expect([await ids(0), await ids(1), await ids(2)]).toEqual([['1', '3'], ['2', '5'], ['4']])
    expect((await dump(name)).toSorted()).toEqual(LATE.trimEnd().split('\n').toSorted())
  },
)

test('of one bucket, the file stays as it was sent, whatever its values', async () => {
  const { name } = await newTable(EVENTS, [{ column: 'tenant', transform: 'bucket[1]' }])
  const path = join(service.dataFolder, `${name}.parquet`)
  await writeParquet(path, `SELECT 1::BIGINT AS id, unnest(['a', 'b']) AS tenant`)
  const sent = readFileSync(path)
  const { files } = await must(upload(name, sent, PARQUET), 201)
  expect(files).toHaveLength(1)
  expect(readFileSync(files[0].path.slice(7)).equals(sent)).toBe(true)
})

test('in a transaction all parts are staged, and repeated, the answer is the same', async () => {
  const { name, folder } = await newTable(EVENTS, [
    ...BY_DAY,
    { column: 'tenant', transform: 'identity' },
  ])
  const { transaction_id: id } = await must(post(service, '/v1/transactions/start', {}), 201)
  const more = { query: `?transaction_id=${id}`, headers: { 'Idempotency-Key': `split-${name}` } }
  const answer = await must(upload(name, LATE, 'text/csv', more), 201)
  expect(answer).toMatchObject({ committed: false, transaction_id: id })
  expect(answer.staged).toHaveLength(4)
  expect(await must(upload(name, LATE, 'text/csv', more), 201)).toEqual(answer)
  expect((await filesIn(folder)).length).toBe(4)
  const staged = await must(ask(service, `/v1/transactions/${id}`))
  expect(staged.staged).toMatchObject([{ added_files: 4 }])
  await must(post(service, '/v1/transactions/commit', { transaction_id: id }))
  expect((await dump(name)).toSorted()).toEqual(LATE.trimEnd().split('\n').toSorted())
})

test('a repeated upload that commits by itself commits once', async () => {
  const { name } = await newTable(EVENTS, BY_DAY)
  const more = { headers: { 'Idempotency-Key': `once-${name}` } }
  const answer = await must(upload(name, LATE, 'text/csv', more), 201)
  expect(await must(upload(name, LATE, 'text/csv', more), 201)).toEqual(answer)
  expect((await must(ask(service, `/v1/tables/${name}`))).totals.data_files).toBe(3)
})

test('a required column that the file calls optional stays required in the parts', async () => {
  const columns = [{ name: 'id', type: 'long', nullable: false }, ...EVENTS.slice(1)]
  const { name } = await newTable(columns, [{ column: 'id', transform: 'identity' }])
  const path = join(service.dataFolder, `${name}.parquet`)
  await writeParquet(path, `SELECT range AS ID FROM range(8)`)
  const { files } = await must(upload(name, readFileSync(path), PARQUET), 201)
  expect(files).toHaveLength(8)
  expect(await dump(name)).toEqual([
    'id,at,tenant',
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `${i},,`),
  ])
})

test('too many partitions are refused with their number, and nothing is left', async () => {
  const { name, folder } = await newTable(EVENTS, [{ column: 'id', transform: 'identity' }])
  const lines = Array.from({ length: 1_203 }, (_, i) => `${i}`)
  const refused = await upload(name, `id\n${lines.join('\n')}\n`, 'text/csv')
  expect(refused.status).toBe(422)
  expect(refused.body).toMatchObject({
    type: '/problems/file-spans-partitions',
    partitions: 1_203,
    partitions_max: 1_000,
  })
  expect(refused.body.detail).toContain('1203 partitions')
  expect(await filesIn(folder)).toEqual([])
})

test('the more columns the table has, the fewer files an upload makes', async () => {
  const columns = Array.from({ length: 2_000 }, (_, i) => ({ name: `c${i}`, type: 'long' }))
  const table = await newTable(columns, [{ column: 'c0', transform: 'identity' }])
  const raw = `c0\n${Array.from({ length: 101 }, (_, i) => i).join('\n')}\n`
  const { status, body } = await upload(table.name, raw, 'text/csv')
  expect(status).toBe(422)
  const type = '/problems/file-spans-partitions'
  expect(body).toMatchObject({ type, partitions: 101, partitions_max: 100 })
  expect(body.detail).toContain('send it in parts')
  expect(await filesIn(table.folder)).toEqual([])
})

test('what cannot be read is refused with the reason, and nothing is left', async () => {
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'code', type: 'string' },
  ]
  const { name, folder } = await newTable(columns, [{ column: 'id', transform: 'identity' }])
  const path = join(service.dataFolder, `${name}.parquet`)
  await writeParquet(path, `SELECT unnest([1, 2])::BIGINT AS id, 'a\\xE9b'::BLOB AS code`)
  const [STRING, STATISTICS] = [0, 12]
  annotate(path, 'code', STRING)
  editColumns(path, (column, i) =>
    i === 0 ? column : withoutFields(column, new Set([STATISTICS])),
  )
  const refused = await upload(name, readFileSync(path), PARQUET)
  expect(refused.status).toBe(422)
  expect(refused.body.type).toBe('/problems/file-spans-partitions')
  expect(refused.body.detail).toContain('column code')
  expect(refused.body.detail).not.toContain(folder)
  expect(await filesIn(folder)).toEqual([])
})

test('parts keep columns of fixed', async () => {
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'code', type: 'fixed(2)' },
  ]
  const { name } = await newTable(columns, [{ column: 'id', transform: 'identity' }])
  const text = '{"id":1,"code":"AAE="}\n{"id":2,"code":"AgM="}\n'
  expect((await upload(name, text, 'application/x-ndjson')).status).toBe(201)
  const dumped = await ask(service, `/v1/tables/${name}/dump?format=ndjson`)
  expect(dumped.text.split('\n').sort().join('\n')).toBe(`\n${text.trim()}`)
})
