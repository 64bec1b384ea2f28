import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { jest } from '@jest/globals'
import Sqlite from 'better-sqlite3'
import pg from 'pg'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { openPostgresCatalog } from '../../../src/catalog/postgres/postgres.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { startPostgres, whyNoPostgres } from '../../catalog/postgres-server.ts'

jest.setTimeout(600_000)

/** 4,000 in the long run of interop: `MORAINE_TEST_JOBS=4000`. */
const JOBS = Number(process.env['MORAINE_TEST_JOBS'] ?? 1_000)
const PROCESSES = 4
const LEASE_MS = 1_500
const KILL_EVERY_MS = 100
/** A claim comes a poll after the lease has ended, and as much later as the machine is slow. */
const LATE_MS_MAX = 15_000
const SCRIPT = fileURLToPath(new URL('./killable-jobs.ts', import.meta.url))

interface Scene {
  readonly catalog: Catalog
  /** What children open. */
  readonly where: string
  query(sql: string): Promise<readonly Record<string, unknown>[]>
}

// Written by the database itself, so that a killed process cannot fail to say what it did.
const LEDGER = [
  'create table test_ends (job_id text not null, attempts bigint not null)',
  'create table test_resumed (job_id text not null, late_ms bigint not null)',
]
const RESUMED = `insert into test_resumed values
  (new.job_id, new.due_at_ms - ${LEASE_MS} - old.due_at_ms)`
const ENDED = 'insert into test_ends values (new.job_id, new.attempts)'
const IS_RESUMED = `old.state = 'running' and new.attempts > old.attempts`
const IS_ENDED = 'new.ended_at_ms is not null'

const SQLITE_TRIGGERS = [
  `create trigger resumed after update on jobs when ${IS_RESUMED} begin ${RESUMED}; end`,
  `create trigger ended after update on jobs when ${IS_ENDED} begin ${ENDED}; end`,
]
const POSTGRES_TRIGGERS = [
  `create function tell() returns trigger language plpgsql as $$ begin
    if ${IS_RESUMED} then ${RESUMED}; end if;
    if ${IS_ENDED} then ${ENDED}; end if;
    return null;
  end $$`,
  'create trigger tell after update on jobs for each row execute function tell()',
]

async function submit({ jobs }: Pick<Catalog, 'jobs'>, from: number, to: number): Promise<void> {
  for (let made = from; made < to; made += 100) {
    await Promise.all(
      Array.from({ length: Math.min(100, to - made) }, (_, index) => {
        const input = made + index
        const [jobId, key, nowMs] = [randomUUID(), String(input), Date.now()]
        return jobs.submit({ jobId, kind: 'double', key, input, nowMs })
      }),
    )
  }
}

async function storm({ catalog, where, query }: Scene): Promise<void> {
  await submit(catalog, 0, JOBS / 2)
  const children: ChildProcess[] = []
  const begin = () => {
    const words = ['--import', 'tsx', SCRIPT, where, String(LEASE_MS)]
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    return new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()))
  }
  let kills = 0
  const killOne = async () => {
    await sleep(KILL_EVERY_MS)
    children.shift()?.kill('SIGKILL')
    kills++
    // On a busy machine a start takes longer than this pace: then nothing would ever be done.
    await begin()
  }
  try {
    await Promise.all(Array.from({ length: PROCESSES }, begin))
    await killOne()
    // The others may have done all that there was while one started.
    await submit(catalog, JOBS / 2, JOBS)
    do await killOne()
    while ((await catalog.jobs.list({ limit: 1, state: 'waiting' })).length > 0)
    while ((await catalog.jobs.list({ limit: 1, state: 'running' })).length > 0) await sleep(50)
  } finally {
    for (const child of children) child.kill('SIGKILL')
  }
  expect(kills).toBeGreaterThan(1)
  await requireOnce(query)
}

async function requireOnce(query: Scene['query']): Promise<void> {
  const [ends] = await query(`select count(*) as ends, count(distinct job_id) as jobs,
    max(attempts) as attempts from test_ends`)
  expect({ ends: Number(ends?.['ends']), jobs: Number(ends?.['jobs']) }).toEqual({
    ends: JOBS,
    jobs: JOBS,
  })
  const wrong = await query(`select * from jobs
    where state <> 'succeeded' or cast(result as bigint) <> 2 * cast(input as bigint)`)
  expect(wrong).toEqual([])
  const [resumed] = await query(
    'select count(*) as count, min(late_ms) as early, max(late_ms) as late from test_resumed',
  )
  // Kills hit jobs in the middle; none was taken before its lease had ended, or left for long.
  expect(Number(resumed?.['count'])).toBeGreaterThan(0)
  expect(Number(resumed?.['early'])).toBeGreaterThanOrEqual(0)
  expect(Number(resumed?.['late'])).toBeLessThan(LATE_MS_MAX)
}

test('SQLite: four processes that are killed at random do each job once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-jobs-'))
  const path = join(folder, 'catalog.db')
  const catalog = await openSqliteCatalog({ path })
  await catalog.migrate()
  const database = new Sqlite(path, { timeout: 30_000 })
  for (const statement of [...LEDGER, ...SQLITE_TRIGGERS]) database.exec(statement)
  const query = async (sql: string) => database.prepare(sql).all() as Record<string, unknown>[]
  try {
    await storm({ catalog, where: path, query })
  } finally {
    database.close()
    await catalog.close()
    await rm(folder, { recursive: true, force: true })
  }
})

const reason = whyNoPostgres()
const testPostgres = reason === undefined ? test : test.skip

testPostgres('PostgreSQL: four processes that are killed at random do each job once', async () => {
  const server = await startPostgres()
  const url = await server.newDatabase()
  const catalog = await openPostgresCatalog({ url, connectionsMax: 4 })
  const client = new pg.Client({ connectionString: url })
  try {
    await catalog.migrate()
    await client.connect()
    for (const statement of [...LEDGER, ...POSTGRES_TRIGGERS]) await client.query(statement)
    const query = async (sql: string) => (await client.query(sql)).rows
    await storm({ catalog, where: url, query })
  } finally {
    await client.end()
    await catalog.close()
    await server.stop()
  }
})
