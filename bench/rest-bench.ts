/**
 * The Iceberg REST API: loads of a table with a long history, and commits per second, with the same
 * client against Iceberg's own REST server in the same run. `npx tsx bench/rest-bench.ts --loads`
 * leaves out the commits.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BenchService, startBenchService } from './bench-service.ts'
import { FileLinks } from './file-links.ts'
import { HttpConnection } from './http-connection.ts'
import { type HttpLimits, measureHttpLimits } from './http-limits.ts'
import { LOAD_SECONDS, WARM_UP_SECONDS } from './load.ts'
import { percentile, printMachine, printRow } from './machine.ts'
import { askPythonPeer } from './peers/python-peer.ts'
import { startRestFixture } from './peers/rest-fixture.ts'
import { IS_QUICK, openReport, type Peer } from './report.ts'
import { measureRestCommits, type RestLoad } from './rest-commits.ts'
import { makeNamespace, type RestServer, registerLongTable } from './rest-table.ts'

const SNAPSHOTS = 9_000
const LOADS = IS_QUICK ? 30 : 200
const PYICEBERG_SECONDS = IS_QUICK ? 2 : 5
const ALL_COMMITS: readonly RestLoad[] = [
  { what: 'properties', clients: 1, tables: 1 },
  { what: 'properties', clients: 16, tables: 1 },
  { what: 'properties', clients: 64, tables: 1 },
  { what: 'properties', clients: 64, tables: 16 },
  { what: 'append', clients: 1, tables: 1 },
  { what: 'append', clients: 16, tables: 1 },
  { what: 'append', clients: 64, tables: 16 },
]
const COMMITS = IS_QUICK ? ALL_COMMITS.filter(({ clients }) => clients === 16) : ALL_COMMITS

interface Server extends RestServer {
  readonly service: BenchService
  /** Address for clients that add `/v1` themselves. */
  readonly uri: string
}

/** Reports one figure of a server; the fixture's are measured first and reported beside ours. */
type Told = (what: string, value: number, unit: string) => void

const report = openReport('rest')
const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
const links = await FileLinks.make(home)

try {
  await main()
} finally {
  rmSync(home, { recursive: true })
}

async function main(): Promise<void> {
  printMachine(`Iceberg REST: a table with ${SNAPSHOTS} snapshots, and commits`)
  const limits = await measureHttpLimits()
  console.log(`${WARM_UP_SECONDS} s of warm-up before each ${LOAD_SECONDS} s of commits\n`)
  const peers = new Map<string, Peer>()
  const fixture = await openFixture()
  if (fixture !== undefined) {
    const { version, ...server } = fixture
    const what = 'RESTCatalogServer'
    await measureServer(server, (name, value) => peers.set(name, { what, version, value }))
  }
  await measureServer(await openMoraine(), (what, value, unit) => {
    const peer = peers.get(what)
    const aim = what === 'load, snapshots=refs, p50' ? { aim: { atMost: 5 } } : {}
    const limit = limitOf(what, limits)
    report.figure({ what, value, unit, ...aim, limit, ...(peer === undefined ? {} : { peer }) })
  })
}

function limitOf(what: string, limits: HttpLimits) {
  if (what.startsWith('load')) {
    return { what: 'GET from bare Express, 1 client, mean', value: 1000 / limits.get1 }
  }
  const isAlone = / 1 (client|process)/.test(what)
  return isAlone
    ? { what: 'POST to bare Express, 1 client', value: limits.post1 }
    : { what: 'POST to bare Express, 64 clients', value: limits.post64 }
}

async function openMoraine(): Promise<Server> {
  const place = join(home, 'moraine')
  const environment = { MORAINE_ALLOWED_LOCATIONS: links.folder, MORAINE_LOG_LEVEL: 'info' }
  const service = await startBenchService(place, environment)
  const { url, pid } = service
  const warehouse = join(place, 'warehouse')
  const uri = `${url}/iceberg`
  return { name: 'Moraine', service, url, pid, uri, root: '/iceberg/v1', warehouse }
}

async function openFixture(): Promise<(Server & { readonly version: string }) | undefined> {
  const place = join(home, 'fixture')
  try {
    const service = await startRestFixture(place)
    const { url, pid, version } = service
    const name = `RESTCatalogServer ${version}`
    const warehouse = join(place, 'warehouse')
    return { name, service, url, pid, uri: url, root: '/v1', warehouse, version }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    report.skip("peer: Iceberg's RESTCatalogServer", reason.slice(0, 200))
    return undefined
  }
}

