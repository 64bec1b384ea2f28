import { logOf, RunLog } from '../../../src/modules/exports/run-log.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { ask, must, post } from '../../http/client.ts'
import { type CommitProxy, openCommitProxy } from './commit-proxy.ts'
import { type ExportShop, openExportShop } from './export-harness.ts'
import { sendBytes } from './send-bytes.ts'

interface Step {
  readonly step: string
  readonly attempt: number
  readonly part?: number
}

describeWithPostgres('runs of exports', () => {
  let shop: ExportShop
  let proxy: CommitProxy
  beforeAll(async () => {
    shop = await openExportShop(async (url) => {
      proxy = await openCommitProxy(new URL(url))
      const through = new URL(url)
      through.port = String(proxy.port)
      return `default=${through.href}`
    })
  })
  afterAll(async () => {
    await proxy.close()
    await shop.close()
  })
  beforeEach(() =>
    shop.source.query(
      'drop table if exists t; create table t (id int primary key, note text); ' +
        "insert into t select i, 'note ' || i from generate_series(1, 300) i",
    ),
  )

  const get = (path: string) => must(ask(shop.service, `/v1/exports/${path}`))
  const lastRun = async (task: string) => (await get(`${task}/runs`)).runs[0]
  const stepsOf = async (task: string): Promise<readonly Step[]> => {
    const { run_id } = await lastRun(task)
    return (await get(`${task}/runs/${run_id}/log`)).steps
  }
  const names = (steps: readonly Step[]) => steps.map(({ step }) => step)

  test('a run tells itself, its steps and its file, which is downloaded', async () => {
    await shop.task('one', {
      'task.json': { table: 't', where: "note <> 'secret'", archive_to: 'archive.one' },
    })
    expect(await shop.run('one')).toMatchObject({ status: 200 })
    const run = await lastRun('one')
    expect(await get(`one/runs/${run.run_id}`)).toEqual(run)
    expect(run.progress).toEqual({ rows: 300, bytes: run.result.bytes })
    const log = await get(`one/runs/${run.run_id}/log`)
    expect(log).toMatchObject({ run_id: run.run_id, task: 'one', state: 'succeeded', left_out: 0 })
    expect(names(log.steps)).toEqual([
      ...['began', 'opened-source', 'began-transaction', 'copied', 'converted', 'deleted'],
      ...['noted', 'committed', 'published', 'appended'],
    ])
    const { file, bytes } = run.result
    expect(log.steps.slice(3)).toMatchObject([
      { step: 'copied', rows: 300, bytes },
      {},
      { step: 'deleted', rows: 300, proof: 'one statement' },
      {},
      {},
      { step: 'published', file },
      { step: 'appended', rows: 300 },
    ])
    expect(JSON.stringify(log)).not.toMatch(/secret|note \d|postgres|archive\./)
    const { files } = await get(`one/runs/${run.run_id}/files`)
    expect(files).toEqual(await shop.files('one'))
    const response = await fetch(shop.service.url + files[0].url, {
      headers: { Range: 'bytes=0-9' },
    })
    expect([response.status, response.headers.get('etag')]).toEqual([206, `"${files[0].sha256}"`])
    expect(response.headers.get('repr-digest')).toContain('sha-256=')
    expect(await sendBytes(shop.service.url + files[0].url)).toHaveLength(bytes)
  })

  test('parts are listed in their order, by pages', async () => {
    await shop.task('parts', {
      'task.json': { mode: 'batches', table: 't', where: 'true', batch_rows: 70 },
    })
    await shop.run('parts')
    const { run_id } = await lastRun('parts')
    const seen: number[] = []
    let token = ''
    for (let page = 0; page < 9; page++) {
      const { files, next_page_token } = await get(
        `parts/runs/${run_id}/files?page_size=2${token && `&page_token=${token}`}`,
      )
      seen.push(...files.map(({ rows }: { rows: number }) => rows))
      if (next_page_token === null) break
      token = next_page_token
    }
    expect(seen).toEqual([70, 70, 70, 70, 20])
    const steps = await stepsOf('parts')
    const published = steps.filter(({ step }) => step === 'published')
    expect(published.map(({ part }) => part)).toEqual([1, 2, 3, 4, 5])
  })

  test('names of the seed belong to their run, too', async () => {
    await shop.task('seed', { 'task.json': { table: 't', where: 'id < 9', name: 'seed' } })
    await shop.run('seed')
    const { run_id } = await lastRun('seed')
    const { files } = await get(`seed/runs/${run_id}/files`)
    expect(files).toMatchObject([{ run_id, rows: 8 }])
  })

  test('an attempt that was cut off is told with how it ended', async () => {
    await shop.task('cut', { 'task.json': { table: 't', where: 'true' } })
    proxy.fate = 'answer lost'
    const commit = proxy.nextCommit()
    const running = shop.run('cut')
    await commit
    const open =
      "select 1 from pg_stat_activity where application_name = 'moraine export' and xact_start " +
      'is not null'
    while (((await shop.source.query(open)).rowCount ?? 0) > 0);
    proxy.fate = 'answered'
    proxy.cut()
    expect(await running).toMatchObject({ status: 200 })
    const steps = await stepsOf('cut')
    expect(names(steps).slice(5)).toEqual(['noted', 'failed', 'began', 'settled'])
    expect(steps.slice(-2)).toMatchObject([
      { attempt: 2 },
      { attempt: 2, outcome: 'committed', rows: 300 },
    ])
  })

  test('a run that failed says with what, and one with nothing to do that', async () => {
    await shop.task('bad', { 'task.json': { table: 'missing', where: 'true' } })
    await shop.run('bad')
    expect((await stepsOf('bad')).at(-1)).toMatchObject({
      ...{ step: 'failed', problem: 'source-refused' },
    })
    await shop.task('none', { 'task.json': { table: 't', where: 'false' } })
    await shop.run('none')
    expect((await stepsOf('none')).at(-1)).toMatchObject({ step: 'empty' })
    const { run_id } = await lastRun('none')
    expect(await get(`none/runs/${run_id}/files`)).toEqual({ files: [], next_page_token: null })
  })

  test.each(['', '/log', '/files'])(
    'a run of another task, or none, is not found: %s',
    async (of) => {
      await shop.task('mine', { 'task.json': { table: 't', where: 'false' } })
      await shop.run('mine')
      const { run_id } = await lastRun('mine')
      const { body: job } = await post(shop.service, '/v1/exports/mine/runs', {})
      for (const path of [`other/runs/${run_id}`, 'mine/runs/none', `other/runs/${job.run_id}`]) {
        const { status, body } = await ask(shop.service, `/v1/exports/${path}${of}`)
        expect([status, body.type]).toEqual([404, '/problems/export-run-not-found'])
      }
    },
  )
})

test('of very many steps the first and the last are kept', () => {
  let told: unknown
  const report = (progress: unknown) => {
    told = progress
  }
  const first = new RunLog({ nowMs: () => 0, attempt: 1, before: undefined, report })
  for (let part = 1; part <= 150; part++) first.add('copied', { part })
  const second = new RunLog({ nowMs: () => 0, attempt: 2, before: told, report })
  for (let part = 151; part <= 300; part++) second.add('copied', { part })
  const { steps, left_out } = logOf(told)
  expect([steps.length, left_out]).toEqual([200, 100])
  expect([steps[19]?.part, steps[20]?.part, steps.at(-1)?.part]).toEqual([20, 121, 300])
  expect(new Set(steps.map(({ attempt }) => attempt))).toEqual(new Set([1, 2]))
  expect(logOf({ rows: 1 })).toEqual({ steps: [], left_out: 0 })
})
