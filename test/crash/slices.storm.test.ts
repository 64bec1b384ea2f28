import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import Sqlite, { type Database } from 'better-sqlite3'
import { writeParquet } from '../parquet-files.ts'
import { ownFolder } from '../purges/purges-beside.ts'
import { callService } from '../serializability/caller.ts'
import { doHousekeeping } from './a-month-later.ts'
import { buildService, endServices, KillableService } from './killable-service.ts'

/** Each kills every write once, one slice later than the round before. */
const ROUNDS = Number(process.env['TEST_SLICE_ROUNDS'] ?? 1)
/** Writes of more than 5,000 are done in slices of 2,000. */
const FILES = 6_100
const SLICE = 2_000
/** Every so many is in another table, too, under another spelling. */
const SHARED_EVERY = 100
const TIMEOUT_MS = 120_000 + 120_000 * ROUNDS

let folder: string
let template: string
beforeAll(async () => {
  buildService()
  folder = mkdtempSync(join(tmpdir(), 'moraine-slices-'))
  template = await writeParquet(join(folder, 'template.parquet'), 'SELECT 1::BIGINT AS n')
}, 300_000)
afterAll(async () => {
  await endServices()
  rmSync(folder, { recursive: true, force: true })
})

test(
  'large writes of a process that is killed between their slices are whole, or were never there',
  async () => {
    const storm = await SliceStorm.start(join(folder, 'sqlite'))
    try {
      for (let round = 0; round < ROUNDS; round++) await storm.round(round)
      process.stdout.write(`${JSON.stringify({ rounds: ROUNDS, cuts: storm.cuts })}\n`)
      for (const what of ['commit', 'clone', 'drop', 'purge']) {
        expect([what, storm.cuts[what]]).toEqual([what, expect.any(Number)])
      }
    } finally {
      await storm.stop()
    }
  },
  TIMEOUT_MS,
)

interface Request {
  readonly what: string
  /** POST when absent. */
  readonly method?: string
  readonly path: string
  readonly json?: unknown
}

/** Large writes to one table of files that another shares, each killed at a slice. */
class SliceStorm {
  readonly #environment: Record<string, string>
  readonly #files: string
  readonly #database: Database
  #service: KillableService
  /** By what was written: how often it had no answer. */
  readonly cuts: Record<string, number> = {}