async function measureServer(server: Server, told: Told): Promise<void> {
  try {
    console.log(`\n### ${server.name}\n`)
    await makeNamespace(server)
    await measureLoads(server, told)
    if (process.argv.includes('--loads')) return
    await measureCommits(server, told)
    await measurePyIceberg(server, told)
  } finally {
    await server.service.stop()
  }
}

async function measureLoads(server: Server, told: Told): Promise<void> {
  printRow(['load', 'status', 'bytes', 'first ms', 'p50 ms', 'p99 ms'])
  printRow(['---', '---', '---', '---', '---', '---'])
  const path = await registerLongTable(server, SNAPSHOTS)
  const connection = await HttpConnection.open(server.url)
  for (const [what, query] of [
    ['snapshots=all', ''],
    ['snapshots=refs', '?snapshots=refs'],
  ] as const) {
    const question = { path: path + query }
    const { p50, etag } = await timeLoads(connection, what, question)
    told(`load, ${what}, p50`, p50, 'ms')
    if (etag === undefined) continue
    const headers = `if-none-match: ${etag}\r\n`
    const again = await timeLoads(connection, `${what}, known already`, { ...question, headers })
    told(`load, ${what}, known already (304), p50`, again.p50, 'ms')
  }
  connection.close()
}

async function timeLoads(
  connection: HttpConnection,
  what: string,
  question: { readonly path: string; readonly headers?: string },
): Promise<{ readonly p50: number; readonly etag: string | undefined }> {
  const ask = async () => {
    const begin = performance.now()
    const reply = await connection.ask(question)
    if (reply.status >= 400) throw new Error(`${question.path}: ${reply.status}`)
    return { ms: performance.now() - begin, reply }
  }
  const { ms: first, reply } = await ask()
  for (let i = 0; i < LOADS / 4; i++) await ask()
  const times: number[] = []
  for (let i = 0; i < LOADS; i++) times.push((await ask()).ms)
  const p50 = percentile(times, 0.5)
  const shown = [first, p50, percentile(times, 0.99)].map((ms) => ms.toFixed(2))
  printRow([what, reply.status, reply.body.length, ...shown])
  return { p50, etag: /\r\netag: *([^\r]+)/i.exec(reply.head)?.[1] }
}

async function measureCommits(server: Server, told: Told): Promise<void> {
  console.log('')
  const heads = ['commits', 'clients', 'tables', 'commits/s', 'refused/s', 'p50 ms', 'p99 ms']
  printRow([...heads, 'server CPU us', 'client CPU us'])
  printRow(Array.from({ length: 9 }, () => '---'))
  for (const load of COMMITS) {
    const { what, clients, tables } = load
    const result = await measureRestCommits(server, load)
    const { perSecond, refusedPerSecond, p50Ms, p99Ms, serviceCpuUs, clientCpuUs } = result
    const rates = [perSecond, refusedPerSecond].map(Math.round)
    const times = [p50Ms, p99Ms].map((ms) => ms.toFixed(1))
    const cpu = [serviceCpuUs, clientCpuUs].map(Math.round)
    printRow([what, clients, tables, ...rates, ...times, ...cpu])
    told(`commits: ${describe(load)}`, perSecond, '/s')
  }
}

function describe({ what, clients, tables }: RestLoad): string {
  const how = what === 'append' ? 'appends, manifests by the client' : 'properties'
  const plural = (count: number, of: string) => `${count} ${of}${count === 1 ? '' : 's'}`
  return `${how}, ${plural(tables, 'table')}, ${plural(clients, 'client')}`
}

/**
 * Commits by PyIceberg, a whole client: it reads and writes the metadata files itself, which is
 * most of what is measured.
 */
async function measurePyIceberg(server: Server, told: Told): Promise<void> {
  for (const processes of [1, 4]) {
    const by = `${processes} process${processes > 1 ? 'es' : ''}`
    const what = `commits: PyIceberg add_files, 1 table, ${by}`
    const name = `${server.name.split(' ')[0]}-${processes}`
    const answer = await askPythonPeer<{ perSecond: number; conflictsPerSecond: number }>(report, {
      what: `${what}, of ${server.name}`,
      environment: 'pyiceberg',
      script: 'pyiceberg_rest.py',
      request: {
        ...{ uri: server.uri, template: links.template, folder: links.folder, name },
        ...{ processes, seconds: PYICEBERG_SECONDS },
      },
    })
    if (answer === undefined) continue
    const { perSecond, conflictsPerSecond } = answer
    console.log(`${what}: ${perSecond.toFixed(1)}/s, ${conflictsPerSecond.toFixed(1)} conflicts/s`)
    told(what, perSecond, '/s')
  }
}
