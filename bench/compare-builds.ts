/**
 * `npx tsx bench/compare-builds.ts <other checkout> [pairs] [word]`: processor time of this build
 * beside that of another, both built (`npm run build`) and used over HTTP, for the work whose name
 * has the word. The two run side by side and are loaded in turn, ABBA, so that other work of the
 * machine affects both. The result is the median of the pairs' ratios.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type BenchService, runProgram } from './bench-service.ts'
import { FileLinks, LINKED_COLUMNS } from './file-links.ts'
import { HttpConnection } from './http-connection.ts'
import { percentile, printMachine, printRow, ROOT } from './machine.ts'
import { familyCpuMs } from './process-family.ts'

const CLIENTS = 16
const READERS = 4
const COMMITS = 500
const LOADS = 3_000
const PLANS = 150
const STREAMS = 100
const FILES_OF_PLANNED_TABLE = 2_000
const ROWS_OF_DUMP = 100_000
const ROWS_OF_FILE = 1_000

interface Build extends BenchService {
  readonly name: string
  clones: number
}

interface Work {
  readonly name: string
  /** Does the work and returns the number of units done. */
  run(build: Build): Promise<{ readonly units: number; readonly unit: string }>
}

const [otherFolder, pairsText = '10', word = ''] = process.argv.slice(2)
if (otherFolder === undefined) throw new Error('give the folder of another checkout, built')
const pairs = Number(pairsText)
const home = mkdtempSync(join(tmpdir(), 'moraine-compare-'))
const links = await FileLinks.make(home)

const WORKS: readonly Work[] = [
  { name: 'commit, one file, 16 clients', run: commits },
  { name: 'load, Iceberg REST', run: (build) => reads(build, LOADS, LOAD_PATH) },
  { name: 'plan, 2,000 files, filtered', run: (build) => reads(build, PLANS, PLAN_PATH) },
  { name: 'dump made, CSV', run: makeDump },
  { name: 'dump sent, CSV', run: sendDump },
]
const LOAD_PATH = '/iceberg/v1/namespaces/default/tables/planned'
const PLAN_PATH = '/v1/tables/planned?filter=id%20%3D%20500'

try {
  await main()
} finally {
  rmSync(home, { recursive: true })
}

async function main(): Promise<void> {
  printMachine('Processor time of two builds, interleaved')
  const before = await startBuild('other', resolve(otherFolder as string))
  const after = await startBuild('this', ROOT)
  for (const build of [before, after]) await furnish(build)
  printRow(['what', 'other, ms of CPU a unit', 'this', 'unit', 'median ratio', 'least', 'greatest'])
  printRow(Array.from({ length: 7 }, () => '---'))
  const chosen = WORKS.filter(({ name }) => name.includes(word))
  for (const work of chosen) await compare(work, before, after)
  for (const build of [before, after]) await build.stop()
}

async function compare(work: Work, before: Build, after: Build): Promise<void> {
  for (const build of [before, after]) await work.run(build) // compiled, caches filled
  const costs: { other: number; own: number }[] = []
  let unit = ''
  for (let pair = 0; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? [before, after] : [after, before]
    const cost = new Map<Build, number>()
    for (const build of order) {
      const begin = familyCpuMs(build.pid)
      const done = await work.run(build)
      cost.set(build, (familyCpuMs(build.pid) - begin) / done.units)
      unit = done.unit
    }
    costs.push({ other: cost.get(before) ?? Number.NaN, own: cost.get(after) ?? Number.NaN })
  }
  const ratios = costs.map(({ other, own }) => own / other)
  const median = (values: readonly number[]) => percentile(values, 0.5).toPrecision(3)
  printRow([
    ...[work.name, median(costs.map((c) => c.other)), median(costs.map((c) => c.own)), unit],
    ...[median(ratios), Math.min(...ratios).toFixed(2), Math.max(...ratios).toFixed(2)],
  ])
}

async function startBuild(name: string, folder: string): Promise<Build> {
  const service = await runProgram(join(folder, 'dist/main.js'), {
    MORAINE_HOME: join(home, name),
    MORAINE_PORT: '0',
    MORAINE_ALLOWED_LOCATIONS: links.folder,
  })
  return { ...service, name, clones: 0 }
}

/**
 * Creates a table to commit to, one of many files to load and plan, and one of a million rows to
 * dump.
 */
async function furnish(build: Build): Promise<void> {
  await withClients(build, 1, async (client) => {
    for (const name of ['committed', 'planned', 'dumped']) {
      const body = JSON.stringify({ name, schema: { columns: LINKED_COLUMNS } })
      await client.post('/v1/tables', body)
    }
    await append(client, 'planned', FILES_OF_PLANNED_TABLE)
    await append(client, 'dumped', ROWS_OF_DUMP / ROWS_OF_FILE)
  })
}

/** Opens new connections for each piece of work: the service closes those that idle for long. */
async function withClients(
  { url }: Build,
  count: number,
  work: (client: HttpConnection) => Promise<void>,
): Promise<void> {
  const opened = Array.from({ length: count }, () => HttpConnection.open(url))
  const clients = await Promise.all(opened)
  await Promise.all(clients.map(work))
  for (const client of clients) client.close()
}

async function append(client: HttpConnection, table: string, count: number): Promise<void> {
  links.prepare(count)
  const files = Array.from({ length: count }, () => ({ path: links.take() }))
  await client.post(`/v1/tables/${table}/files`, JSON.stringify({ files }))
}

async function commits(build: Build): Promise<{ units: number; unit: string }> {
  links.prepare(COMMITS)
  let left = COMMITS
  await withClients(build, CLIENTS, async (client) => {
    while (left-- > 0) {
      const body = JSON.stringify({ files: [{ path: links.take() }] })
      await client.post('/v1/tables/committed/files', body)
    }
  })
  return { units: COMMITS, unit: 'commit' }
}

async function reads(build: Build, count: number, path: string) {
  let left = count
  await withClients(build, READERS, async (client) => {
    while (left-- > 0) await get(client, path)
  })
  return { units: count, unit: 'request' }
}

/**
 * Dumps a clone, which has no dump yet: its rows are converted, in children whose time counts, too.
 */
async function makeDump(build: Build) {
  const name = `clone_${build.clones++}`
  let bytes = 0
  await withClients(build, 1, async (client) => {
    await client.post('/v1/tables/dumped/clone', JSON.stringify({ name }))
    bytes = await get(client, `/v1/tables/${name}/dump?format=csv`)
  })
  return { units: bytes / 1e6, unit: 'MB' }
}

async function sendDump(build: Build) {
  let bytes = 0
  await withClients(build, 1, async (client) => {
    for (let i = 0; i < STREAMS; i++) {
      bytes += await get(client, '/v1/tables/dumped/dump?format=csv')
    }
  })
  return { units: bytes / 1e6, unit: 'MB' }
}

async function get(client: HttpConnection, path: string): Promise<number> {
  const { status, body } = await client.ask({ path })
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${body.toString().slice(0, 300)}`)
  return body.length
}