  private constructor(
    environment: Record<string, string>,
    files: string,
    service: KillableService,
  ) {
    this.#environment = environment
    this.#files = files
    this.#service = service
    this.#database = new Sqlite(join(environment['MORAINE_HOME'] ?? '', 'catalog.db'), {
      readonly: true,
    })
  }

  static async start(place: string): Promise<SliceStorm> {
    const files = join(place, 'lake', 'files')
    mkdirSync(files, { recursive: true })
    const environment = {
      MORAINE_HOME: join(place, 'moraine'),
      MORAINE_ALLOWED_LOCATIONS: files,
      MORAINE_WRITABLE_LOCATIONS: join(place, 'lake'),
    }
    const service = await KillableService.start(environment)
    await ownFolder(service.url, files)
    return new SliceStorm(environment, files, service)
  }

  async stop(): Promise<void> {
    this.#database.close()
    expect(await this.#service.kill('SIGTERM')).toBe(0)
  }

  async round(round: number): Promise<void> {
    const slices = 1 + (round % 3)
    const [large, clone, kept] = [`large${round}`, `clone${round}`, `kept${round}`]
    const schema = { columns: [{ name: 'n', type: 'long' }] }
    for (const name of [large, kept]) {
      await this.#done({ what: 'create', path: '/v1/tables', json: { name, schema } })
    }
    const paths = await this.#writeFiles(round)
    const shared = paths.filter((_, i) => i % SHARED_EVERY === 0)

    const commit = adding('commit', large, paths)
    await this.#killDuring(commit, slices)
    if ((await this.#filesOf(large)) === 0) await this.#done(commit)
    expect(await this.#filesOf(large)).toBe(FILES)
    const others = shared.map((path) => `file:${path}`)
    await this.#done(adding('share', kept, others))

    const cloning = { what: 'clone', path: `/v1/tables/${large}/clone`, json: { name: clone } }
    await this.#killDuring(cloning, slices)
    await this.#expectNothingLeft(clone)
    if (!(await this.#isThere(clone))) await this.#done(cloning)
    expect(await this.#filesOf(clone)).toBe(FILES)

    const lastMetadata = await this.#metadataOf(clone)
    const drop = dropping('drop', `${clone}?purge=false`)
    await this.#killDuring(drop, slices)
    if (await this.#isThere(clone)) {
      expect(await this.#filesOf(clone)).toBe(FILES)
      await this.#done(drop)
    }
    await this.#expectNothingLeft(clone)
    expect(missing(paths)).toEqual([])

    const purge = dropping('purge', `${large}?purge=now`)
    // Half of them before its drop, which dooms all files first.
    await this.#killDuring(purge, 2 * slices)
    await this.#expectNothingLeft(large)
    if (await this.#isThere(large)) {
      expect(missing(paths)).toEqual([])
      expect(await this.#filesOf(large)).toBe(FILES)
      await this.#done(purge)
      await this.#expectNothingLeft(large)
    }
    // The dropped clone names them: it can come back, and ends them when it is purged itself.
    expect(missing(paths)).toEqual([])
    const json = { name: clone, 'metadata-location': lastMetadata }
    const register = '/iceberg/v1/namespaces/default/register'
    await this.#done({ what: 'register', path: register, json })
    expect(await this.#filesOf(clone)).toBe(FILES)
    await this.#killDuring(dropping('purge', `${clone}?purge=now`), 2 * slices)
    if (await this.#isThere(clone)) await this.#done(dropping('purge', `${clone}?purge=now`))
    await this.#expectNothingLeft(clone)
    expect(missing(shared)).toEqual([])
    expect(missing(paths)).toHaveLength(paths.length - shared.length)
    expect(await this.#filesOf(kept)).toBe(shared.length)
  }

  /** Another process finishes or forgets what was cut off. */
  async #expectNothingLeft(table: string): Promise<void> {
    const wasThere = await this.#isThere(table)
    expect(await this.#service.kill('SIGTERM')).toBe(0)
    // Rows of deleted files are kept for a day.
    for (const days of [40, 42]) await doHousekeeping(this.#environment, days)
    expect(this.#count('table_leftovers')).toBe(0)
    expect(this.#count('file_deletions')).toBe(0)
    expect(this.#count('purges')).toBe(0)
    expect(
      this.#count('(select table_uuid from known_paths except select table_uuid from tables)'),
    ).toBe(0)
    this.#service = await KillableService.start(this.#environment)
    expect(await this.#isThere(table)).toBe(wasThere)
  }

  /** SIGKILL once so many slices are written; a new process has started when it returns. */
  async #killDuring(request: Request, slices: number): Promise<void> {
    const [known, doomed] = [this.#count('known_paths'), this.#count('file_deletions')]
    const written = () =>
      Math.abs(this.#count('known_paths') - known) +
      Math.abs(this.#count('file_deletions') - doomed)
    let isOver = false
    const asked = this.#ask(request).finally(() => {
      isOver = true
    })
    while (!isOver && written() < slices * SLICE) await turn()
    await this.#service.kill('SIGKILL')
    const status = await asked
    expect([0, 200, 201]).toContain(status)
    if (status === 0) this.cuts[request.what] = (this.cuts[request.what] ?? 0) + 1
    this.#service = await KillableService.start(this.#environment)
  }

  async #done(request: Request): Promise<void> {
    expect([200, 201]).toContain(await this.#ask(request))
  }

  /** The status; 0 without an answer. */
  async #ask({ method = 'POST', path, json }: Request): Promise<number> {
    try {
      const response = await fetch(this.#service.url + path, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(json !== undefined && { body: JSON.stringify(json) }),
      })
      await response.arrayBuffer()
      return response.status
    } catch {
      return 0
    }
  }

  async #isThere(table: string): Promise<boolean> {
    return (await callService(`${this.#service.url}/v1/tables/${table}`)).status === 200
  }

  /** Published before its drop, which may have no answer. */
  async #metadataOf(table: string): Promise<string> {
    const url = `${this.#service.url}/iceberg/v1/namespaces/default/tables/${table}`
    const { status, body } = await callService(url)
    expect(status).toBe(200)
    return String(body['metadata-location'])
  }

  async #filesOf(table: string): Promise<number> {
    const { status, body } = await callService(`${this.#service.url}/v1/tables/${table}`)
    expect(status).toBe(200)
    return Number(body.totals.data_files)
  }

  #count(rows: string): number {
    return Number(this.#database.prepare(`select count(*) from ${rows}`).pluck().get())
  }

  async #writeFiles(round: number): Promise<readonly string[]> {
    const paths = Array.from({ length: FILES }, (_, i) =>
      join(this.#files, `${round}-${i}.parquet`),
    )
    for (const path of paths) await copyFile(template, path)
    return paths
  }
}

function adding(what: string, table: string, paths: readonly string[]): Request {
  const files = paths.map((path) => ({ path }))
  return { what, path: `/v1/tables/${table}/files`, json: { files } }
}

function dropping(what: string, path: string): Request {
  return { what, method: 'DELETE', path: `/v1/tables/${path}` }
}

function missing(paths: readonly string[]): readonly string[] {
  return paths.filter((path) => !existsSync(path))
}
