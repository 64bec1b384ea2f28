/**
 * Replicas on one table: durable one-file appends per second by 64 clients, how many were refused,
 * and each replica's share. Every write to the store takes 40 ms longer, as in a bucket.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres, whyNoPostgres } from '../test/catalog/postgres-server.ts'
import { type BenchService, startProgram } from './bench-service.ts'
import { call } from './client.ts'
import { FileLinks, LINKED_COLUMNS } from './file-links.ts'
import { HttpConnection } from './http-connection.ts'
import { LOAD_SECONDS, WARM_UP_SECONDS } from './load.ts'
import { percentile, printMachine, printRow } from './machine.ts'
import { openReport } from './report.ts'

const WRITE_DELAY_MS = 40
const CLIENTS = 64
const FILES_PER_SECOND = 1_500

interface Outcome {
  readonly perSecond: number
  /** Replies by status, without those that acknowledge. */
  readonly refused: ReadonlyMap<number, number>
  /** Acknowledged by each replica, in percent. */
  readonly shares: readonly number[]
  readonly p50Ms: number
  readonly p99Ms: number
}

const report = openReport('replica')
const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
const links = await FileLinks.make(home)
let runs = 0

try {
  await main()
} finally {
  rmSync(home, { recursive: true })
}

async function main(): Promise<void> {
  printMachine(
    `Replicas: one-file appends to one table, ${CLIENTS} clients in all, ` +
      `${WRITE_DELAY_MS} ms added to every write`,
  )
  printRow(['database', 'replicas', 'acknowledged/s', 'refused', 'shares %', 'p50 ms', 'p99 ms'])
  printRow(Array.from({ length: 7 }, () => '---'))
  await measureSqlite()
  const whyNot = whyNoPostgres()
  if (whyNot === undefined) await measurePostgres()
  else report.skip('replicas on PostgreSQL', whyNot)
}

async function measureSqlite(): Promise<void> {
  for (const replicas of [1, 2]) {
    const catalog = `sqlite:${join(home, `catalog-${replicas}.db`)}`
    await measure('SQLite', { replicas, catalog })
  }
}

async function measurePostgres(): Promise<void> {
  const server = await startPostgres({ isDurable: true })
  try {
    for (const replicas of [1, 2, 4]) {
      await measure('PostgreSQL', { replicas, catalog: await server.newDatabase() })
    }
  } finally {
    await server.stop()
  }
}

async function measure(
  database: string,
  { replicas, catalog }: { readonly replicas: number; readonly catalog: string },
): Promise<void> {
  const services = await startReplicas(replicas, catalog)
  const [first] = services as [BenchService]
  await call(`${first.url}/v1/tables`, {
    method: 'POST',
    body: { name: 't', schema: { columns: LINKED_COLUMNS } },
  })
  links.prepare((LOAD_SECONDS + WARM_UP_SECONDS) * FILES_PER_SECOND)
  const { perSecond, refused, shares, p50Ms, p99Ms } = await runClients(services)
  await Promise.all(services.map((service) => service.stop()))
  const told = [...refused].map(([status, count]) => `${count} x ${status}`).join(', ') || '0'
  const times = [p50Ms, p99Ms].map((ms) => ms.toFixed(0))
  printRow([database, replicas, Math.round(perSecond), told, shares.join(' '), ...times])
  const what = `one-file appends, one table, ${database}, ${replicas} replicas`
  report.figure({ what, value: perSecond, unit: '/s' })
  const refusals = [...refused.values()].reduce((sum, count) => sum + count, 0)
  report.figure({ what: `${what}: refused`, value: refusals, unit: '', aim: { atMost: 0 } })
  const fair = { atLeast: Math.floor(100 / replicas / 2) }
  report.figure({ what: `${what}: least share`, value: Math.min(...shares), unit: '%', aim: fair })
}

async function startReplicas(count: number, catalog: string): Promise<readonly BenchService[]> {
  const place = join(home, `run-${runs++}`)
  mkdirSync(place)
  const services: BenchService[] = []
  for (let replica = 0; replica < count; replica++) {
    services.push(
      await startProgram('bench/slow-store-main.ts', {
        MORAINE_ALLOWED_LOCATIONS: links.folder,
        MORAINE_CATALOG: catalog,
        MORAINE_HOME: join(place, `home-${replica}`),
        MORAINE_LOG_LEVEL: 'info',
        MORAINE_PORT: '0',
        MORAINE_WAREHOUSE: `file://${join(place, 'warehouse')}`,
        BENCH_WRITE_DELAY_MS: String(WRITE_DELAY_MS),
      }),
    )
  }
  return services
}

async function runClients(services: readonly BenchService[]): Promise<Outcome> {
  let isOver = false
  let counts = newCounts(services)
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    const replica = client % services.length
    const connection = await HttpConnection.open((services[replica] as BenchService).url)
    while (!isOver) {
      const body = JSON.stringify({ files: [{ path: links.take() }] })
      const begin = performance.now()
      const { status } = await connection.ask({ method: 'POST', path: '/v1/tables/t/files', body })
      if (status >= 300) counts.refused.set(status, (counts.refused.get(status) ?? 0) + 1)
      else {
        counts.times.push(performance.now() - begin)
        counts.byReplica[replica] = (counts.byReplica[replica] ?? 0) + 1
      }
    }
    connection.close()
  })
  await sleep(WARM_UP_SECONDS * 1000)
  counts = newCounts(services)
  const begin = performance.now()
  await sleep(LOAD_SECONDS * 1000)
  const { times, refused, byReplica } = counts
  const seconds = (performance.now() - begin) / 1000
  const acknowledged = times.length
  const outcome = {
    perSecond: acknowledged / seconds,
    refused: new Map(refused),
    shares: byReplica.map((count) => Math.round((100 * count) / Math.max(1, acknowledged))),
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
  }
  isOver = true
  await Promise.all(clients)
  return outcome
}

function newCounts(services: readonly BenchService[]) {
  return {
    times: [] as number[],
    refused: new Map<number, number>(),
    byReplica: services.map(() => 0),
  }
}
