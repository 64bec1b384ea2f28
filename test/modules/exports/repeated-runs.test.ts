import { randomUUID } from 'node:crypto'
import { changes } from '../../../src/http/idempotency/keyed-request.ts'
import { documentedDialects } from '../../../src/modules.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { ask, must } from '../../http/client.ts'
import { type ExportShop, openExportShop } from './export-harness.ts'

const ROUTES = documentedDialects()
  .flatMap(({ routes }) => routes)
  .filter((route) => changes(route) && /^(\/v1)?\/exports/.test(route.path))

/** What exports change is in no transaction with the answer. */
test('each route of exports that changes something reserves its key', () => {
  expect(ROUTES.length).toBeGreaterThan(7)
  expect(ROUTES.filter(({ reservesKey }) => reservesKey !== true)).toEqual([])
})

describeWithPostgres('repeated runs', () => {
  let shop: ExportShop
  beforeAll(async () => {
    shop = await openExportShop()
  })
  afterAll(() => shop.close())

  test('a repeated run waits for the first, which is the only one', async () => {
    const { service, source } = shop
    await source.query('create table held (id int primary key)')
    await source.query('insert into held select generate_series(1, 10)')
    await shop.task('held', { 'task.json': { table: 'held', where: 'true' } })
    const headers = { 'Idempotency-Key': randomUUID() }
    const run = () => ask(service, '/exports/held', { method: 'POST', headers })
    await source.query('begin')
    await source.query('lock table held in access exclusive mode')
    const first = run()
    const jobs = async () => (await must(ask(service, '/v1/exports/held/runs'))).runs.length
    while ((await jobs()) === 0) await new Promise(setImmediate)
    const second = await run()
    expect([second.status, second.body.type]).toEqual([409, '/problems/idempotency-key-in-use'])
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
    await source.query('commit')
    expect((await first).status).toBe(200)
    expect(await run()).toMatchObject({ status: 200, body: { status: 'Ok' } })
    expect(await jobs()).toBe(1)
  })
})
