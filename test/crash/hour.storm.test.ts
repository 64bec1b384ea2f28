import { randomUUID } from 'node:crypto'
import {
  type Dirent,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { link } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import pg from 'pg'
import { startPostgres, whyNoPostgres } from '../catalog/postgres-server.ts'
import { writeTask } from '../modules/exports/export-harness.ts'
import { writeParquet } from '../parquet-files.ts'
import { doHousekeeping } from './a-month-later.ts'
import { buildService, endServices } from './killable-service.ts'
import { ServiceGroup } from './service-group.ts'

/** TEST_SOAK_SECONDS=3600 for the whole hour. */
const SECONDS = Number(process.env['TEST_SOAK_SECONDS'] ?? 30)
const CLIENTS = 6
const DESCRIPTORS_MORE_MAX = 20
/** Each of five threads that write keeps 64 open. */
const FOLDERS_MAX = 5 * 64 + 5
const MEMORY_GROWTH_MAX = 1.5
const MEMORY_MORE_BYTES_MAX = 128 * 2 ** 20
/** Rows about requests and work, which are of no use for ever. */
const PASSING = [
  ...['replays', 'leases', 'file_holds', 'jobs', 'job_askers', 'events'],
  ...['transactions', 'transaction_tables', 'staged_files', 'staged_removals'],
]
const LEASES_MAX = 200
const PROCESSES = 2
/** While it serves: how often it is looked at, and what each client may have under way. */
const LOOKS = 6
const UNDER_WAY_MAX = 20

const EXPORTED = 'exported'

let folder: string
let template: string
let bytes: Buffer
beforeAll(async () => {
  buildService()
  folder = mkdtempSync(join(tmpdir(), 'moraine-hour-'))
  const query = 'SELECT (hash(i) >> 1)::BIGINT AS n FROM range(20000) t(i)'
  template = await writeParquet(join(folder, 'data', 'template.parquet'), query)
  bytes = readFileSync(template)
}, 300_000)
afterAll(async () => {
  await endServices()
  rmSync(folder, { recursive: true, force: true })
})

const TIMEOUT_MS = SECONDS * 2_000 + 300_000

test(
  `after ${SECONDS} s of mixed load, what the service holds and keeps is bounded: SQLite`,
  () => expectBounded('sqlite', undefined),
  TIMEOUT_MS,
)

const withPostgres = whyNoPostgres() === undefined ? test : test.skip
withPostgres(
  `after ${SECONDS} s of mixed load, what the service holds and keeps is bounded: PostgreSQL`,
  async () => {
    const postgres = await startPostgres()
    try {
      await expectBounded('postgres', await postgres.newDatabase())
    } finally {
      await postgres.stop()
    }
  },
  TIMEOUT_MS,
)

/** `catalog`: the URL of an empty PostgreSQL database. */
async function expectBounded(name: string, catalog: string | undefined): Promise<void> {
  const home = join(folder, name)
  const environment = {
    MORAINE_HOME: home,
    MORAINE_ALLOWED_LOCATIONS: folder,
    ...(catalog !== undefined && { MORAINE_CATALOG: catalog }),
  }
  const rows = await openRows(catalog ?? join(home, 'catalog.db'))
  try {
    await writeTask(join(home, 'exports'), 'hour', {
      'task.json': { source: 'moraine', table: EXPORTED, where: 'true', mode: 'keep' },
    })
    const group = await ServiceGroup.start(environment, PROCESSES)
    try {
      await makeExported(group.url)
      const counted = { changes: 0 }
      const put = (seconds: number) => load(group.urls, seconds, counted)
      await put(SECONDS / 3)
      const before = await heldBy(group.pids)
      const serving = put((2 * SECONDS) / 3)
      for (let look = 0; look < LOOKS; look++) {
        await sleep((2 * SECONDS * 1_000) / 3 / LOOKS)
        await expectBoundedNow(group.pids, before, { rows, home, counted })
      }
      await serving
      const after = await heldBy(group.pids)
      process.stdout.write(`${JSON.stringify({ name, before, after, ...counted })}\n`)
      after.forEach((held, i) => {
        const { descriptors = 0, bytes: atFirst = 0 } = before[i] ?? {}
        expect(held.bytes).toBeLessThan(atFirst * MEMORY_GROWTH_MAX + MEMORY_MORE_BYTES_MAX)
        expect(held.folders).toBeLessThanOrEqual(FOLDERS_MAX)
        expect(held.descriptors).toBeLessThanOrEqual(descriptors + DESCRIPTORS_MORE_MAX)
      })
      expect(await rows.count('leases')).toBeLessThan(LEASES_MAX)
    } finally {
      expect(await group.stop()).toEqual(Array.from({ length: PROCESSES }, () => 0))
    }
    expect(temporaryFiles(home)).toEqual([])
    const found = await countAll(rows)
    process.stdout.write(`${JSON.stringify(found)}\n`)
    for (const table of ['replays', 'transactions', 'leases', 'events', 'jobs']) {
      expect(found).toMatchObject({ [table]: expect.any(Number) })
      expect(found[table]).toBeGreaterThan(0)
    }
    await doHousekeeping(environment, 40)
    expect(await countAll(rows)).toEqual({})
  } finally {
    await rows.close()
  }
}

/** While clients ask: each has some requests under way, and every change leaves a row at most. */
async function expectBoundedNow(
  pids: readonly number[],
  before: readonly Held[],
  {
    rows,
    home,
    counted,
  }: { readonly rows: Rows; readonly home: string; readonly counted: { readonly changes: number } },
): Promise<void> {
  const now = pids.map(look)
  const underWay = CLIENTS * UNDER_WAY_MAX
  now.forEach((held, i) => {
    const { descriptors = 0, bytes: atFirst = 0 } = before[i] ?? {}
    expect(held.folders).toBeLessThanOrEqual(FOLDERS_MAX)
    expect(held.descriptors).toBeLessThanOrEqual(descriptors + underWay)
    expect(held.bytes).toBeLessThan(atFirst * MEMORY_GROWTH_MAX + MEMORY_MORE_BYTES_MAX)
  })
  expect(temporaryFiles(home).length).toBeLessThanOrEqual(underWay)
  expect(await rows.count('leases')).toBeLessThan(LEASES_MAX)
  expect(await rows.count('file_holds')).toBeLessThanOrEqual(underWay)
  // Looked at before: what is counted afterwards has a request.
  const [replays, transactions] = [await rows.count('replays'), await rows.count('transactions')]
  expect(replays).toBeLessThanOrEqual(counted.changes)
  expect(transactions).toBeLessThanOrEqual(counted.changes)
}

async function makeExported(url: string): Promise<void> {
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  expect(await send(url, { path: '/v1/tables', json: { name: EXPORTED, schema } })).toBe(201)
  expect(await send(url, { path: `/v1/tables/${EXPORTED}/files`, raw: bytes })).toBe(201)
}

/** All kinds of work, by clients that never rest; some leave in the middle. */
async function load(
  urls: () => readonly string[],
  seconds: number,
  counted: { changes: number },
): Promise<void> {
  const ask = (sent: Sent): Promise<number> => {
    // Each may also be a transaction of its own, a job, and what that commits.
    if (sent.json !== undefined || sent.raw !== undefined || sent.method !== undefined) {
      counted.changes++
    }
    const all = urls()
    return send(all[Math.floor(Math.random() * all.length)] ?? '', sent)
  }
  const endMs = performance.now() + seconds * 1_000
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    const table = `t${client}_${randomUUID().slice(0, 8)}`
    const schema = { columns: [{ name: 'n', type: 'long' }] }
    expect(await ask({ path: '/v1/tables', json: { name: table, schema } })).toBe(201)
    for (let i = 0; performance.now() < endMs; i++) {
      for (const one of await requestsOf(table, `${table}-${i}`)) await ask(one)
    }
    expect(await ask({ path: `/v1/tables/${table}?purge=true`, method: 'DELETE' })).toBe(200)
  })
  await Promise.all(clients)
}

