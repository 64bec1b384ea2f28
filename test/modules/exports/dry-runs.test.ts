import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { post } from '../../http/client.ts'
import { type ExportShop, openExportShop } from './export-harness.ts'

describeWithPostgres('dry runs', () => {
  let shop: ExportShop
  beforeAll(async () => {
    shop = await openExportShop()
  })
  afterAll(() => shop.close())

  test('a few count at once, and others are told to come again', async () => {
    const { service, source } = shop
    await source.query('create table t as select i as id from generate_series(1, 10) i')
    await shop.task('t', { 'task.json': { table: 't', where: 'true' } })
    const dryRun = () => post(service, '/v1/exports/t/runs', { dry_run: true })
    const blocker = new pg.Client({ connectionString: shop.url })
    await blocker.connect()
    await blocker.query('begin; lock table t in access exclusive mode')
    const waiting = async () => {
      const { rows } = await source.query(
        "select count(*)::int as count from pg_stat_activity where wait_event_type = 'Lock' " +
          "and application_name = 'moraine export'",
      )
      return rows[0].count
    }
    const first = Array.from({ length: 4 }, dryRun)
    while ((await waiting()) < 4) await sleep(20)
    const refused = await Promise.all(Array.from({ length: 20 }, dryRun))
    for (const { status, body, headers } of refused) {
      expect([status, body.type]).toEqual([503, '/problems/overloaded'])
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect(await waiting()).toBe(4)
    await blocker.end()
    for (const { body } of await Promise.all(first)) expect(body).toMatchObject({ rows: 10 })
    expect((await dryRun()).body).toMatchObject({ rows: 10 })
  })
})
