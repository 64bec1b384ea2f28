/** Append transactions per second through the public API: durable, with one file each. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BenchService, startBenchService, startProgram } from './bench-service.ts'
import { call } from './client.ts'
import { durableFilesPerSecond, fdatasyncsPerSecond } from './disk-limits.ts'
import { FileLinks, LINKED_COLUMNS } from './file-links.ts'
import type { HttpConnection } from './http-connection.ts'
import { measureHttpLimits } from './http-limits.ts'
import { LOAD_SECONDS, runLoad, WARM_UP_SECONDS } from './load.ts'
import { printMachine, printRow } from './machine.ts'
import { measureCommitPeers } from './peers/commit-peers.ts'
import { type Aim, type Figure, openReport, type Peer } from './report.ts'

const WRITE_DELAY_MS = 50
const FILES_PER_SECOND = 2_000

interface Load {
  readonly clients: number
  readonly tables: number
  readonly steps: 'one call' | 'start + stage + commit'
  readonly writeDelayMs?: number
}

interface Beside {
  readonly limit: NonNullable<Figure['limit']>
  readonly aim?: Aim
  readonly peer?: Peer
}

const ONE_TABLE: Load = { clients: 64, tables: 1, steps: 'one call' }

const report = openReport('commit')
const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
const links = await FileLinks.make(home)
let loads = 0

try {
  await main()
} finally {
  rmSync(home, { recursive: true })
}

async function main(): Promise<void> {
  printMachine(
    'Commits: transactions per second, one Parquet file each, acknowledged means fsynced',
  )
  const http = await measureHttpLimits()
  const sync = { what: 'fdatasync, one after another', value: fdatasyncsPerSecond() }
  const post = { what: 'POST to bare Express, 64 clients', value: http.post64 }
  const [alone, four] = [await durableFilesPerSecond(1), await durableFilesPerSecond(4)]
  console.log(
    `Bare Express: POST ${http.post1}/s to 1 client, ${http.post64}/s to 64. ` +
      `New files of 4 KiB, synced: ${alone}/s, ${four}/s four at once. ` +
      `${WARM_UP_SECONDS} s of warm-up, ${LOAD_SECONDS} s measured.\n`,
  )
  const peers = await measureCommitPeers(report, { home, template: links.template })
  const alone1 = peers.alone && { peer: peers.alone }
  const together = peers.together && { peer: peers.together }
  printRow([
    ...['clients', 'tables', 'steps', 'ms added to a write', 'transactions/s', 'snapshots/s'],
    ...['p50 ms', 'p99 ms', 'service CPU us', 'client CPU us'],
  ])
  printRow(Array.from({ length: 10 }, () => '---'))
  await measure({ clients: 1, tables: 1, steps: 'one call' }, { limit: sync, ...alone1 })
  const oneTable = await measure(ONE_TABLE, { limit: post, aim: { atLeast: 1000 }, ...together })
  const threeCalls = { what: `${post.what}, for each of 3 calls`, value: http.post64 / 3 }
  const steps = 'start + stage + commit'
  await measure({ ...ONE_TABLE, steps }, { limit: threeCalls, aim: { atLeast: 400 } })
  const slow = { ...ONE_TABLE, writeDelayMs: WRITE_DELAY_MS }
  await measure(slow, { limit: post, aim: { atLeast: 500 } })
  await measure({ ...ONE_TABLE, tables: 16 }, { limit: post, aim: { atLeast: oneTable } })
}

/** Returns transactions per second. */
async function measure(load: Load, beside: Beside): Promise<number> {
  const { clients, tables, steps, writeDelayMs = 0 } = load
  const service = await startService(writeDelayMs)
  const names = Array.from({ length: tables }, (_, i) => `t${i}`)
  const schema = { columns: LINKED_COLUMNS }
  for (const name of names) {
    await call(`${service.url}/v1/tables`, { method: 'POST', body: { name, schema } })
  }
  links.prepare((LOAD_SECONDS + WARM_UP_SECONDS) * FILES_PER_SECOND)
  const begin = performance.now()
  let turn = 0
  const result = await runLoad({
    ...{ url: service.url, pid: service.pid, clients },
    work: (connection) => commit(connection, names[turn++ % tables] as string, steps),
  })
  const snapshots = await countSnapshots(service, names)
  const seconds = (performance.now() - begin) / 1000
  await service.stop()
  const { perSecond, p50Ms, p99Ms, serviceCpuUs, clientCpuUs } = result
  const rates = [perSecond, snapshots / seconds].map(Math.round)
  const times = [p50Ms, p99Ms].map((ms) => ms.toFixed(1))
  const cpu = [serviceCpuUs, clientCpuUs].map(Math.round)
  printRow([clients, tables, steps, writeDelayMs, ...rates, ...times, ...cpu])
  const where = tables === 1 ? 'one table' : `${tables} tables`
  const delay = writeDelayMs === 0 ? '' : `, ${writeDelayMs} ms added to every write`
  const by = `${clients} client${clients === 1 ? '' : 's'}`
  const what = `one-file appends, ${where}, ${by}, ${steps}${delay}`
  report.figure({ what, value: perSecond, unit: '/s', ...beside })
  return perSecond
}

function startService(writeDelayMs: number): Promise<BenchService> {
  const place = join(home, `home-${loads++}`)
  const environment = { MORAINE_ALLOWED_LOCATIONS: links.folder, MORAINE_LOG_LEVEL: 'info' }
  if (writeDelayMs === 0) return startBenchService(place, environment)
  return startProgram('bench/slow-store-main.ts', {
    ...environment,
    MORAINE_HOME: place,
    MORAINE_PORT: '0',
    BENCH_WRITE_DELAY_MS: String(writeDelayMs),
  })
}

async function countSnapshots(service: BenchService, names: readonly string[]): Promise<number> {
  let snapshots = 0
  for (const name of names) {
    const page = await call(`${service.url}/v1/tables/${name}/snapshots?page_size=1`)
    snapshots += Number(page.snapshots[0]?.sequence_number ?? 0)
  }
  return snapshots
}

async function commit(
  connection: HttpConnection,
  table: string,
  steps: Load['steps'],
): Promise<void> {
  const files = [{ path: links.take() }]
  const stage = `/v1/tables/${table}/files`
  if (steps === 'one call') {
    await connection.post(stage, JSON.stringify({ files }))
    return
  }
  const started = await connection.post('/v1/transactions/start', '{}')
  const { transaction_id } = started as { transaction_id: string }
  await connection.post(stage, JSON.stringify({ transaction_id, files }))
  await connection.post('/v1/transactions/commit', JSON.stringify({ transaction_id }))
}
