/**
 * A warehouse in a bucket of a real server on this machine: what is asked of the store and why,
 * commits and cold reads with the delays of a network, which are simulated, and dumps by a link.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { type BenchBucket, openBenchBucket } from './bench-bucket.ts'
import { fillFiles } from './bench-home.ts'
import { type BenchService, startBenchService } from './bench-service.ts'
import { type Explained, explain } from './bucket-reasons.ts'
import { call } from './client.ts'
import { FileLinks, LINKED_COLUMNS } from './file-links.ts'
import { HttpConnection } from './http-connection.ts'
import { loadAverage, percentile, printMachine, printRow } from './machine.ts'
import { COLUMNS, millionthFile } from './million-files.ts'
import { IS_QUICK, openReport } from './report.ts'
import { openStoreFront, type StoreFront } from './store-front.ts'

const READ_MS = 15
const WRITE_MS = 40
const CLIENTS = 64
const COMMITS = IS_QUICK ? 128 : 4_000
const FILES = Number(process.env['BENCH_FILES'] ?? (IS_QUICK ? 10_000 : 1_000_000))
const DUMP_FILES = 4
const DUMP_ROWS = IS_QUICK ? 200_000 : 2_000_000
const ROUNDS = IS_QUICK ? 3 : 7
/** Tidying and publishing come after the answer; a request later than this is not counted. */
const QUIET_MS = IS_QUICK ? 500 : 1_500

const run = promisify(execFile)
const report = openReport('bucket')
printMachine('Buckets: a warehouse in S3')
const opened = await openBenchBucket()
if (typeof opened === 'string') {
  for (const what of ['requests to the store', 'commits', 'cold reads', 'dumps by a link']) {
    report.skip(`bucket: ${what}`, opened)
  }
} else {
  const home = mkdtempSync(join(tmpdir(), 'moraine-bucket-bench-'))
  const front = await openStoreFront(opened.endpoint)
  try {
    const links = await FileLinks.make(home)
    const bench = { bucket: opened, front, home, links }
    await countRequests(bench)
    await measureCommits(bench)
    await measureColdReads(bench)
    await measureDumps(bench)
  } finally {
    await front.close()
    await opened.stop()
    rmSync(home, { recursive: true, force: true })
  }
}

interface Bench {
  readonly bucket: BenchBucket
  readonly front: StoreFront
  readonly home: string
  readonly links: FileLinks
}

function startService(
  { bucket, front, home }: Bench,
  name: string,
  endpoint = front.endpoint,
): Promise<BenchService> {
  return startBenchService(join(home, name), bucket.settings(name, endpoint))
}

async function makeTable(service: BenchService, name: string): Promise<void> {
  const body = { name, schema: { columns: LINKED_COLUMNS } }
  await call(`${service.url}/v1/tables`, { method: 'POST', body })
}

/** Each step alone, with a pause after it for what follows its answer. */
async function countRequests(bench: Bench): Promise<void> {
  const { bucket, front, links } = bench
  console.log(`Requests to ${bucket.server}, of each step alone, seen by a front\n`)
  const path = `${bucket.folder('lake')}/counted.parquet`
  await bucket.put([path], readFileSync(links.template))
  let service = await startService(bench, 'counted')
  await makeTable(service, 't')
  await sleep(QUIET_MS)
  front.taken()
  printRow(['step', 'requests', 'of what', 'for what'])
  printRow(['---', '---', '---', '---'])
  const count = async (step: string, work: () => Promise<unknown>) => {
    await work()
    await sleep(QUIET_MS)
    const rows = explain(front.taken())
    printCounts(step, rows)
    const total = rows.reduce((sum, { requests }) => sum + requests, 0)
    report.figure({ what: `requests to the store: ${step}`, value: total, unit: 'requests' })
  }
  await count('a commit of one file given by path', () => {
    const body = { files: [{ path }] }
    return call(`${service.url}/v1/tables/t/files`, { method: 'POST', body })
  })
  const rest = '/iceberg/v1/namespaces/default/tables/t'
  const plan = () => call(`${service.url}${rest}/plan`, { method: 'POST', body: {} })
  await service.stop()
  service = await startService(bench, 'counted')
  await sleep(QUIET_MS)
  front.taken()
  await count('a plan, nothing in memory', plan)
  await count('a plan, once more', plan)
  await count('a load by /v1', () => call(`${service.url}/v1/tables/t`))
  await count('a load by /iceberg', () => call(service.url + rest))
  const dump = `${service.url}/v1/tables/t/dump?format=csv`
  await count('the first dump', () => run('curl', ['-sf', `${dump}&redirect=never`]))
  await count('a finished dump, by the service', () => {
    return run('curl', ['-sf', `${dump}&redirect=never`])
  })
  await count('a finished dump, by its first link', () => run('curl', ['-sfL', dump]))
  await count('a finished dump, by a later link', () => run('curl', ['-sfL', dump]))
  await service.stop()
}

