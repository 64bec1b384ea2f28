import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { isOfPart } from '../../../src/modules/exports/file-name.ts'
import { settle } from '../../../src/modules/exports/settle-run.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../catalog/postgres-server.ts'
import { changedStore } from './changed-store.ts'
import { archivedIds, exportParts, JOB, runOf, SIGNAL, sourceAt } from './export-runs.ts'

const given = process.env['TEST_POSTGRES_URL']
const obstacle = whyNoPostgres() ?? (given === undefined ? undefined : 'the server is not ours')
const withPostgres = obstacle === undefined ? describe : describe.skip
const ROWS = 20_000

withPostgres(`crashes of the source${obstacle === undefined ? '' : `: ${obstacle}`}`, () => {
  let server: PostgresServer
  let url: string
  let home: string
  let objects: ObjectStore
  beforeAll(async () => {
    server = await startPostgres()
    url = await server.newDatabase()
  })
  afterAll(() => server.stop())
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'moraine-source-crash-'))
    objects = await openLocalStore({ writableRoots: [home], readableRoots: [] })
  })
  afterEach(() => rm(home, { recursive: true }))

  const depsOf = (store: ObjectStore) =>
    exportParts({ objects: store, warehouse: `file://${home}`, source: sourceAt(url) })
  const run = runOf(JOB)

  async function query(text: string): Promise<readonly { id: number }[]> {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => undefined)
    await client.connect()
    try {
      const { rows } = await client.query(text)
      return rows
    } finally {
      await client.end()
    }
  }

  /** Inserts rows until it is stopped. Those of a cut connection may or may not be there. */
  async function write(stop: { isStopped: boolean }, acknowledged: Set<number>): Promise<void> {
    for (let id = 1_000_000; !stop.isStopped; id += 10) {
      const last = id + 9
      await query(`insert into t select i, now() from generate_series(${id}, ${last}) i`).then(
        () => {
          for (let each = id; each <= last; each++) acknowledged.add(each)
        },
        () => sleep(20),
      )
    }
  }

  const where = 'true'
  const TASKS = {
    atomic: { json: { table: 't', where } },
    snapshot: { json: {}, select: 'select * from t', remove: 'delete from t' },
    keys: {
      json: { mode: 'keys', table: 't', where },
      select: 'select * from t join moraine_keys using (id)',
    },
    batches: { json: { mode: 'batches', table: 't', where, batch_rows: 6_000 } },
    partition: { json: { mode: 'partition', table: 'p', min_age: '1 day' } },
  } as const

  /** What the crash comes upon. */
  const MOMENTS = {
    'in mid-copy': 'putStreamIfAbsent',
    'before the commit': 'putIfAbsent',
    'about the commit': 'putIfAbsent',
  } as const

  /** The store; at its first call of the kind the source crashes. */
  function crashing(moment: keyof typeof MOMENTS, how: 'SIGKILL' | 'SIGQUIT') {
    let crashed: Promise<void> | undefined
    const crash = () => (crashed ??= server.crash?.(how) ?? Promise.resolve())
    const store = changedStore(objects, {
      putStreamIfAbsent: (
        location: string,
        chunks: AsyncIterable<Uint8Array>,
        limits: { bytesMax: number },
      ) => {
        const cut = async function* () {
          for await (const chunk of chunks) {
            yield chunk
            if (moment === 'in mid-copy') await crash()
          }
        }
        return objects.putStreamIfAbsent(location, cut(), limits)
      },
      putIfAbsent: async (location: string, bytes: Uint8Array) => {
        const outcome = await objects.putIfAbsent(location, bytes)
        if (!location.endsWith('.csv.json')) return outcome
        if (moment === 'before the commit') await crash()
        if (moment === 'about the commit') setTimeout(crash, Math.random() * 4)
        return outcome
      },
    })
    return { store, ended: () => crash() }
  }

  /** As the job attempts it. */
  async function attempt(task: ReturnType<typeof parseTask>): Promise<void> {
    const deps = depsOf(objects)
    for (const note of await deps.files.listNotes('t', JOB)) {
      const ended = await settle(deps, note, SIGNAL)
      if (ended !== undefined && !isOfPart(ended.file)) return
    }
    await exportOnce(deps, task, run)
  }

  /** Until an attempt succeeds. */
  async function untilDone(task: ReturnType<typeof parseTask>): Promise<void> {
    const isAway = (error: unknown) => (error as { code?: string }).code === 'overloaded'
    for (let isDone = false; !isDone; ) {
      isDone = await attempt(task).then(
        () => true,
        (error: unknown) => {
          if (!isAway(error)) throw error
          return sleep(50, false)
        },
      )
    }
  }

  async function leftIds(): Promise<number[]> {
    const tables = await query(
      "select oid::regclass::text as id from pg_class where relname ~ '^(t|p_[ab])$'",
    )
    const found: number[] = []
    for (const { id: table } of tables) {
      found.push(...(await query(`select id from ${table}`)).map(({ id }) => id))
    }
    return found
  }

  const CASES = Object.keys(TASKS).flatMap((mode) =>
    Object.keys(MOMENTS).flatMap((moment) =>
      (['SIGKILL', 'SIGQUIT'] as const).map((how) => [mode, moment, how] as const),
    ),
  )
  test.each(CASES)('%s, %s, %s: each row is left or archived, once', async (mode, moment, how) => {
    await query(
      'drop table if exists t, p, p_a, p_b, moraine_exports; ' +
        'create table t (id int primary key, at timestamptz); ' +
        `insert into t select i, now() from generate_series(1, ${ROWS}) i; ` +
        'create table p (id int, at timestamptz) partition by range (at); ' +
        "create table p_a partition of p for values from ('2020-01-01') to ('2021-01-01'); " +
        "create table p_b partition of p for values from ('2021-01-01') to ('2022-01-01'); " +
        "insert into p select -i, timestamptz '2020-06-01' + i % 2 * interval '1 year' " +
        `from generate_series(1, ${ROWS}) i`,
    )
    const { json, ...statements } = TASKS[mode as keyof typeof TASKS]
    const task = parseTask('t', { json: JSON.stringify(json), ...statements, changedAtMs: 0 })
    const stop = { isStopped: false }
    const acknowledged = new Set<number>()
    const writing = write(stop, acknowledged)
    const { store, ended } = crashing(moment as keyof typeof MOMENTS, how)
    await exportOnce(depsOf(store), task, run).catch(() => undefined)
    await ended()
    stop.isStopped = true
    await writing
    await untilDone(task)
    const [archived, left] = [await archivedIds(depsOf(objects)), await leftIds()]
    const all = [...archived, ...left]
    expect(all.length - new Set(all).size).toBe(0)
    const there = new Set(all)
    expect([...acknowledged].filter((id) => !there.has(id))).toEqual([])
    // Besides them only those of the writer whose answer was lost.
    const first = Array.from({ length: ROWS }, (_, i) => i + 1)
    expect(first.filter((id) => !there.has(id) || !there.has(-id))).toEqual([])
    expect(archived.length).toBeGreaterThanOrEqual(ROWS)
  })
  /** Without the right to make a table, its marks are in none. */
  const ROLE = 'unmarked'

  test.each(['SIGQUIT', 'one process'])(
    'a number that a crash (%s) gives to another transaction is no proof',
    async (how) => {
      await query(
        'drop table if exists t, moraine_exports; create table t (id int primary key); ' +
          'insert into t select generate_series(1, 10); ' +
          `do $$ begin create role ${ROLE} login; exception when duplicate_object then end $$; ` +
          `revoke create on schema public from public; grant select, delete on t to ${ROLE}`,
      )
      // Nobody writes the little that a small run does until somebody commits.
      await query("alter system set wal_writer_delay = '10s'")
      await query("alter system set bgwriter_delay = '10s'")
      await query('select pg_reload_conf()')
      await query('checkpoint')
      const address = new URL(url)
      address.username = ROLE
      const task = parseTask('t', {
        json: JSON.stringify({ table: 't', where: 'true' }),
        changedAtMs: 0,
      })
      let number = ''
      const crash = async (text: string) => {
        number = JSON.parse(text).mark.transactionId
        if (how === 'SIGQUIT') return server.crash?.('SIGQUIT')
        const [{ pid } = { pid: 0 }] = (await query(
          "select pid from pg_stat_activity where application_name = 'moraine export'",
        )) as unknown as readonly { readonly pid: number }[]
        process.kill(pid, 'SIGKILL')
        // All others are ended with it, then the source recovers.
        for (let isBack = false; !isBack; ) {
          await sleep(50)
          isBack = await query('select 1 as id').then(
            () => true,
            () => false,
          )
        }
      }
      const store = changedStore(objects, {
        putIfAbsent: async (location: string, bytes: Uint8Array) => {
          const outcome = await objects.putIfAbsent(location, bytes)
          if (location.endsWith('.csv.json')) await crash(new TextDecoder().decode(bytes))
          return outcome
        },
      })
      const unmarked = (of: ObjectStore) =>
        exportParts({ objects: of, warehouse: `file://${home}`, source: sourceAt(address.href) })
      await expect(exportOnce(unmarked(store), task, run)).rejects.toThrow()
      // Somebody else has the number now.
      let other = '0'
      while (BigInt(other) < BigInt(number)) {
        other = String((await query('select txid_current()::text as id'))[0]?.id)
      }
      expect(other).toBe(number)
      const deps = unmarked(objects)
      const [note] = await deps.files.listNotes('t', JOB)
      if (note === undefined) throw new Error('no note')
      expect(note.mark).toMatchObject({ isWritten: false, transactionId: number })
      await expect(settle(deps, note, SIGNAL)).rejects.toMatchObject({
        code: 'export-outcome-unknown',
      })
      expect([await archivedIds(deps), (await leftIds()).length]).toEqual([[], 10])
    },
  )
})
