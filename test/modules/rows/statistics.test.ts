import { join } from 'node:path'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

let service: TestService

const COLUMNS = [
  { name: 'id', type: 'long' },
  { name: 'kind', type: 'string' },
  { name: 'ratio', type: 'double' },
  { name: 'day', type: 'date' },
  { name: 'tags', type: 'ARRAY<VARCHAR>' },
  {
    name: 'x',
    type: {
      type: 'struct',
      fields: [{ id: 20, name: 'id', type: 'long', required: false }],
    },
  },
]
const SELECT =
  `SELECT i AS id, CASE WHEN i % 4 <> 0 THEN 'k' || (i % 4) END AS kind, ` +
  `CASE WHEN i % 10 = 0 THEN 'NaN'::DOUBLE ELSE i / 4 END AS ratio, ` +
  `DATE '2024-01-01' + CAST(i AS INTEGER) AS day, ` +
  `CASE WHEN i < 10 THEN ['a'] END AS tags, {'id': 9000000000000000000 + i} AS x `

beforeAll(async () => {
  service = await startTestService()
  await must(post(service, '/v1/tables', { name: 'seen', schema: { columns: COLUMNS } }), 201)
})
afterAll(() => service.close())

async function addFile(index: number): Promise<void> {
  const path = join(service.dataFolder, `seen-${index}.parquet`)
  await writeParquet(path, `${SELECT} FROM range(${index * 50}, ${index * 50 + 50}) t(i)`)
  await must(post(service, '/v1/tables/seen/files', { files: [{ path }] }))
}

function statisticsOf(column: string, parameters = ''): Promise<Json> {
  return must(ask(service, `/v1/tables/seen/columns/${column}/statistics${parameters}`))
}

test('a table without rows has none of anything', async () => {
  expect(await statisticsOf('id')).toMatchObject({
    snapshot_id: null,
    rows: 0,
    nulls: 0,
    distinct: { count: 0, is_approximate: false },
    least: null,
    greatest: null,
    histogram: null,
    top_values: null,
  })
})

test('a column tells its nulls, its ends, its spread, and its most frequent values', async () => {
  await addFile(0)
  await addFile(1)
  const id = await statisticsOf('id')
  expect(id).toMatchObject({ rows: 100, nulls: 0, nans: null, least: 0, greatest: 99 })
  expect(id.histogram.counts).toEqual(Array.from({ length: 20 }, () => 5))
  expect(id.distinct).toEqual({ count: 100, is_approximate: false })
  expect(await statisticsOf('kind')).toMatchObject({
    nulls: 25,
    least: 'k1',
    greatest: 'k3',
    histogram: null,
    top_values: [
      { value: 'k1', rows: 25 },
      { value: 'k2', rows: 25 },
      { value: 'k3', rows: 25 },
    ],
  })
  expect(await statisticsOf('ratio')).toMatchObject({ nans: 10, least: 0.25, greatest: 24.75 })
  expect(await statisticsOf('day')).toMatchObject({ least: '2024-01-01', greatest: '2024-04-09' })
  expect(await statisticsOf('tags')).toMatchObject({ rows: 100, nulls: 90, top_values: null })
  const { text } = await ask(service, '/v1/tables/seen/columns/x.id/statistics')
  expect(text).toContain('"least":9000000000000000000,"greatest":9000000000000000099')
})

test('statistics are of a snapshot, and are kept by it', async () => {
  const { snapshot_id: before } = await statisticsOf('id')
  await addFile(2)
  expect(await statisticsOf('id')).toMatchObject({ rows: 150 })
  expect(await statisticsOf('id', `?snapshot_id=${before}`)).toMatchObject({ rows: 100 })
})

test('a column that is not there is said', async () => {
  const answer = await ask(service, '/v1/tables/seen/columns/none/statistics')
  expect(answer).toMatchObject({ status: 400, body: { type: '/problems/query-invalid' } })
})
