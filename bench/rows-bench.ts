/**
 * Rows and queries beside DuckDB reading the same files: a page of rows, first and again; estimates
 * beside the truth; small queries held; a dataset beside one COPY.
 * Run: BENCH_ROWS=20000000 npx tsx bench/rows-bench.ts
 */
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance, version } from '@duckdb/node-api'
import { type BenchService, startBenchService } from './bench-service.ts'
import { HttpConnection } from './http-connection.ts'
import { percentile, printMachine } from './machine.ts'
import { familyCpuMs, processCpuUs } from './process-family.ts'
import { IS_QUICK, openReport } from './report.ts'

const ROWS = Number(process.env['BENCH_ROWS'] ?? (IS_QUICK ? 1_000_000 : 20_000_000))
const FILES = Number(process.env['BENCH_FILES'] ?? (IS_QUICK ? 100 : 1_000))
const PER_FILE = Math.floor(ROWS / FILES)
const TIMES = IS_QUICK ? 10 : 30
const FILTERS = 100
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 5)
const CLIENTS = 8

const report = openReport('rows')

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-rows-bench-'))
  const lake = join(folder, 'lake')
  await mkdir(lake, { recursive: true })
  const paths = await writeFiles(lake)
  const service = await startBenchService(folder, { MORAINE_ALLOWED_LOCATIONS: lake })
  try {
    printMachine('Rows')
    console.log(`${FILES} files, ${ROWS} rows; DuckDB ${version()}, one thread\n`)
    await createTable(service, paths)
    await measurePages(service, paths)
    await measureEstimates(service, paths)
    await measureFirstBytes(service)
    await measureSmallQueries(service, paths)
    await measureDataset(service, paths, folder)
  } finally {
    await service.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function writeFiles(lake: string): Promise<readonly string[]> {
  const paths: string[] = []
  await withDuckDb(async (run) => {
    for (let i = 0; i < FILES; i++) {
      const path = join(lake, `${String(i).padStart(5, '0')}.parquet`)
      const [first, end] = [i * PER_FILE, (i + 1) * PER_FILE]
      await run(
        `COPY (SELECT i AS id, (hash(i) % 1000)::INTEGER AS kind, 'name ' || (hash(i) % 5000) ` +
          `AS name, (hash(i + 1) % 1000000 / 100)::DECIMAL(12,2) AS price, ` +
          `DATE '2020-01-01' + (i // ${Math.ceil(ROWS / 2_000)})::INTEGER AS day ` +
          `FROM range(${first}, ${end}) t(i)) TO '${path}' (FORMAT parquet, COMPRESSION zstd)`,
      )
      paths.push(path)
    }
  })
  return paths
}

type Run = (sql: string) => Promise<unknown[][]>

async function withDuckDb<T>(use: (run: Run) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  try {
    return await use(async (sql) => (await connection.runAndReadAll(sql)).getRowsJS())
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

async function createTable(service: BenchService, paths: readonly string[]): Promise<void> {
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'kind', type: 'int' },
    { name: 'name', type: 'string' },
    { name: 'price', type: 'decimal(12,2)' },
    { name: 'day', type: 'date' },
  ]
  await post(service, '/v1/tables', { name: 'wide', schema: { columns } })
  const files = paths.map((path) => ({ path }))
  await post(service, '/v1/tables/wide/files', { files })
}

async function measurePages(service: BenchService, paths: readonly string[]): Promise<void> {
  const list = `read_parquet([${paths.map((path) => `'${path}'`).join(', ')}])`
  const day = '2022-01-01'
  const pages = [
    ['limit=100', {}, `SELECT * FROM ${list} LIMIT 100`],
    [
      'limit=100 where id = (last)',
      { filter: `id = ${ROWS - 1}` },
      `SELECT * FROM ${list} WHERE id = ${ROWS - 1} LIMIT 100`,
    ],
    [
      'limit=100 of a day, by price',
      { filter: `day = '${day}'`, order_by: 'price desc' },
      `SELECT * FROM ${list} WHERE day = DATE '${day}' ORDER BY price DESC LIMIT 100`,
    ],
  ] as const
  for (const [what, parameters, sql] of pages) {
    const query = new URLSearchParams({ limit: '100', ...parameters })
    const ours = await timesOf(() => get(service, `/v1/tables/wide/rows?${query}`))
    const theirs = await withDuckDb((run) => timesOf(() => run(sql)))
    const peer = (value: number) => ({ what: 'DuckDB, same files', version: version(), value })
    show(`rows?${what}, first`, ours.first, peer(theirs.first))
    show(`rows?${what}, warm p50`, ours.p50, peer(theirs.p50))
  }
}

interface Times {
  readonly first: number
  readonly p50: number
}

async function timesOf(work: () => Promise<unknown>): Promise<Times> {
  const times: number[] = []
  for (let i = 0; i <= TIMES; i++) {
    const begin = performance.now()
    await work()
    times.push(performance.now() - begin)
  }
  const [first = Number.NaN, ...warm] = times
  return { first, p50: percentile(warm, 0.5) }
}

/** By how much the width of estimates exceeds the truth, as shares of the table's rows. */
async function measureEstimates(service: BenchService, paths: readonly string[]): Promise<void> {
  const list = `read_parquet([${paths.map((path) => `'${path}'`).join(', ')}])`
  const times: number[] = []
  const widths: number[] = []
  let wrong = 0
  await withDuckDb(async (run) => {
    for (let i = 0; i < (IS_QUICK ? FILTERS / 5 : FILTERS); i++) {
      const [from, length] = [(i * 7_919_113) % ROWS, ((i * 104_729) % 97) * PER_FILE]
      const filter = `id >= ${from} AND id < ${from + length}`
      const begin = performance.now()
      const { rows } = await post(service, '/v1/query/estimate', {
        source: { table: 'wide' },
        filter,
      })
      times.push(performance.now() - begin)
      const [[truth] = []] = await run(`SELECT count(*) FROM ${list} WHERE ${filter}`)
      const isRight = rows.min <= Number(truth) && Number(truth) <= rows.max
      if (!isRight) wrong++
      widths.push((rows.max - rows.min) / ROWS)
    }
  })
  show('estimate, p50', percentile(times, 0.5))
  show('estimate, p99', percentile(times, 0.99))
  report.figure({ what: 'estimates that miss the truth', value: wrong, unit: 'of all' })
  const width = 100 * percentile(widths, 0.99)
  report.figure({ what: 'max - min of estimates, p99', value: width, unit: '% of rows' })
  console.log(`estimates that miss the truth: ${wrong}; width p99 ${width.toFixed(3)} % of rows`)
}

/** From the request to the first byte of a whole result of 10,000 rows. */
async function measureFirstBytes(service: BenchService): Promise<void> {
  const { would } = await post(service, '/v1/query/estimate', inline(1))
  const times: number[] = []
  for (let i = 0; i <= TIMES; i++) {
    const begin = performance.now()
    const headers = { 'Content-Type': 'application/json' }
    const asked = { method: 'POST', headers, body: JSON.stringify(inline(i)) }
    const { body } = await fetch(`${service.url}/v1/query`, asked)
    const reader = body?.getReader()
    await reader?.read()
    times.push(performance.now() - begin)
    await reader?.cancel()
  }
  console.log(`a result of 10,000 rows would be: ${would}`)
  show('first byte of 10,000 rows, p50', percentile(times.slice(1), 0.5))
}

function inline(number: number) {
  const from = (number * PER_FILE) % (ROWS / 2)
  const filter = `id >= ${from} AND id < ${from + PER_FILE}`
  return { source: { table: 'wide' }, filter, limit: 10_000 }
}

/** A dataset of a query that keeps all rows but eight, and the same as one COPY. */
async function measureDataset(
  service: BenchService,
  paths: readonly string[],
  folder: string,
): Promise<void> {
  const query = { source: { table: 'wide' }, filter: 'id > 7' }
  const begin = performance.now()
  const { status_url, url } = await post(service, '/v1/datasets', { name: 'large', query })
  let made: { state: string; bytes?: number }
  do {
    made = await get(service, `${url ?? status_url.replace('/status', '')}/status`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  } while (made.state === 'queued' || made.state === 'building')
  const ours = performance.now() - begin
  if (made.state !== 'ready') return console.log(`the dataset has ${JSON.stringify(made)}`)
  const copied = performance.now()
  const list = `read_parquet([${paths.map((path) => `'${path}'`).join(', ')}])`
  const sql = `SELECT * FROM ${list} WHERE id > 7`
  const target = join(folder, 'copied.parquet')
  await withDuckDb((run) => run(`COPY (${sql}) TO '${target}' (FORMAT parquet, COMPRESSION zstd)`))
  const theirs = performance.now() - copied
  const { size } = await stat(target)
  console.log(`the COPY of DuckDB has ${(size / 1e6).toFixed(0)} MB`)
  show(`a dataset of ${ROWS - 8} rows`, ours, {
    ...{ what: 'DuckDB, one COPY', version: version(), value: theirs },
  })
}

/**
 * Each query asks for one row of one file by its id. Beside it DuckDB alone, in as many loops as
 * there are cores, which is told the file: what is left of that is the service's.
 */
async function measureSmallQueries(service: BenchService, paths: readonly string[]): Promise<void> {
  const connections = await Promise.all(
    Array.from({ length: CLIENTS }, () => HttpConnection.open(service.url)),
  )
  const ask = async (connection: HttpConnection, id: number) => {
    const body = JSON.stringify({ source: { table: 'wide' }, filter: `id = ${id}` })
    const { rows } = (await connection.post('/v1/query', body)) as { rows: { id: number }[] }
    if (rows.length !== 1 || rows[0]?.id !== id) throw new Error(`not the row ${id}`)
  }
  const began = [familyCpuMs(service.pid), processCpuUs(service.pid) / 1000, ownCpuMs()] as const
  const times = await held(connections.map((each) => (id) => ask(each, id)))
  const family = familyCpuMs(service.pid) - began[0]
  const own = processCpuUs(service.pid) / 1000 - began[1]
  const client = ownCpuMs() - began[2]
  for (const connection of connections) connection.close()
  const rate = times.length / SECONDS
  const theirs = await measureBareQueries(paths)
  report.figure({
    ...{ what: 'small queries, 8 clients', value: rate, unit: 'queries/s' },
    aim: { atLeast: 200 },
    peer: {
      what: 'DuckDB alone, told the file of each',
      version: version(),
      value: theirs.rate,
    },
  })
  console.log(`small queries, 8 clients: ${rate.toFixed(1)}/s; DuckDB ${theirs.rate.toFixed(1)}/s`)
  show('small queries, 8 clients, p50', percentile(times, 0.5))
  show('small queries, 8 clients, p99', percentile(times, 0.99))
  const cpu = (what: string, ms: number) =>
    report.figure({ what: `small queries, processor of ${what}`, value: ms, unit: 'ms a query' })
  const parts = [
    ['the service', own / times.length],
    ['its children', (family - own) / times.length],
    ['the client', client / times.length],
    ['DuckDB alone', theirs.cpuMs],
  ] as const
  for (const [what, ms] of parts) cpu(what, ms)
  const told = parts.map(([what, ms]) => `${what} ${ms.toFixed(2)}`).join(', ')
  console.log(`processor time a query, ms: ${told}`)
}

/** The times of queries of distinct ids, by all clients at once, for some seconds. */
async function held(
  clients: readonly ((id: number) => Promise<unknown>)[],
): Promise<readonly number[]> {
  const times: number[] = []
  const end = performance.now() + SECONDS * 1000
  const run = async (ask: (id: number) => Promise<unknown>, number: number) => {
    for (let i = number; performance.now() < end; i += clients.length) {
      const begin = performance.now()
      await ask((i * 7_919) % ROWS)
      times.push(performance.now() - begin)
    }
  }
  await Promise.all(clients.map(run))
  return times
}

async function measureBareQueries(paths: readonly string[]) {
  const instances = await Promise.all(
    cpus().map(() => DuckDBInstance.create(':memory:', { threads: '1' })),
  )
  const connections = await Promise.all(instances.map((instance) => instance.connect()))
  const ask = (connection: DuckDBConnection, id: number) =>
    connection.runAndReadAll(
      `SELECT * FROM read_parquet('${paths[Math.floor(id / PER_FILE)]}') WHERE id = ${id}`,
    )
  const began = ownCpuMs()
  const times = await held(connections.map((each) => (id) => ask(each, id)))
  const cpuMs = (ownCpuMs() - began) / times.length
  for (const connection of connections) connection.closeSync()
  for (const instance of instances) instance.closeSync()
  return { rate: times.length / SECONDS, cpuMs }
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function show(
  what: string,
  value: number,
  peer?: { readonly what: string; readonly version: string; readonly value: number },
): void {
  report.figure({ what, value, unit: 'ms', ...(peer !== undefined && { peer }) })
  const beside = peer === undefined ? '' : `   DuckDB ${peer.value.toFixed(1)} ms`
  console.log(`${what.padEnd(46)} ${value.toFixed(1).padStart(8)} ms${beside}`)
}

// biome-ignore lint/suspicious/noExplicitAny: replies are of many shapes.
async function answered(response: Response): Promise<any> {
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status}: ${text}`)
  return JSON.parse(text)
}

async function get(service: BenchService, path: string) {
  return answered(await fetch(service.url + path))
}

async function post(service: BenchService, path: string, body: object) {
  const headers = { 'Content-Type': 'application/json' }
  const options = { method: 'POST', headers, body: JSON.stringify(body) }
  return answered(await fetch(service.url + path, options))
}

await main()
