/**
 * The cost of a long history: reads, commits and publications from 1,000 to 1,000,000 snapshots.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startBenchService } from './bench-service.ts'
import { call } from './client.ts'
import { FileLinks, LINKED_COLUMNS } from './file-links.ts'
import { HttpConnection, type Question } from './http-connection.ts'
import { measureHttpLimits } from './http-limits.ts'
import { fillHistory, HISTORY_START_MS } from './long-history.ts'
import { percentile, printMachine, printRow } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'

const LENGTHS = IS_QUICK ? [1_000, 10_000] : [1_000, 9_000, 100_000, 1_000_000]
const LOOKUPS = IS_QUICK ? 100 : 1_000
const COMMITS = 50
const AIMS_MS: Readonly<Record<string, number>> = { 'as_at at random': 1 }

const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
const links = await FileLinks.make(home)
const environment = { MORAINE_ALLOWED_LOCATIONS: links.folder }
printMachine('A long history: what grows with it, and what does not')
const report = openReport('history')
const { get1 } = await measureHttpLimits()
const limit = { what: 'GET from bare Express, 1 client, mean', value: 1000 / get1 }
const tableUuid = await makeTable()
printRow(['snapshots', 'what', 'p50 ms', 'p99 ms', 'event loop held ms'])
printRow(['---', '---', '---', '---', '---'])
let filled = 0
for (const snapshots of LENGTHS) {
  await fillHistory(home, { tableUuid, snapshots, first: filled })
  filled = await measure(snapshots)
}
rmSync(home, { recursive: true })

async function makeTable(): Promise<string> {
  const service = await startBenchService(home, environment)
  const body = { name: 'long', schema: { columns: LINKED_COLUMNS } }
  const { table_id } = await call(`${service.url}/v1/tables`, { method: 'POST', body })
  await service.stop()
  return table_id
}

/** Returns how many snapshots there are afterwards. */
async function measure(snapshots: number): Promise<number> {
  const service = await startBenchService(home, environment)
  const connection = await HttpConnection.open(service.url)
  const each = (what: string, rounds: number, question: () => Question) =>
    measureEach({ connection, snapshots, what, rounds, question })
  const table = '/v1/tables/long'
  await untilPublished(service.url)
  const someTime = () => {
    const atMs = HISTORY_START_MS + Math.floor(Math.random() * snapshots) * 1000 + 500
    return new Date(atMs).toISOString()
  }
  await each('GET /health', LOOKUPS, () => ({ path: '/health' }))
  await each('as_at at random', LOOKUPS, () => ({ path: `${table}?as_at=${someTime()}` }))
  await each('the table now', LOOKUPS, () => ({ path: table }))
  await each('a page of the log, 100 of it, at random', LOOKUPS, () => ({
    path: `${table}/snapshots?before=${someTime()}&page_size=100`,
  }))
  links.prepare(COMMITS)
  await each('a commit of one file, one client', COMMITS, () => ({
    ...{ method: 'POST', path: `${table}/files` },
    body: JSON.stringify({ files: [{ path: links.take() }] }),
  }))
  await each('the table just after these commits', 1, () => ({ path: table }))
  const rest = '/iceberg/v1/namespaces/default/tables/long'
  if (snapshots <= 100_000) {
    await each('REST load, refs: the first after commits', 1, () => ({
      path: `${rest}?snapshots=refs`,
    }))
    await each('REST load, refs', 100, () => ({ path: `${rest}?snapshots=refs` }))
  }
  connection.close()
  await service.stop()
  return snapshots + COMMITS
}

/** Waits for the publications of the start, which would be measured otherwise. */
async function untilPublished(url: string): Promise<void> {
  for (;;) {
    const metrics = await (await fetch(`${url}/metrics`)).text()
    if (/^moraine_publications_total [1-9]/m.test(metrics)) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

async function measureEach({
  connection,
  snapshots,
  what,
  rounds,
  question,
}: {
  readonly connection: HttpConnection
  readonly snapshots: number
  readonly what: string
  readonly rounds: number
  readonly question: () => Question
}): Promise<void> {
  const times: number[] = []
  await longestHoldMs(connection)
  for (let i = 0; i < rounds; i++) {
    const begin = performance.now()
    const { status, body } = await connection.ask(question())
    if (status >= 300) throw new Error(`${what}: ${status} ${body.toString().slice(0, 500)}`)
    times.push(performance.now() - begin)
  }
  const held = await longestHoldMs(connection)
  const p50 = percentile(times, 0.5)
  const p99 = percentile(times, 0.99).toFixed(2)
  printRow([snapshots, what, p50.toFixed(2), p99, held.toFixed(0)])
  const aim = AIMS_MS[what]
  report.figure({
    ...{ what: `${snapshots} snapshots: ${what}, p50`, value: p50, unit: 'ms', limit },
    ...(aim !== undefined && { aim: { atMost: aim } }),
  })
}

async function longestHoldMs(connection: HttpConnection): Promise<number> {
  const { body } = await connection.ask({ path: '/metrics' })
  const held = /^moraine_event_loop_held_max_seconds (.+)$/m.exec(body.toString())?.[1]
  return Number(held) * 1000
}
