import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { ask, must, post } from '../../http/client.ts'
import { until } from '../../lake/jobs/background.ts'
import { type CommitProxy, openCommitProxy } from './commit-proxy.ts'
import { type ExportShop, openExportShop } from './export-harness.ts'
import { sendBytes } from './send-bytes.ts'

describeWithPostgres('exports', () => {
  let shop: ExportShop
  let proxy: CommitProxy
  beforeAll(async () => {
    shop = await openExportShop(async (url) => {
      proxy = await openCommitProxy(new URL(url))
      const through = new URL(url)
      through.port = String(proxy.port)
      const limited = new URL(through)
      limited.username = 'limited'
      return `default=${through.href},limited=${limited.href}`
    })
    await shop.source.query('create role limited login; revoke create on schema public from public')
  })
  afterAll(async () => {
    await proxy.close()
    await shop.close()
  })
  beforeEach(async () => {
    await shop.source.query(
      'drop table if exists t cascade; create table t (id int primary key, day date, note text); ' +
        'grant select, delete on t to limited; ' +
        "insert into t select i, date '2025-01-01' + i % 3, 'note ' || i " +
        'from generate_series(1, 300) i',
    )
  })

  const left = async () => Number((await shop.source.query('select count(*) from t')).rows[0].count)
  const OLD = "day < date '2025-01-03'"

  test.each([
    ['atomic', { 'task.json': { table: 't', where: OLD } }, 'one statement'],
    [
      'snapshot',
      {
        'select.sql': `COPY (SELECT * FROM t WHERE ${OLD} ORDER BY id) TO STDOUT WITH CSV HEADER;`,
        'delete.sql': `-- the same\nDELETE FROM t WHERE ${OLD};`,
      },
      'keys',
    ],
    [
      'byCount',
      {
        'select.sql': `SELECT day, note FROM t WHERE ${OLD}`,
        'delete.sql': `DELETE FROM t WHERE ${OLD}`,
      },
      'count',
    ],
  ] as const)('%s: rows are archived, deleted, and served as a file', async (name, task, proof) => {
    await shop.task(name, task)
    expect(await shop.run(name)).toMatchObject({ status: 200, body: { status: 'Ok' } })
    expect(await left()).toBe(100)
    const [file] = await shop.files(name)
    expect(file).toMatchObject({ rows: 200, deleted: 200, proof })
    expect(file.file).toMatch(new RegExp(`^${name}-\\d{8}T\\d{6}Z-[0-9a-f]{8}\\.csv\\.gz$`))
    const bytes = await sendBytes(`${shop.service.url}${file.url}`)
    expect(bytes).toHaveLength(file.bytes)
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(file.sha256)
    expect(new Set(await shop.archived(name)).size).toBe(200)
    // The next run has nothing to do, and makes no file.
    expect((await shop.run(name)).status).toBe(200)
    expect(await shop.files(name)).toHaveLength(1)
    const { runs } = (await ask(shop.service, `/v1/exports/${name}/runs`)).body
    expect(runs.map(({ result }: { result: unknown }) => result)).toMatchObject([
      { outcome: 'empty' },
      { outcome: 'exported', rows: 200 },
    ])
    await nothingStaged(name)
    expect((await shop.source.query('select * from moraine_exports')).rows).toEqual([])
  })

  test('keep copies only, the columns that are chosen, and quotes values', async () => {
    await shop.source.query(`insert into t values (301, null, e'a "b",\n c')`)
    await shop.task('copied', {
      'task.json': {
        ...{ table: 'public.t', where: 'id > 299', columns: ['note', 'id'], mode: 'keep' },
        ...{ compression: 'none', name: 'seed' },
      },
    })
    expect((await shop.run('copied')).status).toBe(200)
    expect(await left()).toBe(301)
    const [file] = await shop.files('copied')
    expect(file.file).toMatch(/^copied-\d{4}(_\d\d){2}-\d\d_\d\d_\d\d_[AP]M\.csv$/)
    const text = String(await sendBytes(`${shop.service.url}${file.url}`))
    expect(text).toBe('note,id\nnote 300,300\n"a ""b"",\n c",301\n')
  })

  test('a range, a known tag and a HEAD of a file', async () => {
    await shop.task('ranges', { 'task.json': { table: 't', where: 'id < 3', mode: 'keep' } })
    await shop.run('ranges')
    const [{ url, bytes, sha256 }] = await shop.files('ranges')
    const get = (headers: Record<string, string>, method = 'GET') =>
      fetch(`${shop.service.url}${url}`, { method, headers })
    const part = await get({ Range: 'bytes=2-5' })
    expect(part.status).toBe(206)
    expect(part.headers.get('content-range')).toBe(`bytes 2-5/${bytes}`)
    expect((await part.arrayBuffer()).byteLength).toBe(4)
    expect((await get({ 'If-None-Match': `"${sha256}"` })).status).toBe(304)
    expect((await get({ 'If-Match': '"other"' })).status).toBe(412)
    expect((await get({ Range: `bytes=${bytes}-` })).status).toBe(416)
    const head = await get({}, 'HEAD')
    expect(head.headers.get('content-length')).toBe(String(bytes))
    expect((await ask(shop.service, `${url}x`)).body.type).toContain('export-file-not-found')
  })

  test('a deletion of other rows than were copied is rolled back', async () => {
    const select = { 'select.sql': 'select * from t where id < 100' }
    await shop.task('more', { ...select, 'delete.sql': 'delete from t where id <= 100' })
    await shop.task('other', {
      ...select,
      'delete.sql': 'delete from t where id between 2 and 100',
    })
    await shop.task('uncompared', {
      'select.sql': 'select note from t where id < 100',
      'delete.sql': 'delete from t where id <= 100',
    })
    for (const name of ['more', 'other', 'uncompared']) {
      const { status, body } = await shop.run(name)
      expect({ status, type: body.type }).toEqual({
        status: 409,
        type: '/problems/export-count-mismatch',
      })
      expect(await left()).toBe(300)
      expect(await shop.files(name)).toEqual([])
      await nothingStaged(name)
    }
  })

  test.each([
    ['two statements', 'select 1; select 2', 'delete from t', 'source-refused'],
    ['no query', 'drop table t', 'delete from t', 'export-task-invalid'],
    ['another COPY', "copy (select 1) to '/tmp/x'", 'delete from t', 'export-task-invalid'],
    ['no deletion', 'select * from t', 'truncate t', 'export-task-invalid'],
    ['a query for it', 'select 1', 'with one as (select 1) select 1', 'export-task-invalid'],
    ['a commit after it', 'select * from t', 'delete from t; commit', 'source-refused'],
    ['no such table', 'select * from missing', 'delete from t', 'source-refused'],
    ['a text that breaks out', 'select 1) to stdout; delete from t; --', 'x', 'source-refused'],
  ])('%s: refused, and nothing is deleted', async (_, select, remove, code) => {
    await shop.task('bad', { 'select.sql': select, 'delete.sql': remove })
    const { status, body } = await shop.run('bad')
    expect({ status, type: body.type }).toEqual({ status: 422, type: `/problems/${code}` })
    expect(await left()).toBe(300)
    await nothingStaged('bad')
  })

  test('a copy that would do more is refused', async () => {
    await shop.task('more-than-copied', {
      'task.json': { mode: 'keep' },
      'select.sql': 'select 1 as one) to stdout; delete from t; copy (select 2 as two',
    })
    expect((await shop.run('more-than-copied')).body.type).toBe('/problems/source-refused')
    expect(await left()).toBe(300)
  })

  test('rights, foreign keys and triggers of the source hold', async () => {
    await shop.source.query('create table child (t int references t); insert into child values (5)')
    await shop.task('held', { 'task.json': { table: 't', where: 'id < 10' } })
    expect((await shop.run('held')).body).toMatchObject({
      ...{ type: '/problems/source-refused', sql_state: '23503' },
    })
    expect(await left()).toBe(300)
    await shop.source.query(
      'drop table child; create function stop() returns trigger language plpgsql as ' +
        "'begin if old.id = 7 then return null; end if; return old; end'; " +
        'create trigger stop before delete on t for each row execute function stop()',
    )
    await shop.task('trigger', {
      'select.sql': 'select * from t where id < 10',
      'delete.sql': 'delete from t where id < 10',
    })
    expect((await shop.run('trigger')).body.type).toBe('/problems/export-count-mismatch')
    // One statement archives what it deletes.
    expect((await shop.run('held')).status).toBe(200)
    expect(await left()).toBe(292)
    expect(await shop.archived('held')).toHaveLength(8)
  })

  test('tasks that cannot be run say why, in lists too', async () => {
    await shop.task('broken', { 'task.json': '{' })
    await shop.task('typo', { 'task.json': { tabel: 't' } })
    await shop.task('sourceless', { 'task.json': { table: 't', where: 'true', source: 'crm' } })
    await shop.task('half', { 'select.sql': 'select 1' })
    const { exports } = (await ask(shop.service, '/v1/exports')).body
    const problems = new Map(
      exports.map((each: { task: string; problem: string }) => [each.task, each.problem]),
    )
    expect(problems.get('broken')).toContain('not JSON')
    expect(problems.get('typo')).toContain('tabel')
    expect(problems.get('half')).toContain('delete.sql')
    expect(problems.get('sourceless')).toContain('MORAINE_EXPORT_SOURCES')
    for (const name of ['broken', 'typo', 'half', 'sourceless']) {
      expect((await shop.run(name)).body.type).toBe('/problems/export-task-unusable')
    }
    for (const name of ['missing', '..', '%2e%2e%2fx', 'a%00b']) {
      const { status } = await post(shop.service, `/v1/exports/${name}/runs`, {})
      expect([400, 404]).toContain(status)
    }
  })

  test('an update beside it is a conflict that is tried again', async () => {
    await shop.task('beside', { 'task.json': { table: 't', where: 'true' } })
    await shop.source.query('begin; update t set note = $$changed$$ where id = 1')
    const running = shop.run('beside')
    await untilWaiting()
    await shop.source.query('commit')
    expect((await running).status).toBe(200)
    expect(await left()).toBe(0)
    const rows = await shop.archived('beside')
    expect(rows).toHaveLength(300)
    expect(rows.filter((row) => row.endsWith(',changed'))).toHaveLength(1)
    const { runs } = (await ask(shop.service, '/v1/exports/beside/runs')).body
    expect(runs).toMatchObject([{ attempts: 1 }])
  })

  test('a row that comes between copying and deleting stays', async () => {
    await shop.task('between', {
      'select.sql': 'select t.* from t, (select pg_sleep(1)) slept',
      'delete.sql': 'delete from t',
    })
    const running = shop.run('between')
    for (let isRunning = false; !isRunning; ) {
      const active = "select 1 from pg_stat_activity where query like 'copy%pg_sleep(1)%'"
      isRunning = ((await shop.source.query(active)).rowCount ?? 0) > 0
    }
    await shop.source.query("insert into t values (500, null, 'late')")
    expect((await running).status).toBe(200)
    expect(await left()).toBe(1)
    expect(await shop.archived('between')).toHaveLength(300)
  })

  test.each([
    ['answer lost', true, 2],
    ['answer lost', false, 2],
    ['held back', true, 2],
    ['held back', false, 2],
    ['refused by another', true, 1],
    ['refused by another', false, 1],
  ] as const)(
    'a commit that is %s, with a table for marks or without (%s): each row once',
    async (fate, mayMark, attempts) => {
      const name = `${fate}-${mayMark}`.replaceAll(' ', '-')
      const source = mayMark ? 'default' : 'limited'
      await shop.task(name, { 'task.json': { table: 't', where: 'true', source } })
      proxy.fate = fate
      const commit = proxy.nextCommit()
      const running = shop.run(name)
      await commit
      // Until the source has done what it was sent.
      await untilIdle()
      proxy.fate = 'answered'
      if (attempts > 1) proxy.cut()
      expect(await running).toMatchObject({ status: 200 })
      expect(await left()).toBe(0)
      expect(await shop.archived(name)).toHaveLength(300)
      const { runs } = (await ask(shop.service, `/v1/exports/${name}/runs`)).body
      expect(runs).toMatchObject([{ attempts, result: { outcome: 'exported' } }])
      await nothingStaged(name)
    },
  )

  test('a schedule runs the task', async () => {
    await shop.task('scheduled', {
      'task.json': { table: 't', where: 'id = 1', schedule: '* * * * * *' },
    })
    const isRun = async () => {
      const { runs } = await must(ask(shop.service, '/v1/exports/scheduled/runs'))
      return runs.some(({ state }: { readonly state: string }) => state === 'succeeded')
    }
    await until(isRun, 90_000)
    await shop.task('scheduled', { 'task.json': { table: 't', where: 'id = 1' } })
    expect(await shop.archived('scheduled')).toHaveLength(1)
  })

  test('cancelled while it waits for a lock: rolled back', async () => {
    await shop.task('cancelled', { 'task.json': { table: 't', where: 'true' } })
    await shop.source.query('begin; lock table t in exclusive mode')
    const { body: run } = await post(shop.service, '/v1/exports/cancelled/runs', {})
    await untilWaiting()
    await ask(shop.service, `/v1/jobs/${run.run_id}`, { method: 'DELETE' })
    const ended = (await ask(shop.service, `/v1/jobs/${run.run_id}?wait=30`)).body
    expect(ended.state).toBe('cancelled')
    const { steps } = (await ask(shop.service, `${run.url}/log`)).body
    expect(steps.at(-1)).toMatchObject({ step: 'withdrawn' })
    expect(JSON.stringify(steps)).not.toContain('overloaded')
    await shop.source.query('commit')
    expect(await left()).toBe(300)
    await nothingStaged('cancelled')
  })

  /** Until somebody waits for a lock that the test's own connection holds. */
  async function untilWaiting(): Promise<void> {
    for (;;) {
      const { rows } = await shop.source.query(
        'select 1 from pg_locks where not granted and pid <> pg_backend_pid()',
      )
      if (rows.length > 0) return
    }
  }

  /** Until no session of an export has a transaction whose commit is on its way. */
  async function untilIdle(): Promise<void> {
    const { fate } = proxy
    if (fate === 'held back') return
    const open =
      "select 1 from pg_stat_activity where application_name = 'moraine export' and xact_start " +
      'is not null'
    while (((await shop.source.query(open)).rowCount ?? 0) > 0);
  }

  async function nothingStaged(name: string): Promise<void> {
    const folder = join(shop.service.home, 'warehouse', '.exports', '.staged', name)
    expect(await readdir(folder, { recursive: true }).catch(() => [])).toEqual([])
  }

  test('who waits for a run that is withdrawn is told so: nothing was deleted', async () => {
    await shop.task('withdrawn', { 'task.json': { table: 't', where: 'true' } })
    await shop.source.query('begin; lock table t in exclusive mode')
    const waiting = shop.run('withdrawn')
    await untilWaiting()
    const { runs } = await must(ask(shop.service, '/v1/exports/withdrawn/runs'))
    await must(ask(shop.service, runs[0].url, { method: 'DELETE' }))
    expect(await waiting).toMatchObject({
      status: 409,
      body: { type: '/problems/export-run-cancelled', task: 'withdrawn' },
    })
    await shop.source.query('rollback')
    await nothingStaged('withdrawn')
  })
})
