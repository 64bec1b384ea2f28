import { join } from 'node:path'
import { oldBounds } from '../../formats/parquet/edited-footer.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
  // Writers before parquet-mr 1.10 compared signed bytes, by which é is below a.
  await tableOf('words', 'string', {
    select: `SELECT CASE WHEN i % 2048 = 0 THEN 'a' || i ELSE 'é' || i END AS c, i AS id`,
    bounds: [
      [Buffer.from('é0'), Buffer.from('é9')],
      [Buffer.from('é5'), Buffer.from('é9')],
    ],
  })
  const unscaled = (value: bigint) => {
    const bytes = Buffer.alloc(16)
    bytes.writeBigUInt64BE(value, 8)
    return bytes
  }
  await tableOf('sums', 'decimal(25,0)', {
    select: 'SELECT CAST(i % 300 AS DECIMAL(25,0)) AS c, i AS id',
    bounds: [[unscaled(128n), unscaled(299n)]],
  })
})
afterAll(() => service.close())

async function tableOf(
  name: string,
  type: string,
  file: { readonly select: string; readonly bounds: readonly (readonly [Buffer, Buffer])[] },
): Promise<void> {
  const columns = [
    { name: 'c', type },
    { name: 'id', type: 'long' },
  ]
  await must(post(service, '/v1/tables', { name, schema: { columns } }), 201)
  const path = join(service.dataFolder, `${name}.parquet`)
  await writeParquet(path, `${file.select} FROM range(8192) t(i)`, ', ROW_GROUP_SIZE 2048')
  oldBounds(path, file.bounds)
  await must(post(service, `/v1/tables/${name}/files`, { files: [{ path }] }))
}

const WORDS = { source: { table: 'words' } }

async function idsOf(query: object): Promise<Json> {
  const { rows } = await must(post(service, '/v1/query', query))
  return rows.map(({ id }: Json) => id)
}

test('rows are found whatever bounds an old writer gave', async () => {
  const parameters = new URLSearchParams({ filter: `c = 'a2048'` })
  const { rows } = await must(ask(service, `/v1/tables/words/rows?${parameters}`))
  expect(rows).toEqual([{ c: 'a2048', id: 2048 }])
  const filter = 'c = 5 AND id < 600'
  expect(await idsOf({ source: { table: 'sums' }, columns: ['id'], filter })).toEqual([5, 305])
})

test('the first rows of an order are first whatever bounds an old writer gave', async () => {
  const columns = ['id', 'c']
  const order_by = [{ column: 'c' }]
  expect(await idsOf({ ...WORDS, columns, order_by, limit: 2 })).toEqual([0, 2048])
  const sql = 'SELECT id, c FROM words ORDER BY c LIMIT 4'
  expect(await idsOf({ sql })).toEqual([0, 2048, 4096, 6144])
  const latest = 'SELECT id, c FROM words ORDER BY c DESC LIMIT 1'
  expect(await idsOf({ sql: latest })).toEqual([999])
})

test('a dataset of a query has its rows whatever bounds an old writer gave', async () => {
  const query = { ...WORDS, columns: ['id'], filter: `c < 'b'` }
  const made = await must(post(service, '/v1/datasets', { query }), 201)
  expect(made).toMatchObject({ state: 'ready', rows: 4 })
})