interface Sent {
  readonly path: string
  readonly method?: string
  readonly json?: unknown
  readonly raw?: Buffer
  readonly headers?: Record<string, string>
  /** Leaves after half of the body, or at the first byte of the answer. */
  readonly isCut?: boolean
}

async function requestsOf(table: string, id: string): Promise<readonly Sent[]> {
  const path = join(folder, 'data', `${id}.parquet`)
  await link(template, path)
  const files = `/v1/tables/${table}/files`
  const dump = `/v1/tables/${table}/dump?format=csv`
  return [
    { path: files, json: { files: [{ path }] } },
    { path: files, raw: bytes },
    { path: files, raw: bytes, isCut: true },
    { path: '/v1/transactions/start', json: { tables: [table], expires_in_seconds: 1 } },
    { path: `/v1/tables/${table}?filter=n>5` },
    { path: dump, headers: { Prefer: 'respond-async' } },
    { path: dump },
    { path: dump, isCut: true },
    { path: `/v1/tables/${table}/metadata`, json: { metadata: { id } } },
    { path: `/v1/tables/${table}/clone`, json: { name: `${table}_clone` } },
    { path: `/iceberg/v1/namespaces/default/tables/${table}_clone/plan`, json: {} },
    { path: `/v1/tables/${table}_clone/rows?limit=9` },
    { path: `/v1/tables/${table}_clone/rows?limit=9`, isCut: true },
    { path: '/v1/datasets', json: { query: { source: { table }, filter: 'n > 5', limit: 9 } } },
    { path: '/v1/exports/hour/runs', json: {} },
    { path: `/v1/tables/${table}_clone?purge=now`, method: 'DELETE' },
    { path: `/v1/tables/${table}/files/truncate`, method: 'POST' },
    { path: '/v1/events?wait=1', isCut: true },
    { path: '/v1/tables/none' },
  ]
}

