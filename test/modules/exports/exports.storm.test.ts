import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import {
  describeWithPostgres,
  type PostgresServer,
  startPostgres,
} from '../../catalog/postgres-server.ts'
import { buildService, endServices, KillableService } from '../../crash/killable-service.ts'
import { ask, must, post } from '../../http/client.ts'
import { type CommitProxy, openCommitProxy } from './commit-proxy.ts'
import { linesOf, upgradeTable, writeTask } from './export-harness.ts'
import { rowsLostBySeedPattern } from './seed-pattern.ts'
import { sendBytes } from './send-bytes.ts'

/** Two hundred starts come upon a busy minute of the machine. */
const START_MS_MAX = 180_000
const KILLS = Number(process.env['EXPORT_KILLS'] ?? 20)
const MODES = [
  ...['atomic', 'snapshot', 'byCount', 'archived', 'keys', 'batches', 'partition', 'own'],
] as const

describeWithPostgres('exports under SIGKILL', () => {
  let server: PostgresServer
  let url: string
  let home: string
  let proxy: CommitProxy
  let source: pg.Client
  let service: KillableService
  /** Version of each row that was acknowledged last, by id. */
  const written = new Map<number, number>()
  let nextId = 0
  let starts = 0
  let ownTables = 0

  beforeAll(async () => {
    buildService()
    server = await startPostgres()
    url = await server.newDatabase()
    home = await mkdtemp(join(tmpdir(), 'moraine-export-storm-'))
    await mkdir(join(home, 'archive'))
    proxy = await openCommitProxy(new URL(url))
    source = new pg.Client({ connectionString: url })
    await source.connect()
    await source.query('create table t (id int primary key, version int not null, batch int)')
    await start()
  }, 600_000)
  afterAll(async () => {
    await service.kill()
    await endServices()
    await source.end()
    await proxy.close()
    await server.stop()
    await rm(home, { recursive: true, force: true })
  })

  async function start(): Promise<void> {
    const through = new URL(url)
    through.port = String(proxy.port)
    const environment = {
      MORAINE_HOME: home,
      MORAINE_EXPORT_SOURCES: `default=${through.href}`,
      // What one has begun, another with another setting ends.
      ...(starts++ % 2 === 0 && { EXPORT_PATH: join(home, 'archive') }),
    }
    service = await KillableService.start(environment, [], { timeoutMs: START_MS_MAX })
  }

  /** Inserts and updates until it is told to stop. */
  async function write(batch: number, stop: { isStopped: boolean }): Promise<void> {
    const writer = new pg.Client({ connectionString: url })
    await writer.connect()
    while (!stop.isStopped) {
      const first = nextId
      nextId += 20
      await writer.query('insert into t select i, 0, $1 from generate_series($2::int, $3::int) i', [
        batch,
        first,
        nextId - 1,
      ])
      for (let id = first; id < nextId; id++) written.set(id, 0)
      const { rows } = await writer.query(
        'update t set version = version + 1 where id between $1 and $2 and id % 7 = 0 ' +
          'returning id, version',
        [first, nextId],
      )
      for (const { id, version } of rows) written.set(id, version)
      await sleep(2)
    }
    await writer.end()
  }

  /** The files of the task of each mode. */
  function filesOf(mode: (typeof MODES)[number], name: string): Record<string, unknown> {
    const of = { table: 't', where: 'true' }
    const archive_to = `archive.${name}`
    const twoFiles = (select: string) => ({ 'select.sql': select, 'delete.sql': 'delete from t' })
    const joined = 'select id, version from t join moraine_keys using (id)'
    return {
      atomic: { 'task.json': of },
      archived: { 'task.json': { ...of, archive_to } },
      snapshot: twoFiles('select * from t'),
      byCount: twoFiles("select id || '' as id, version from t"),
      keys: { 'task.json': { mode, ...of }, 'select.sql': joined },
      batches: { 'task.json': { mode, ...of, batch_rows: 500, archive_to } },
      partition: { 'task.json': { mode, table: name, min_age: '1 day' } },
      own: { 'task.json': { source: 'moraine', table: `own.${name}`, where: 'batch = 0' } },
    }[mode]
  }

  async function taskOf(mode: (typeof MODES)[number], name: string): Promise<void> {
    if (mode === 'partition') await partitioned(name)
    if (mode === 'own') await owned(name, ++ownTables % 2 === 0 ? 3 : 2)
    await writeTask(join(home, 'exports'), name, filesOf(mode, name))
  }

  /** A table of its own, with rows in two partitions whose time is over. */
  async function partitioned(name: string): Promise<void> {
    const first = nextId
    nextId += 2_000
    await source.query(
      `create table ${name} (id int, version int, at date) partition by range (at); ` +
        `create table ${name}_a partition of ${name} for values from ('2020-01-01') ` +
        `to ('2021-01-01'); create table ${name}_b partition of ${name} ` +
        `for values from ('2021-01-01') to ('2022-01-01'); insert into ${name} ` +
        `select i, 0, date '2020-06-01' + i % 2 * 365 from generate_series(${first}, ` +
        `${nextId - 1}) i`,
    )
    for (let id = first; id < nextId; id++) written.set(id, 0)
  }

  /** A table of the service, with files whose rows are meant, or not, or in part. */
  async function owned(name: string, version: 2 | 3): Promise<void> {
    const columns = ['id', 'version', 'batch'].map((column) => ({ name: column, type: 'int' }))
    const created = { name: `own.${name}`, schema: { columns } }
    await must(post(service, '/v1/tables', created), 201)
    await upgradeTable(service, `own.${name}`, version)
    for (const batchOf of [() => 0, () => 1, (id: number) => id % 2]) {
      const ids = Array.from({ length: 700 }, () => nextId++)
      const csv = ids.map((id) => `${id},0,${batchOf(id)}\n`).join('')
      const response = await fetch(`${service.url}/v1/tables/own.${name}/files`, {
        ...{ method: 'POST', headers: { 'Content-Type': 'text/csv' } },
        body: `id,version,batch\n${csv}`,
      })
      expect(response.status).toBe(201)
      for (const id of ids) written.set(id, 0)
    }
  }

  /** Rows that are still in the source, in partitions that were detached, too. */
  async function leftRows(names: readonly string[]) {
    const tables = ['t', ...names.flatMap((name) => [`${name}_a`, `${name}_b`])]
    const rows: { id: number; version: number }[] = []
    for (const table of tables) {
      const found = await source.query('select to_regclass($1) as found', [table])
      if (found.rows[0].found === null) continue
      rows.push(...(await source.query(`select id, version from ${table}`)).rows)
    }
    return rows
  }

  /** Starts a run, and kills the service at some moment of it. */
  async function killDuring(name: string, how: number): Promise<void> {
    // Every other time at the commit, else anywhere.
    const isAnywhere = how % 2 === 1
    const fates = ['answered', 'held back', 'answer lost', 'refused by another'] as const
    proxy.fate = fates[Math.floor(how / 2) % 4] ?? 'answered'
    const commit = proxy.nextCommit()
    await must(post(service, `/v1/exports/${name}/runs`, {}), 202)
    // Of our own tables the commit passes no proxy.
    const isOwn = name.startsWith('own')
    if (!isAnywhere && !isOwn) await Promise.race([commit, sleep(3_000)])
    await sleep(Math.random() * (isOwn ? 1_500 : 60))
    await service.kill()
    proxy.fate = 'answered'
    await start()
  }

  test(
    `${KILLS} kills beside a writer and an updater: each row is left or archived, once`,
    async () => {
      const names: string[] = []
      const stop = { isStopped: false }
      const writing = write(0, stop)
      for (let kill = 0; kill < KILLS; kill++) {
        const mode = MODES[kill % MODES.length] ?? 'atomic'
        const name = `${mode}${kill}`
        names.push(name)
        await taskOf(mode, name)
        // Each mode in each way: over 64 kills.
        await killDuring(name, kill + Math.floor(kill / MODES.length))
      }
      stop.isStopped = true
      await writing
      const outcomes = new Map<string, number>()
      for (const name of names) {
        const outcome = await endOf(name)
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      }
      const archived = await archivedRows(names)
      for (const name of names.filter((each) => /^(?:archived|batches)/.test(each))) {
        const inFiles = [...(await archivedRows([name]))].map(([id, [version]]) => ({
          id,
          version,
        }))
        expect((await appendedRows(name)).sort(byId)).toEqual(inFiles.sort(byId))
      }
      const left = await leftRows(names.filter((name) => name.startsWith('partition')))
      for (const name of names.filter((each) => each.startsWith('own'))) {
        left.push(...(await tableRows(`own.${name}`)))
      }
      const { lost, twice, old } = compare(archived, left)
      process.stdout.write(
        `${KILLS} kills, ${written.size} rows written, ${archived.size} archived, ` +
          `${left.length} left; runs: ${JSON.stringify([...outcomes])}\n`,
      )
      expect({ lost, twice, old }).toEqual({ lost: [], twice: [], old: [] })
      expect(archived.size + left.length).toBe(written.size)
      expect(archived.size).toBeGreaterThan(0)
    },
    KILLS * 30_000 + 180_000,
  )

  test('copying, then deleting, as an older service did, loses rows', async () => {
    expect(await rowsLostBySeedPattern(url)).toBeGreaterThan(0)
  })

  /** Versions by id. */
  async function archivedRows(names: readonly string[]): Promise<Map<number, number[]>> {
    const archived = new Map<number, number[]>()
    for (const name of names) {
      const { files } = await must(ask(service, `/v1/exports/${name}/files`))
      for (const { url: path } of files) {
        for (const line of linesOf(await sendBytes(service.url + path)).slice(1)) {
          const [id, version] = line.split(',').map(Number) as [number, number]
          archived.set(id, [...(archived.get(id) ?? []), version])
        }
      }
    }
    return archived
  }

  const byId = (one: { readonly id: number }, other: { readonly id: number }) => one.id - other.id

  /** Rows of the table that a task appends to, which is not there before its first rows are. */
  async function appendedRows(name: string): Promise<{ id: number; version: number }[]> {
    return tableRows(`archive.${name}`)
  }

  async function tableRows(table: string): Promise<{ id: number; version: number }[]> {
    const path = `/v1/tables/${table}`
    const { status, body } = await ask(service, path)
    if (status === 404 || body.totals.data_files === 0) return []
    const text = (await sendBytes(`${service.url}${path}/dump?format=ndjson`)).toString()
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
      .map(({ id, version }) => ({ id, version }))
  }

  function compare(
    archived: ReadonlyMap<number, readonly number[]>,
    left: readonly { readonly id: number; readonly version: number }[],
  ) {
    const found = new Map(archived)
    for (const { id, version } of left) found.set(id, [...(found.get(id) ?? []), version])
    return {
      lost: [...written.keys()].filter((id) => !found.has(id)),
      twice: [...found].filter(([, versions]) => versions.length > 1),
      old: [...written].filter(([id, version]) => (found.get(id)?.[0] ?? 0) < version),
    }
  }

  /** How the run ended, once the lease of the killed process is over. */
  async function endOf(name: string): Promise<string> {
    for (;;) {
      const { runs } = await must(ask(service, `/v1/exports/${name}/runs`))
      const [run] = runs
      if (run.ended_at !== null) return run.result?.outcome ?? run.problem?.code ?? run.state
      await sleep(200)
    }
  }
})
