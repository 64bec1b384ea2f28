import { join } from 'node:path'
import { must } from '../../http/client.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

let service: KeyedService
let reader: Caller
beforeAll(async () => {
  service = await startKeyedService({ MORAINE_QUERY_BYTES_PER_DAY: '1GB' })
  await makeTable('low', 0)
  await makeTable('high', 1_000)
  const tables = ['low', 'high'].map((name) => [`/v1/tables/air.${name}`, ['select']] as const)
  reader = await service.newCaller(Object.fromEntries(tables))
  for (const [table] of tables) {
    const policy = { row_filter: 'id < 1000', except: [service.admin.principal] }
    await must(service.admin.send('put', `${table}/policy`, policy))
  }
})
afterAll(() => service.close())

/** The first 1,000 rows are shown; the others have one value. */
async function makeTable(name: string, withheld: number): Promise<void> {
  const { admin, dataFolder } = service
  const path = join(dataFolder, `${name}.parquet`)
  const select =
    `SELECT i AS id, CASE WHEN i < 1000 THEN i % 500 ELSE ${withheld} END AS x, ` +
    'md5(i::VARCHAR) AS pad FROM range(20000) t(i)'
  await writeParquet(path, select, ', ROW_GROUP_SIZE 2048')
  const named = { name, namespace: 'air', infer_from: path }
  await must(admin.send('post', '/v1/tables', named), 201)
  const table = `/v1/tables/air.${name}`
  await must(admin.send('post', `${table}/files`, { files: [{ path }] }))
}

/** What is left of the day's bytes. */
async function left(): Promise<number> {
  const json = { source: { table: 'air.low' } }
  const { headers } = await reader.send('post', '/v1/query/estimate', json)
  return Number(/"bytes";r=(\d+);/.exec(headers.get('ratelimit') ?? '')?.[1])
}

async function chargeOf(method: string, path: string, json?: object): Promise<number> {
  const before = await left()
  await must(reader.send(method, path, json))
  return before - (await left())
}

async function snapshotOf(name: string): Promise<string> {
  const { snapshots } = await must(reader.send('get', `/v1/tables/air.${name}/snapshots`))
  return snapshots.at(-1).snapshot_id
}

type Asked = readonly [method: string, path: string, json?: object]
const MORE = "SELECT i AS id, i AS x, '' AS pad FROM range(900, 1100) t(i)"
const ORDER = [{ column: 'x', direction: 'desc' }]
const requests: readonly ((name: string) => Asked)[] = [
  (name) => ['get', `/v1/tables/air.${name}/rows?limit=1&columns=x&order_by=x%20desc`],
  (name) => ['get', `/v1/tables/air.${name}/rows?limit=1&columns=id`],
  (name) => [
    ...(['post', '/v1/query'] as const),
    { source: { table: `air.${name}` }, columns: ['x'], order_by: ORDER, limit: 1 },
  ],
  (name) => ['post', '/v1/query', { sql: `SELECT x FROM air.${name} ORDER BY x DESC LIMIT 1` }],
  (name) => ['get', `/v1/tables/air.${name}/columns/x/statistics`],
]

test('readers of tables that differ in what is withheld pay for whole files', async () => {
  for (const request of requests) {
    const charges = [await chargeOf(...request('low')), await chargeOf(...request('high'))]
    expect([request('low')[1], charges]).toEqual([request('low')[1], [1_048_576, 1_048_576]])
  }
})

test('rows that differ are charged as whole files, too', async () => {
  const charges: number[] = []
  for (const name of ['low', 'high']) {
    const { admin, dataFolder } = service
    const from = await snapshotOf(name)
    const path = join(dataFolder, `${name}-more.parquet`)
    await writeParquet(path, MORE)
    await must(admin.send('post', `/v1/tables/air.${name}/files`, { files: [{ path }] }))
    charges.push(await chargeOf('get', `/v1/tables/air.${name}/diff?from=${from}&rows=true`))
  }
  expect(charges).toEqual([1_048_576, 1_048_576])
})