/** The status; 0 without an answer. Every change has a key. */
function send(
  url: string,
  { path, method, json, raw, isCut = false, ...more }: Sent,
): Promise<number> {
  const body = json === undefined ? raw : Buffer.from(JSON.stringify(json))
  const type = json === undefined ? 'application/vnd.apache.parquet' : 'application/json'
  const headers = {
    ...more.headers,
    'Idempotency-Key': randomUUID(),
    ...(body !== undefined && { 'Content-Type': type, 'Content-Length': body.length }),
  }
  return new Promise((resolve) => {
    const way = method ?? (body === undefined ? 'GET' : 'POST')
    const sent = request(url + path, { method: way, headers, agent: false })
    sent.once('error', () => resolve(0))
    sent.once('response', (response) => {
      if (isCut) return void response.destroy()
      response.resume()
      response.once('end', () => resolve(response.statusCode ?? 0))
    })
    sent.once('close', () => resolve(0))
    if (!isCut || body === undefined) return void sent.end(body)
    sent.write(body.subarray(0, body.length / 2))
    setTimeout(() => sent.destroy(), 5)
  })
}

interface Held {
  readonly folders: number
  /** Without those of folders. */
  readonly descriptors: number
  readonly bytes: number
}

/** What each process holds when nobody asks anything of it. */
async function heldBy(pids: readonly number[]): Promise<readonly Held[]> {
  await sleep(3_000)
  return pids.map(look)
}

function look(pid: number): Held {
  const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  const open = readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`)
  const folders = open.filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory())
  return {
    folders: folders.length,
    descriptors: open.length - folders.length,
    bytes: Number(resident) * 1_024,
  }
}

/** Looks into the database beside the service. */
interface Rows {
  count(table: string): Promise<number>
  close(): Promise<void>
}

async function openRows(catalog: string): Promise<Rows> {
  const sql = (table: string) => `select count(*) as count from ${table}`
  if (!catalog.startsWith('postgres')) {
    const count = async (table: string) => {
      const database = new Sqlite(catalog, { readonly: true })
      try {
        return Number(database.prepare(sql(table)).pluck().get())
      } finally {
        database.close()
      }
    }
    return { count, close: async () => undefined }
  }
  const client = new pg.Client({ connectionString: catalog })
  await client.connect()
  return {
    count: async (table) => Number((await client.query(sql(table))).rows[0].count),
    close: () => client.end(),
  }
}

/** Those that have any. */
async function countAll(rows: Rows): Promise<Record<string, number>> {
  const counts: [string, number][] = []
  for (const table of PASSING) counts.push([table, await rows.count(table)])
  return Object.fromEntries(counts.filter(([, count]) => count > 0))
}

/** Folders of engines come and go while they are listed. */
function filesBelow(home: string): readonly Dirent[] {
  for (let attempts = 1; ; attempts++) {
    try {
      return readdirSync(home, { recursive: true, withFileTypes: true })
    } catch (error) {
      if (Object(error).code !== 'ENOENT' || attempts === 100) throw error
    }
  }
}

/** Half-written files of the whole home, and what engines leave. */
function temporaryFiles(home: string): readonly string[] {
  const isTemporary = (path: string) => /\/\.?(tmp|incoming)\//.test(path)
  const files = filesBelow(home)
  return files
    .filter((file) => file.isFile() && existsSync(join(file.parentPath, file.name)))
    .map((file) => join(file.parentPath, file.name).slice(home.length))
    .filter((path) => isTemporary(path) || path.endsWith('.tmp'))
}