function printCounts(step: string, rows: readonly Explained[]): void {
  if (rows.length === 0) printRow([step, 0, '', ''])
  for (const { requests, what, reason } of rows) printRow([step, requests, what, reason])
  const unknown = rows.filter(({ reason }) => reason === '')
  if (unknown.length === 0) return
  console.error(`${step}: no reason is known for ${unknown.map(({ what }) => what).join(', ')}`)
  process.exitCode = 1
}

async function measureCommits(bench: Bench): Promise<void> {
  const { bucket, front, home, links } = bench
  console.log(`\n${COMMITS} commits of one file, one table, ${CLIENTS} clients\n`)
  printRow(['where', 'commits/s', 'p50 ms', 'p99 ms', 'load average'])
  printRow(['---', '---', '---', '---', '---'])
  links.prepare(COMMITS + CLIENTS)
  const local = await startBenchService(join(home, 'local'), {
    MORAINE_ALLOWED_LOCATIONS: links.folder,
  })
  const beside = await commitAll('a local folder', local, () => links.take())
  await local.stop()
  const paths = Array.from({ length: 2 * (COMMITS + CLIENTS) }, (_, i) => {
    return `${bucket.folder('lake')}/commits/${i}.parquet`
  })
  await bucket.put(paths, readFileSync(links.template))
  const take = () => paths.pop() ?? ''
  const service = await startService(bench, 'commits')
  const nearPerSecond = await commitAll(`${bucket.server} on this machine`, service, take)
  front.delay({ readMs: READ_MS, writeMs: WRITE_MS })
  const name = `${bucket.server}, simulated: ${WRITE_MS} ms a write, ${READ_MS} ms a read`
  const perSecond = await commitAll(name, service, take)
  front.delay({ readMs: 0, writeMs: 0 })
  await service.stop()
  const limit = { what: 'the same with a local folder', value: beside }
  const what = `one-file appends, one table, ${CLIENTS} clients, in a bucket`
  report.figure({ what, value: nearPerSecond, unit: '/s', limit })
  const slow = `${what}, ${WRITE_MS} ms a write and ${READ_MS} ms a read (simulated)`
  report.figure({ what: slow, value: perSecond, unit: '/s', limit })
}

/** Returns commits a second; the first of each client is not counted. */
async function commitAll(
  where: string,
  service: BenchService,
  take: () => string,
): Promise<number> {
  const table = `t${randomUUID().slice(0, 8)}`
  await makeTable(service, table)
  const connections = await Promise.all(
    Array.from({ length: CLIENTS }, () => HttpConnection.open(service.url)),
  )
  const commit = (connection: HttpConnection) => {
    return connection.post(
      `/v1/tables/${table}/files`,
      JSON.stringify({ files: [{ path: take() }] }),
    )
  }
  await Promise.all(connections.map(commit))
  const times: number[] = []
  let left = COMMITS
  const begin = performance.now()
  const work = async (connection: HttpConnection) => {
    while (left-- > 0) {
      const at = performance.now()
      await commit(connection)
      times.push(performance.now() - at)
    }
  }
  await Promise.all(connections.map(work))
  const perSecond = (times.length * 1000) / (performance.now() - begin)
  for (const connection of connections) connection.close()
  const [p50, p99] = [0.5, 0.99].map((p) => percentile(times, p).toFixed(0))
  printRow([where, perSecond.toFixed(0), p50 ?? '', p99 ?? '', loadAverage()])
  return perSecond
}

