import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres, whyNoPostgres } from '../catalog/postgres-server.ts'
import { doHousekeeping } from '../crash/a-month-later.ts'
import { buildService, endServices } from '../crash/killable-service.ts'
import { ServiceGroup } from '../crash/service-group.ts'
import { writeParquet } from '../parquet-files.ts'
import { ExportedRows } from './exported-rows.ts'
import { findLosses, neverDone, PURGED_TABLES, stormPurges } from './purge-storm.ts'

/** Length of each storm; TEST_STORM_SECONDS makes it longer. */
const SECONDS = Number(process.env['TEST_STORM_SECONDS'] ?? 4)
const CLIENTS = 12
/** Else the storm was none. */
const SOME = [
  ...['add 200', 'commit 200', 'clone 201', 'drop now 200', 'upload 201'],
  ...['read 200', 'query 200'],
]
const PATIENCE_SECONDS = 90 + 10 * SECONDS
const TIMEOUT_MS = 120_000 + 20_000 * SECONDS

let home: string
let bytes: Uint8Array
beforeAll(async () => {
  buildService()
  home = mkdtempSync(join(tmpdir(), 'moraine-purges-'))
  const query = 'SELECT range::BIGINT AS n FROM range(10)'
  bytes = await readFile(await writeParquet(join(home, 'template.parquet'), query))
}, 300_000)
afterAll(async () => {
  await endServices()
  rmSync(home, { recursive: true, force: true })
})

const withPostgres = whyNoPostgres() === undefined ? test : test.skip

interface Setting {
  readonly processes: number
  /** How often a process is killed and started again. */
  readonly kills?: number
  readonly catalog?: string
}

const SETTINGS: readonly Setting[] = [
  { processes: 1 },
  { processes: 2 },
  { processes: 1, kills: 4 },
  { processes: 2, kills: 4 },
]

for (const setting of SETTINGS) {
  test(
    `no purge takes what is acknowledged: SQLite, ${JSON.stringify(setting)}`,
    () => expectNoLoss(setting),
    TIMEOUT_MS,
  )
  withPostgres(
    `no purge takes what is acknowledged: PostgreSQL, ${JSON.stringify(setting)}`,
    async () => {
      const postgres = await startPostgres()
      try {
        await expectNoLoss({ ...setting, catalog: await postgres.newDatabase() })
      } finally {
        await postgres.stop()
      }
    },
    TIMEOUT_MS,
  )
}

async function expectNoLoss({ processes, kills = 0, catalog }: Setting): Promise<void> {
  const environment = {
    MORAINE_HOME: mkdtempSync(join(home, 'moraine-')),
    ...(catalog !== undefined && { MORAINE_CATALOG: catalog }),
  }
  // Then nothing is left of what kills cut off, either.
  const purgesAll = kills > 0
  const group = await ServiceGroup.start(environment, processes)
  const beganMs = performance.now()
  let endMs = beganMs + SECONDS * 1_000
  let isKilling = kills > 0
  let isOver = false
  // Runs take their time; they meet all that there is where two processes make them.
  const exported = processes > 1 ? new ExportedRows(group.urls) : undefined
  const exportedTables = exported === undefined ? [] : ExportedRows.TABLES
  await exported?.prepare(environment.MORAINE_HOME)
  const exporting = exported?.run(() => isOver, group.ready)
  const storming = stormPurges({
    ...{
      bytes,
      clients: CLIENTS,
      hasKills: kills > 0,
      purgesAll,
      urls: group.urls,
      ready: group.ready,
      others: { tables: exportedTables, paths: exported?.paths ?? (() => []) },
    },
    // However slow the machine is, each kind of work was done.
    isOver: (counts) => {
      const isDone = neverDone(SOME, counts).length === 0 && hasExported(exported)
      const isLate = performance.now() > beganMs + PATIENCE_SECONDS * 1_000
      return !isKilling && performance.now() > endMs && (isDone || isLate)
    },
  })
  for (let i = 0; i < kills; i++) {
    await sleep((SECONDS * 1_000) / (kills + 1))
    await group.killNext()
  }
  isKilling = false
  endMs = Math.max(endMs, performance.now() + 1_000)
  const { counts, surprises } = await storming
  isOver = true
  await exporting
  const faults = await exported?.findFaults()
  const { losses, files } = await findLosses(group.url, exportedTables)
  if (purgesAll) await purgeTables(group.url, exportedTables)
  const { complaints } = group
  const codes = await group.stop()
  const leaked = purgesAll ? await findLeaks(environment) : []
  process.stdout.write(
    `${JSON.stringify({ processes, kills, files, counts, ...exported?.counts })}\n`,
  )
  if (surprises.length > 0 || neverDone(SOME, counts).length > 0) {
    process.stdout.write(`${JSON.stringify({ surprises, complaints }, undefined, 1)}\n`)
  }
  expect({ losses, surprises }).toEqual({ losses: [], surprises: [] })
  const none = { lost: [], doubled: [], misplaced: [], different: [] }
  expect(faults).toEqual(exported && none)
  expect(hasExported(exported)).toBe(true)
  expect(leaked).toEqual([])
  expect(neverDone(SOME, counts)).toEqual([])
  expect(codes).toEqual(codes.map(() => 0))
}

function hasExported(exported: ExportedRows | undefined): boolean {
  return exported === undefined || exported.counts.exported > 1
}

async function purgeTables(url: string, others: readonly string[]): Promise<void> {
  for (const table of [...PURGED_TABLES, ...others]) {
    const { status } = await fetch(`${url}/v1/tables/${table}?purge=now`, { method: 'DELETE' })
    expect([200, 404]).toContain(status)
  }
}

/** Files of tables that are gone, after the tasks of two months: one finds, the next deletes. */
async function findLeaks(environment: Record<string, string>): Promise<readonly string[]> {
  for (const days of [40, 60]) await doHousekeeping(environment, days)
  const warehouse = join(environment['MORAINE_HOME'] ?? '', 'warehouse')
  const files = readdirSync(warehouse, { recursive: true, withFileTypes: true })
  return files
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name).slice(warehouse.length))
    .filter((path) => !path.startsWith('/.'))
}
