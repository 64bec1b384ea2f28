/**
 * Planning on the server: all of a table of many files, one partition, and one column, by one
 * client and by several.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DataFile } from '../src/core/file/data-file.ts'
import { encodeSingleValue } from '../src/core/value/single-value.ts'
import { fillFiles } from './bench-home.ts'
import { startBenchService } from './bench-service.ts'
import { call } from './client.ts'
import { HttpConnection } from './http-connection.ts'
import { measureHttpLimits, measureStream } from './http-limits.ts'
import { percentile, printMachine, printRow } from './machine.ts'
import { planWithPyIceberg } from './peers/plan-peers.ts'
import { IS_QUICK, openReport, type Peer } from './report.ts'

const FILES = Number(process.env['BENCH_FILES'] ?? (IS_QUICK ? 10_000 : 100_000))
const PEER_ROUNDS = 2
/** Files in each day; a manifest holds 10,000 files. */
const FILES_PER_DAY = 100

interface Answer {
  readonly 'file-scan-tasks': readonly unknown[]
  readonly 'plan-tasks'?: readonly string[]
}

const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
let service = await startBenchService(home)
const columns = [
  { name: 'id', type: 'long' },
  { name: 'day', type: 'date' },
  { name: 'value', type: 'double' },
]
const table = await call(`${service.url}/v1/tables`, {
  method: 'POST',
  body: {
    name: 'wide',
    schema: { columns },
    partitioning: [{ column: 'day', transform: 'identity' }],
  },
})
await service.stop()
await fillFiles(home, {
  tableUuid: table.table_id,
  added: Array.from({ length: FILES }, (_, i) => dataFile(i)),
})

printMachine(`Planning in the REST catalog: ${FILES} data files, ${FILES_PER_DAY} in a partition`)
const report = openReport('plan')
const { post1 } = await measureHttpLimits()
const streamed = await measureStream()
service = await startBenchService(home)
const TABLE = '/iceberg/v1/namespaces/default/tables/wide'
const AT_ONCE = 8
const connections = await Promise.all(
  Array.from({ length: AT_ONCE }, () => HttpConnection.open(service.url)),
)
let receivedBytes = 0
const DAY = 42
const ONE_DAY = { type: 'eq', term: 'day', value: DAY }
const ONE_FILE = { type: 'eq', term: 'id', value: DAY * FILES_PER_DAY * 1000 }
const BOTH = { type: 'and', left: ONE_DAY, right: ONE_FILE }
const stats = ['id', 'day', 'value']
const peers = await measurePyIceberg()
printRow(['what', 'tasks', 'p50 ms', 'p99 ms', 'tasks/s'])
printRow(['---', '---', '---', '---', '---'])
await timed('cold: the first page, no filter', 1, () => plan({}))
await timed('the first page, no filter', 20, () => plan({}))
await timed('all pages, one after another', 5, () => planAll({}, 1))
await timed('all pages, 8 at once', 5, () => planAll({}, AT_ONCE))
await timed('all pages with statistics, 8 at once', 3, () => {
  return planAll({ 'stats-fields': stats }, AT_ONCE)
})
await timed('one partition of the manifests', 200, () => plan({ filter: ONE_DAY }))
await timed('one file by its bounds', 50, () => plan({ filter: ONE_FILE }))
await timed('one partition and one file', 200, () => plan({ filter: BOTH }))
await printHold()
for (const connection of connections) connection.close()
await service.stop()
rmSync(home, { recursive: true })

async function measurePyIceberg(): Promise<ReadonlyMap<string, Peer>> {
  const day = new Date(DAY * 86_400_000).toISOString().slice(0, 10)
  const byDay = `day = '${day}'`
  const byId = `id = ${ONE_FILE.value}`
  const { 'metadata-location': metadataLocation } = await call(service.url + TABLE)
  const filters = {
    'one partition of the manifests': byDay,
    'one file by its bounds': byId,
    'one partition and one file': `${byDay} and ${byId}`,
    'all pages, 8 at once': '',
  }
  return planWithPyIceberg(report, { metadataLocation, rounds: PEER_ROUNDS, filters })
}

