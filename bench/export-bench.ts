/**
 * Exports of a PostgreSQL table beside `psql -c "\copy ..." | gzip` of the same rows: MB of CSV a
 * second, memory of the service, and how long the deleted rows are locked. `npx tsx
 * bench/export-bench.ts [rows [bytes of a row]]`: wide rows are measured once. Needs initdb,
 * postgres and psql.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import {
  type PostgresServer,
  startPostgres,
  whyNoPostgres,
} from '../test/catalog/postgres-server.ts'
import { type BenchService, startBenchService } from './bench-service.ts'
import { HttpConnection } from './http-connection.ts'
import { printMachine } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'

const ROWS = Number(process.argv[2] ?? (IS_QUICK ? 100_000 : 2_000_000))
/** A thousand texts, which compress well: what is measured is memory. */
const ROW_BYTES = Number(process.argv[3] ?? 0)
const ROUNDS = IS_QUICK || ROW_BYTES > 0 ? 1 : 3
const MB = 1_000_000
const LOOK_MS = 3
const report = openReport('export')
const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))

const obstacle = whyNoPostgres() ?? whyNoPsql()
try {
  if (obstacle === undefined) await main()
  else report.skip('exports', obstacle)
} finally {
  rmSync(home, { recursive: true })
}

async function main(): Promise<void> {
  printMachine(`Exports of ${ROWS.toLocaleString('en')} rows`)
  const server = await startPostgres({ isDurable: true })
  try {
    await measureAll(server)
  } finally {
    await server.stop()
  }
}

async function measureAll(server: PostgresServer): Promise<void> {
  const url = await server.newDatabase()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const service = await startBenchService(join(home, 'moraine'), {
    MORAINE_EXPORT_SOURCES: `default=${url}`,
  })
  try {
    await fill(client)
    const csvBytes = await copyByPsql(url, undefined)
    console.log(`${(csvBytes / MB).toFixed(0)} MB of CSV\n`)
    const speeds = { psql: [] as number[], kept: [] as number[], archived: [] as number[] }
    const locked: number[] = []
    let peakBytes = 0
    for (let round = 0; round < ROUNDS; round++) {
      speeds.psql.push(csvBytes / MB / (await seconds(() => copyByPsql(url, 'gzip'))))
      const before = residentBytes(service.pid)
      speeds.kept.push(csvBytes / MB / (await run(service, `kept${round}`, { mode: 'keep' })))
      const watch = watchLock(url)
      speeds.archived.push(csvBytes / MB / (await run(service, `archived${round}`, {})))
      locked.push((await watch) * ((100 * MB) / csvBytes))
      peakBytes = Math.max(peakBytes, peakResidentBytes(service.pid) - before)
      if (round + 1 < ROUNDS) await fill(client)
    }
    const psql = median(speeds.psql)
    const version = String((await client.query('show server_version')).rows[0].server_version)
    const peer = { what: 'psql \\copy | gzip', version, value: psql }
    const aim = { atLeast: psql }
    report.figure({ what: 'copied only', value: median(speeds.kept), unit: 'MB/s', aim, peer })
    report.figure({
      ...{ what: 'copied and deleted, in one transaction', unit: 'MB/s' },
      ...{ value: median(speeds.archived), peer },
    })
    report.figure({
      ...{ what: 'longest that the deleted rows are locked, for each 100 MB', unit: 's' },
      value: median(locked),
    })
    report.figure({
      ...{ what: 'memory beyond that before the exports, at most', unit: 'MB' },
      value: peakBytes / MB,
      aim: { atMost: 100 },
    })
  } finally {
    await service.stop()
    await client.end()
  }
}

async function fill(client: pg.Client): Promise<void> {
  await client.query(
    'drop table if exists t; create table t (id bigint primary key, at timestamptz, note text, ' +
      'amount numeric(12,2))',
  )
  await client.query(
    'drop table if exists texts; create temporary table texts as select n, ' +
      "string_agg(md5(n || '-' || k), '') as text from generate_series(0, 999) n, " +
      `generate_series(1, ${Math.ceil(ROW_BYTES / 32)}) k group by n`,
  )
  const note = ROW_BYTES > 0 ? 'text' : 'md5(i::text)'
  await client.query(
    "insert into t select i, timestamptz '2025-01-01' + i * interval '1 second', " +
      `${note}, i * 1.25 from generate_series(1, $1::bigint) i ` +
      'left join texts on n = i % 1000',
    [ROWS],
  )
  await client.query('vacuum analyze t')
}

/**
 * Seconds for which the row that is deleted first is locked: from the first refusal of a lock that
 * somebody else wants every few milliseconds to the first one that is had.
 */
async function watchLock(url: string): Promise<number> {
  const other = new pg.Client({ connectionString: url })
  await other.connect()
  try {
    let sinceMs: number | undefined
    for (;;) {
      const isLocked = await other.query('select from t where id = 1 for update nowait').then(
        () => false,
        (error: { readonly code?: string }) => {
          if (error.code !== '55P03') throw error
          return true
        },
      )
      if (isLocked) sinceMs ??= performance.now()
      else if (sinceMs !== undefined) return (performance.now() - sinceMs) / 1000
      await sleep(LOOK_MS)
    }
  } finally {
    await other.end()
  }
}

/** Seconds from the start of the run to its end. */
async function run(service: BenchService, name: string, more: object): Promise<number> {
  const folder = join(home, 'moraine/exports', name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'task.json'), JSON.stringify({ table: 't', where: 'true', ...more }))
  const connection = await HttpConnection.open(service.url)
  try {
    const { status, body } = await connection.ask({ method: 'POST', path: `/exports/${name}` })
    if (status !== 200) throw new Error(`${name}: ${status} ${body}`)
    // Whoever waits asks less and less often, so the answer is late by up to a second.
    const { body: told } = await connection.ask({ path: `/v1/exports/${name}/runs` })
    const { started_at, ended_at } = JSON.parse(told.toString()).runs[0]
    return (Date.parse(ended_at) - Date.parse(started_at)) / 1000
  } finally {
    connection.close()
  }
}

/** Bytes of what it wrote: compressed by `gzip -6` into a file, or only counted. */
function copyByPsql(url: string, program: 'gzip' | undefined): Promise<number> {
  const path = join(home, 'peer.csv.gz')
  const pipe = program === undefined ? 'wc -c' : `gzip -6 > ${path} && sync ${path}`
  const command = `"${psqlPath()}" "${url}" -c "\\copy t to stdout csv header" | ${pipe}`
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'inherit'] })
    let told = ''
    child.stdout.on('data', (chunk) => {
      told += chunk
    })
    child.once('error', reject)
    child.once('exit', (code) => {
      if (code !== 0) reject(new Error(`psql ended with ${code}`))
      else resolve(program === undefined ? Number(told) : statSync(path).size)
    })
  })
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now()
  await work()
  return (performance.now() - begin) / 1000
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

function residentBytes(pid: number): number {
  return statusOf(pid, 'VmRSS')
}

function peakResidentBytes(pid: number): number {
  return statusOf(pid, 'VmHWM')
}

function statusOf(pid: number, name: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1] ?? 0) * 1024
}

function psqlPath(): string {
  const path = '/usr/lib/postgresql'
  return execFileSync('sh', ['-c', `command -v psql || ls ${path}/*/bin/psql | tail -n 1`])
    .toString()
    .trim()
}

function whyNoPsql(): string | undefined {
  try {
    return psqlPath() === '' ? 'no psql' : undefined
  } catch {
    return 'no psql'
  }
}
