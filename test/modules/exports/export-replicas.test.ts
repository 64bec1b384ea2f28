import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { type ExportShop, openExportShop } from './export-harness.ts'

describeWithPostgres('exports of replicas', () => {
  let shop: ExportShop
  let other: TestService
  let blocker: pg.Client
  beforeAll(async () => {
    shop = await openExportShop()
    other = await startTestService({
      home: shop.service.home,
      environment: { MORAINE_EXPORT_SOURCES: `default=${shop.url}` },
    })
    blocker = new pg.Client({ connectionString: shop.url })
    await blocker.connect()
  })
  afterAll(async () => {
    await blocker.end()
    await other.stop()
    await shop.close()
  })
  beforeEach(() =>
    shop.source.query(
      'drop table if exists t; create table t (id int primary key); ' +
        'insert into t select generate_series(1, 100)',
    ),
  )

  const waiting = async () => {
    const { rows } = await shop.source.query(
      "select count(*)::int as count from pg_stat_activity where application_name = 'moraine " +
        "export' and wait_event_type = 'Lock'",
    )
    return rows[0].count
  }
  const untilWaiting = async () => {
    while ((await waiting()) === 0) await sleep(20)
  }
  const endOf = async (service: TestService, id: string) => {
    for (;;) {
      const { runs } = await must(ask(service, '/v1/exports/t/runs'))
      const run = runs.find(({ run_id }: { run_id: string }) => run_id === id)
      if (run.ended_at !== null) return run
      await sleep(50)
    }
  }

  test('a task that runs in one is joined in the other', async () => {
    await shop.task('t', { 'task.json': { table: 't', where: 'true' } })
    await blocker.query('begin; lock table t in access exclusive mode')
    const asked = await Promise.all(
      [shop.service, other, shop.service, other].map((service) =>
        must(post(service, '/v1/exports/t/runs', {}), 202),
      ),
    )
    expect(new Set(asked.map(({ run_id }) => run_id)).size).toBe(1)
    await untilWaiting()
    expect(await waiting()).toBe(1)
    await blocker.query('rollback')
    expect(await endOf(other, asked[0].run_id)).toMatchObject({ result: { rows: 100 } })
    expect(await shop.archived('t')).toHaveLength(100)
  })

  test('a task that is changed while it runs ends as it began', async () => {
    await shop.task('t', { 'task.json': { table: 't', where: 'id <= 40' } })
    await blocker.query('begin; lock table t in access exclusive mode')
    const { run_id } = await must(post(shop.service, '/v1/exports/t/runs', {}), 202)
    await untilWaiting()
    await shop.task('t', { 'task.json': { table: 't', where: 'true', compression: 'none' } })
    await blocker.query('rollback')
    const { result } = await endOf(shop.service, run_id)
    expect(result).toMatchObject({ rows: 40, file: expect.stringMatching(/\.csv\.gz$/) })
    const { rows } = await shop.source.query('select count(*)::int as count from t')
    expect(rows[0].count).toBe(60)
    expect(await shop.run('t')).toMatchObject({ status: 200 })
    // Of one second perhaps, so in no order.
    const files: readonly { rows: number }[] = await shop.files('t')
    expect(files.map((file) => file.rows)).toEqual(expect.arrayContaining([40, 60]))
  })
})