async function plan(body: object): Promise<number> {
  const answer = await ask('plan', body, 0)
  return answer['file-scan-tasks'].length
}

async function planAll(body: object, atOnce: number): Promise<number> {
  const first = await ask('plan', body, 0)
  const pending = [...(first['plan-tasks'] ?? [])]
  let tasks = first['file-scan-tasks'].length
  const follow = async (_: unknown, connection: number) => {
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      const page = await ask('tasks', { 'plan-task': next }, connection)
      tasks += page['file-scan-tasks'].length
      pending.push(...(page['plan-tasks'] ?? []))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, follow))
  return tasks
}

async function ask(what: 'plan' | 'tasks', body: object, connection: number): Promise<Answer> {
  const reply = await (connections[connection] as HttpConnection).ask({
    ...{ method: 'POST', path: `${TABLE}/${what}`, body: JSON.stringify(body) },
  })
  receivedBytes += reply.body.length
  const text = reply.body.toString()
  if (reply.status !== 200) throw new Error(`${what}: ${reply.status} ${text.slice(0, 500)}`)
  return JSON.parse(text)
}

async function timed(what: string, rounds: number, work: () => Promise<number>): Promise<void> {
  const times: number[] = []
  let tasks = 0
  receivedBytes = 0
  for (let i = 0; i < rounds; i++) {
    const begin = performance.now()
    tasks = await work()
    times.push(performance.now() - begin)
  }
  const p50 = percentile(times, 0.5)
  const rate = ((tasks * 1000) / p50).toFixed(0)
  printRow([what, String(tasks), p50.toFixed(1), percentile(times, 0.99).toFixed(1), rate])
  const peer = peers.get(what)
  const megabytes = receivedBytes / rounds / 1e6
  const limit = {
    what: `POST to bare Express and ${megabytes.toFixed(1)} MB of one buffer from it`,
    value: 1000 / post1 + (megabytes / streamed) * 1000,
  }
  report.figure({
    ...{ what: `${FILES} files: ${what}, p50`, value: p50, unit: 'ms', limit },
    ...(peer === undefined ? {} : { peer }),
  })
}

/** The longest that the service took no other request while it made plans. */
async function printHold(): Promise<void> {
  await fetch(`${service.url}/metrics`)
  await planAll({ 'stats-fields': stats }, 4)
  const text = await (await fetch(`${service.url}/metrics`)).text()
  const lagOf = (name: string) =>
    Number(new RegExp(`^nodejs_eventloop_lag_${name}_seconds (\\S+)`, 'm').exec(text)?.[1]) * 1000
  const [p50, p99, max] = ['p50', 'p99', 'max'].map((name) => lagOf(name).toFixed(1))
  const held = { what: `${FILES} files: event loop held at most while planning all, 4 at once` }
  report.figure({ ...held, value: lagOf('max'), unit: 'ms', aim: { atMost: 50 } })
  printRow([
    'event loop in that time (longest in the last column)',
    '',
    p50 ?? '',
    p99 ?? '',
    max ?? '',
  ])
}

function dataFile(index: number): DataFile {
  const day = Math.floor(index / FILES_PER_DAY)
  const bounds = (offset: number) =>
    new Map([
      [1, encodeSingleValue({ kind: 'long' }, BigInt(index * 1000 + offset))],
      [2, encodeSingleValue({ kind: 'date' }, day)],
      [3, encodeSingleValue({ kind: 'double' }, (index * 1000 + offset) / 7)],
    ])
  const counts = (count: number) => new Map([1, 2, 3].map((id) => [id, count]))
  const name = `part-${String(index).padStart(8, '0')}.parquet`
  return {
    content: 'data',
    path: `file://${home}/warehouse/default/wide/data/day=${day}/${name}`,
    format: 'parquet',
    specId: 0,
    partition: [day],
    recordCount: 1000,
    fileSizeBytes: 65_536,
    columnSizes: counts(8_000),
    valueCounts: counts(1000),
    nullValueCounts: counts(0),
    lowerBounds: bounds(0),
    upperBounds: bounds(999),
    splitOffsets: [4],
  }
}