async function measureColdReads(bench: Bench): Promise<void> {
  const { bucket, front, home } = bench
  console.log(`\n${FILES} data files, nothing in memory, ${READ_MS} ms a read (simulated)\n`)
  printRow(['what', 'ms', 'requests', 'ms once more', 'load average'])
  printRow(['---', '---', '---', '---', '---'])
  let service = await startService(bench, 'wide')
  const columns = COLUMNS.map(({ name, type }) => ({ name, type }))
  const partitioning = [{ column: 'day', transform: 'identity' }]
  const body = { name: 'wide', schema: { columns }, partitioning }
  const table = await call(`${service.url}/v1/tables`, { method: 'POST', body })
  await service.stop()
  const data = `${bucket.folder('wide')}/data`
  await fillFiles(join(home, 'wide'), {
    tableUuid: table.table_id,
    added: Array.from({ length: FILES }, (_, i) => millionthFile(i, data)),
    environment: bucket.settings('wide', bucket.endpoint),
  })
  const at = '/iceberg/v1/namespaces/default/tables/wide'
  const plan = (filter?: object) => {
    return call(`${service.url}${at}/plan`, { method: 'POST', body: filter ? { filter } : {} })
  }
  const works: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['a load by /iceberg', () => call(service.url + at)],
    ['a plan of one partition', () => plan({ type: 'eq', term: 'day', value: 3 })],
    ['the first page of a plan of all', () => plan()],
  ]
  for (const [index, [what, work]] of works.entries()) {
    // The load puts nothing into memory that the plan after it needs.
    if (index !== 1) service = await startService(bench, 'wide')
    await sleep(QUIET_MS)
    front.delay({ readMs: READ_MS, writeMs: WRITE_MS })
    front.taken()
    const cold = await timeOf(work)
    const { length } = front.taken()
    const warm = await timeOf(work)
    front.delay({ readMs: 0, writeMs: 0 })
    if (index !== 0) await service.stop()
    printRow([what, cold.toFixed(0), length, warm.toFixed(0), loadAverage()])
    const figure = `${FILES} files in a bucket, cold, ${READ_MS} ms a read (simulated): ${what}`
    report.figure({ what: figure, value: cold, unit: 'ms' })
  }
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now()
  await work()
  return performance.now() - begin
}

/** Without the front: the client fetches from the store as the service does. */
async function measureDumps(bench: Bench): Promise<void> {
  const { bucket, home } = bench
  mkdirSync(join(home, 'rows'))
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const files: { path: string }[] = []
  for (let i = 0; i < DUMP_FILES; i++) {
    const local = join(home, 'rows', `${i}.parquet`)
    const range = `range(${i * DUMP_ROWS}, ${(i + 1) * DUMP_ROWS})`
    const columns = `i AS id, 'a name of ' || i AS name, i * 1.5 AS x, i % 97 AS part`
    await connection.run(`COPY (SELECT ${columns} FROM ${range} t(i)) TO '${local}'`)
    const path = `${bucket.folder('lake')}/rows/${i}.parquet`
    await bucket.put([path], readFileSync(local))
    files.push({ path })
  }
  connection.closeSync()
  instance.closeSync()
  const service = await startService(bench, 'dumps', bucket.endpoint)
  const body = { name: 'rows', infer_from: files[0]?.path }
  await call(`${service.url}/v1/tables`, { method: 'POST', body })
  await call(`${service.url}/v1/tables/rows/files`, { method: 'POST', body: { files } })
  const dump = `${service.url}/v1/tables/rows/dump?format=csv&redirect=`
  const made = await timeOf(() => run('curl', ['-sf', '-o', '/dev/null', `${dump}never`]))
  const joined = await timeOf(() => run('curl', ['-sf', `${dump}always`]))
  const { stdout } = await run('curl', [
    '-s',
    '-o',
    '/dev/null',
    '-w',
    '%{redirect_url}',
    `${dump}always`,
  ])
  const ways = { plain: stdout, link: `${dump}always`, service: `${dump}never` }
  const rates = { plain: [] as number[], link: [] as number[], service: [] as number[] }
  let bytes = 0
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of ['plain', 'link', 'service'] as const) {
      const got = await fetched(ways[way])
      bytes = got.bytes
      rates[way].push(got.megabytesPerSecond)
    }
  }
  await service.stop()
  const size = `${(bytes / 1e6).toFixed(0)} MB`
  console.log(
    `\nA dump of ${size} of CSV, ${DUMP_FILES} pieces: made and sent in ${made.toFixed(0)} ms, ` +
      `joined in the store in ${joined.toFixed(0)} ms; load average ${loadAverage()}\n`,
  )
  const [plain, link, sent] = [rates.plain, rates.link, rates.service].map((r) =>
    percentile(r, 0.5),
  )
  printRow(['one client', 'MB/s p50', 'of the plain one'])
  printRow(['---', '---', '---'])
  const row = (what: string, value = 0) =>
    printRow([what, value.toFixed(0), (value / (plain ?? 1)).toFixed(2)])
  row(`plain download of the object from ${bucket.server}`, plain)
  row('joined, by 302', link)
  row('streamed by the service', sent)
  const limit = { what: `plain download from ${bucket.server}`, value: plain ?? 0 }
  report.figure({
    what: `a finished dump of ${size} by a link`,
    value: link ?? 0,
    unit: 'MB/s',
    limit,
  })
  report.figure({ what: `the same by the service`, value: sent ?? 0, unit: 'MB/s', limit })
}

async function fetched(url: string) {
  const format = '%{http_code} %{time_total} %{size_download}'
  const { stdout } = await run('curl', ['-sfL', '-o', '/dev/null', '-w', format, url])
  const [, seconds = 0, bytes = 0] = stdout.split(' ').map(Number)
  return { bytes, megabytesPerSecond: bytes / 1e6 / seconds }
}
