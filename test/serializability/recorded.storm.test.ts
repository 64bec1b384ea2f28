import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres, whyNoPostgres } from '../catalog/postgres-server.ts'
import { buildService, endServices, KillableService } from '../crash/killable-service.ts'
import { writeParquet } from '../parquet-files.ts'
import { ownFolder, purgeBeside, wrongAfter } from '../purges/purges-beside.ts'
import { checkHistory } from './check-history.ts'
import type { History } from './history.ts'
import { readLogs } from './read-logs.ts'
import { Recorder } from './recorder.ts'
import { createTables, FORESEEN_REFUSALS, storm, TABLES } from './storm.ts'
import type { Place } from './storm-client.ts'

/**
 * Length of each storm. TEST_STORM_SECONDS makes it longer, TEST_STORM_SEED repeats the choices of
 * one.
 */
const SECONDS = Number(process.env['TEST_STORM_SECONDS'] ?? 4)
const SEED = Number(process.env['TEST_STORM_SEED'] ?? Date.now() % 1_000_000)
/** However slow the machine is, enough happens at once. */
const OPERATIONS_MIN = 100
const CLIENTS = 12
const TIMEOUT_MS = 120_000 + 20_000 * SECONDS

let home: string
let templates: Place['templates']
beforeAll(async () => {
  buildService()
  home = mkdtempSync(join(tmpdir(), 'moraine-storm-'))
  const write = async (records: number) => {
    const query = `SELECT range::BIGINT AS n FROM range(${records})`
    return { records, path: await writeParquet(join(home, `${records}.parquet`), query) }
  }
  templates = [await write(1), await write(10), await write(1000)]
}, 300_000)
afterAll(async () => {
  await endServices()
  rmSync(home, { recursive: true, force: true })
})

const withPostgres = whyNoPostgres() === undefined ? test : test.skip

for (const processes of [1, 2]) {
  const title = `one order of their transactions explains what clients see: ${processes} processes`
  test(`${title}, SQLite`, () => expectOneOrder(`sqlite-${processes}`, { processes }), TIMEOUT_MS)
  withPostgres(
    `${title}, PostgreSQL`,
    async () => {
      const postgres = await startPostgres()
      try {
        const catalog = await postgres.newDatabase()
        await expectOneOrder(`postgres-${processes}`, { processes, catalog })
      } finally {
        await postgres.stop()
      }
    },
    TIMEOUT_MS,
  )
}

interface Setting {
  readonly processes: number
  readonly catalog?: string
}

/** Beside the storm others purge, drop and clone, and name its files in any spelling. */
async function expectOneOrder(name: string, { processes, catalog }: Setting): Promise<void> {
  const folder = join(home, name, 'lake', 'files')
  mkdirSync(folder, { recursive: true })
  const environment = {
    MORAINE_HOME: join(home, name, 'moraine'),
    MORAINE_ALLOWED_LOCATIONS: folder,
    MORAINE_WRITABLE_LOCATIONS: join(home, name, 'lake'),
    ...(catalog !== undefined && { MORAINE_CATALOG: catalog }),
  }
  const recorder = new Recorder()
  const place = { tables: TABLES, templates, folder }
  const bytes = await readFile(templates[0]?.path ?? '')
  await withServices(environment, processes, async (urls) => {
    await createTables(urls[0] as string)
    await ownFolder(urls[0] as string, folder)
    const end = performance.now() + SECONDS * 1000
    const isOver = () => performance.now() > end && recorder.operations.length >= OPERATIONS_MIN
    const choices = { seed: SEED, clients: CLIENTS }
    const ready = async () => undefined
    const here = { folder, urls: () => urls, ready, isOver }
    const [beside] = await Promise.all([
      purgeBeside({ ...here, bytes, hasKills: false, recorder }),
      storm({ ...place, ...here }, recorder, choices),
    ])
    expect(await wrongAfter(urls[0] as string, beside)).toEqual([])
  })
  // By a new process: one that runs may still be at work for a client that has gone away.
  const logs = await withServices(environment, 1, ([url]) => readLogs(url as string, TABLES))
  report(name, recorder, logs)

  const readings = [...recorder.readings, ...logs.readings]
  expect(checkHistory({ ...recorder, readings, tables: logs.tables })).toEqual([])
  expect(recorder.failures).toEqual([])
  expect(
    Object.keys(recorder.refusals).filter((code) => !FORESEEN_REFUSALS.includes(code)),
  ).toEqual([])
  // Else the storm was none.
  const shared = logs.tables.flatMap(({ snapshots }) =>
    snapshots.filter((snapshot) => snapshot.operationIds.length > 1),
  )
  expect(shared.length).toBeGreaterThan(0)
}

/** Stops them as an operator does. */
async function withServices<T>(
  environment: Record<string, string>,
  processes: number,
  work: (urls: readonly string[]) => Promise<T>,
): Promise<T> {
  const services: KillableService[] = []
  try {
    for (let i = 0; i < processes; i++) services.push(await KillableService.start(environment))
    return await work(services.map(({ url }) => url))
  } finally {
    const codes = await Promise.all(services.map((service) => service.kill('SIGTERM')))
    expect(codes).toEqual(services.map(() => 0))
  }
}

function report(
  name: string,
  { operations, readings, refusals }: Recorder,
  { tables }: Pick<History, 'tables'>,
): void {
  const count = (outcome: string) => operations.filter((o) => o.outcome === outcome).length
  const snapshots = tables.flatMap((log) => log.snapshots)
  const shared = snapshots.filter(({ operationIds }) => operationIds.length > 1)
  process.stdout.write(
    `storm "${name}", seed ${SEED}: ${operations.length} operations, ` +
      `${count('committed')} committed, ${count('refused')} refused, ` +
      `${count('unknown')} unknown; ${readings.length} readings; ` +
      `${snapshots.length} snapshots, ${shared.length} of several operations; ` +
      `${JSON.stringify(refusals)}\n`,
  )
}
