import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { link } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import pg from 'pg'
import { startPostgres, whyNoPostgres } from '../catalog/postgres-server.ts'
import { writeParquet } from '../parquet-files.ts'
import { doHousekeeping } from './a-month-later.ts'
import { buildService, KillableService, removeBuild } from './killable-service.ts'

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
  ...['replays', 'leases', 'jobs', 'job_askers', 'events'],
  ...['transactions', 'transaction_tables', 'staged_files', 'staged_removals'],
]
const LEASES_MAX = 200

let folder: string
let template: string
let bytes: Buffer
beforeAll(async () => {
  buildService()
  folder = mkdtempSync(join(tmpdir(), 'moraine-hour-'))
  const query = 'SELECT (hash(i) >> 1)::BIGINT AS n FROM range(20000) t(i)'
  template = await writeParquet(join(folder, 'data', 'template.parquet'), query)
  bytes = readFileSync(template)
}, 120_000)
afterAll(async () => {
  await removeBuild()
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
    const service = await KillableService.start(environment)
    try {
      await load(service.url, SECONDS / 3)
      const before = await held(service.pid)
      await load(service.url, (2 * SECONDS) / 3)
      const after = await held(service.pid)
      process.stdout.write(`${JSON.stringify({ name, before, after })}\n`)
      expect(after.folders).toBeLessThanOrEqual(FOLDERS_MAX)
      expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + DESCRIPTORS_MORE_MAX)
      const memoryMax = before.bytes * MEMORY_GROWTH_MAX + MEMORY_MORE_BYTES_MAX
      expect(after.bytes).toBeLessThan(memoryMax)
      expect(await rows.count('leases')).toBeLessThan(LEASES_MAX)
    } finally {
      expect(await service.kill('SIGTERM')).toBe(0)
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

/** All kinds of work, by clients that never rest; some leave in the middle. */
async function load(url: string, seconds: number): Promise<void> {
  const endMs = performance.now() + seconds * 1_000
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    const table = `t${client}_${randomUUID().slice(0, 8)}`
    const schema = { columns: [{ name: 'n', type: 'long' }] }
    expect(await send(url, { path: '/v1/tables', json: { name: table, schema } })).toBe(201)
    for (let i = 0; performance.now() < endMs; i++) {
      for (const one of await requestsOf(table, `${table}-${i}`)) await send(url, one)
    }
    expect(await send(url, { path: `/v1/tables/${table}?purge=true`, method: 'DELETE' })).toBe(200)
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

/** What the process holds when nobody asks anything of it. */
async function held(pid: number): Promise<Held> {
  await sleep(3_000)
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

/** Half-written files of the whole home, and what engines leave. */
function temporaryFiles(home: string): readonly string[] {
  const isTemporary = (path: string) => /\/\.?(tmp|incoming)\//.test(path)
  const files = readdirSync(home, { recursive: true, withFileTypes: true })
  return files
    .filter((file) => file.isFile() && existsSync(join(file.parentPath, file.name)))
    .map((file) => join(file.parentPath, file.name).slice(home.length))
    .filter((path) => isTemporary(path) || path.endsWith('.tmp'))
}
