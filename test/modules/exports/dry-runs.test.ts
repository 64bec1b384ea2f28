import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { post } from '../../http/client.ts'
import { type ExportShop, openExportShop } from './export-harness.ts'
import { sourceAt } from './export-runs.ts'

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

  /** What nobody waits for any more has ended at the source, where it waits for a lock. */
  async function endsAtSource(begin: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const { source, url } = shop
    await source.query('drop table if exists locked; create table locked as select 1 as id')
    const blocker = new pg.Client({ connectionString: url })
    await blocker.connect()
    await blocker.query('begin; select from locked for update; lock table locked')
    const connected = async () => {
      const { rows } = await source.query(
        "select wait_event_type as waits from pg_stat_activity where query like '%locked%' " +
          "and application_name = 'moraine export'",
      )
      return rows.map(({ waits }) => waits)
    }
    const stop = new AbortController()
    const left = begin(stop.signal).catch(() => 'left')
    while (!(await connected()).includes('Lock')) await sleep(20)
    stop.abort()
    expect(await left).toBe('left')
    const untilMs = performance.now() + 5_000
    while ((await connected()).includes('Lock') && performance.now() < untilMs) await sleep(20)
    const after = await connected()
    await blocker.end()
    expect(after).not.toContain('Lock')
  }

  test('a count that its client has left ends at the source', async () => {
    await shop.task('locked', { 'task.json': { table: 'locked', where: 'true' } })
    await endsAtSource((signal) => {
      return fetch(`${shop.service.url}/v1/exports/locked/runs`, {
        ...{ method: 'POST', signal, body: '{"dry_run":true}' },
        headers: { 'Content-Type': 'application/json' },
      })
    })
  })

  test('so does the statement of a run that was cut off', async () => {
    await endsAtSource(async (signal) => {
      const session = await sourceAt(shop.url).open('locked', signal)
      const work = { mode: 'atomic', table: 'locked', where: 'true' } as const
      const transaction = await session.begin(work)
      try {
        for await (const _ of transaction.rows);
      } finally {
        await session.close()
      }
    })
  })
})
