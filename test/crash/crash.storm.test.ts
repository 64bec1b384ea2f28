import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readManifestList } from '../../src/formats/manifest/manifest-list.ts'
import { decodeManifest } from '../../src/formats/manifest/manifest-reader.ts'
import { parseTableMetadata } from '../../src/formats/metadata/table-metadata-json.ts'
import { startPostgres, whyNoPostgres } from '../catalog/postgres-server.ts'
import { writeParquet } from '../parquet-files.ts'
import type { StormResult } from '../purges/purge-storm.ts'
import { ownFolder, purgeBeside, wrongAfter } from '../purges/purges-beside.ts'
import { callService } from '../serializability/caller.ts'
import { checkHistory } from '../serializability/check-history.ts'
import type { TableLog } from '../serializability/history.ts'
import { readLogs } from '../serializability/read-logs.ts'
import { Recorder } from '../serializability/recorder.ts'
import { createTables, FORESEEN_REFUSALS, storm, TABLES } from '../serializability/storm.ts'
import { buildService, KillableService, removeBuild } from './killable-service.ts'
import { ServiceGroup } from './service-group.ts'

/** All settings together: half in the first, and the rest in equal parts. */
const KILLS = Number(process.env['TEST_KILLS'] ?? 60)
const CLIENTS = 16
const OPERATIONS_BETWEEN_KILLS_MAX = 40
const LIFE_MS_MAX = 5_000
const SEED = Number(process.env['TEST_STORM_SEED'] ?? Date.now() % 1_000_000)

let home: string
let template: string
beforeAll(async () => {
  buildService()
  home = mkdtempSync(join(tmpdir(), 'moraine-crash-'))
  template = await writeParquet(join(home, 'template.parquet'), 'SELECT 1::BIGINT AS n')
}, 300_000)
afterAll(async () => {
  await removeBuild()
  rmSync(home, { recursive: true, force: true })
})

interface Setting {
  readonly processes: number
  readonly kills: number
  readonly catalog?: string
}

const MOST = Math.ceil(KILLS / 2)
const FEWER = Math.ceil(KILLS / 6)
const TIMEOUT_MS = 300_000 + 10_000 * KILLS
const title = (kills: number) => `after ${kills} SIGKILLs one order explains what clients saw`

for (const [processes, kills] of [
  [1, MOST],
  [2, FEWER],
] as const) {
  test(
    `${title(kills)}: SQLite, ${processes} processes`,
    () => expectOneOrder(`sqlite-${processes}`, { processes, kills }),
    TIMEOUT_MS,
  )
}

const withPostgres = whyNoPostgres() === undefined ? test : test.skip
for (const processes of [1, 2]) {
  withPostgres(
    `${title(FEWER)}: PostgreSQL, ${processes} processes`,
    async () => {
      const postgres = await startPostgres()
      try {
        const catalog = await postgres.newDatabase()
        await expectOneOrder(`postgres-${processes}`, { processes, kills: FEWER, catalog })
      } finally {
        await postgres.stop()
      }
    },
    TIMEOUT_MS,
  )
}

/** Beside the storm others purge, drop and clone, and name its files in any spelling. */
async function expectOneOrder(name: string, setting: Setting): Promise<void> {
  const folder = join(home, name, 'lake', 'files')
  mkdirSync(folder, { recursive: true })
  const { catalog } = setting
  const environment = {
    MORAINE_HOME: join(home, name, 'moraine'),
    MORAINE_ALLOWED_LOCATIONS: folder,
    MORAINE_WRITABLE_LOCATIONS: join(home, name, 'lake'),
    ...(catalog !== undefined && { MORAINE_CATALOG: catalog }),
  }
  const recorder = new Recorder()
  const { killed, purges } = await killOften(environment, recorder, { ...setting, folder })

  const service = await KillableService.start(environment)
  try {
    expect(await wrongAfter(service.url, purges)).toEqual([])
    const { tables, readings } = await readLogs(service.url, TABLES)
    const all = [...recorder.readings, ...readings]
    expect(checkHistory({ ...recorder, readings: all, tables })).toEqual([])
    expect(recorder.failures).toEqual([])
    const refusals = Object.keys(recorder.refusals)
    expect(refusals.filter((code) => !FORESEEN_REFUSALS.includes(code))).toEqual([])
    for (const table of TABLES) await checkFiles(service.url, table)
    const batches = await countKilledBatches(service.url, { recorder, tables })
    report({ name, killed, recorder, tables, batches })
    // Else nothing says that a batch of several transactions is whole or not there.
    if (name === 'sqlite-1') expect(batches.before + batches.unanswered).toBeGreaterThan(0)
  } finally {
    expect(await service.kill('SIGTERM')).toBe(0)
  }
}

/** Clients go on through every kill, and repeat commits whose reply was lost. */
async function killOften(
  environment: Record<string, string>,
  recorder: Recorder,
  { processes, kills, folder }: Setting & { readonly folder: string },
): Promise<{ readonly killed: number; readonly purges: StormResult }> {
  let isOver = false
  const group = await ServiceGroup.start(environment, processes)
  await createTables(group.url)
  await ownFolder(group.url, folder)
  const here = { folder, urls: group.urls, ready: group.ready, isOver: () => isOver }
  const templates = [{ path: template, records: 1 }]
  const storming = storm({ ...here, templates, tables: TABLES }, recorder, {
    ...{ seed: SEED, clients: CLIENTS },
  })
  const bytes = await readFile(template)
  const purging = purgeBeside({ ...here, bytes, hasKills: true, recorder })
  let killed = 0
  for (let kill = 0; killed < kills; kill++) {
    expect(kill).toBeLessThan(2 * kills)
    const before = recorder.operations.length
    await someWork(recorder)
    await group.killNext()
    if (recorder.operations.length > before) killed++
  }
  await someWork(recorder)
  isOver = true
  await storming
  const purges = await purging
  await group.stop()
  return { killed, purges }
}

/** Until a few operations are over, and then some: as many on a slow machine as on a fast one. */
async function someWork({ operations }: Recorder): Promise<void> {
  const enough = operations.length + Math.random() * OPERATIONS_BETWEEN_KILLS_MAX
  const latest = performance.now() + LIFE_MS_MAX
  while (operations.length < enough && performance.now() < latest) await sleep(5)
  await sleep(Math.random() * 50)
}

interface Batches {
  /** Kills before the commit of several transactions, with their files written. */
  readonly before: number
  /** Kills after the commit of several transactions, before the client learns of it. */
  readonly unanswered: number
}

/** Batches of several transactions that a kill struck. */
async function countKilledBatches(
  url: string,
  { recorder, tables }: { readonly recorder: Recorder; readonly tables: readonly TableLog[] },
): Promise<Batches> {
  let before = 0
  for (const { table, snapshots } of tables) {
    const { location } = (await callService(`${url}/v1/tables/${table}`)).body
    const folder = fileURLToPath(`${location}/metadata/snapshots`)
    const committed = new Set(snapshots.map(({ snapshotId }) => snapshotId))
    for (const name of readdirSync(folder)) {
      const text = readFileSync(join(folder, name), 'utf8')
      const snapshotId = /"snapshot-id":(\d+)/.exec(text)?.[1] ?? ''
      if (!committed.has(snapshotId) && /"moraine.message":"[^"]*; /.test(text)) before++
    }
  }
  const unanswered = new Set(
    recorder.operations.filter(({ outcome }) => outcome === 'unknown').map(({ id }) => id),
  )
  const shared = tables.flatMap(({ snapshots }) =>
    snapshots.filter(({ operationIds }) => operationIds.length > 1),
  )
  const isUnanswered = (ids: readonly string[]) => ids.some((id) => unanswered.has(id))
  return {
    before,
    unanswered: shared.filter(({ operationIds }) => isUnanswered(operationIds)).length,
  }
}

function report({
  name,
  killed,
  recorder: { operations, readings },
  tables,
  batches,
}: {
  readonly name: string
  readonly killed: number
  readonly recorder: Recorder
  readonly tables: readonly TableLog[]
  readonly batches: Batches
}): void {
  const count = (outcome: string) => operations.filter((o) => o.outcome === outcome).length
  const snapshots = tables.flatMap((log) => log.snapshots)
  const shared = snapshots.filter(({ operationIds }) => operationIds.length > 1)
  process.stdout.write(
    `${name}: ${killed} kills, seed ${SEED}: ${operations.length} operations, ` +
      `${count('committed')} committed, ${count('refused')} refused, ` +
      `${count('unknown')} unknown; ${readings.length} readings; ` +
      `${snapshots.length} snapshots, ${shared.length} of several; ` +
      `batches of several killed before the commit: ${batches.before}, ` +
      `after it: ${batches.unanswered}\n`,
  )
}

/**
 * The newest metadata file is that of the current snapshot, and every file that any snapshot names
 * is there.
 */
async function checkFiles(url: string, table: string): Promise<void> {
  const { body } = await callService(`${url}/v1/tables/${table}`)
  const metadata = parseTableMetadata((await bytesOf(body.metadata_location)).toString())
  expect(String(metadata.currentSnapshotId)).toBe(body.snapshot.snapshot_id)
  const seen = new Set<string>()
  for (const snapshot of metadata.snapshots) {
    for (const manifest of readManifestList(await bytesOf(snapshot.manifestList))) {
      if (seen.has(manifest.path)) continue
      seen.add(manifest.path)
      const decoded = decodeManifest(await bytesOf(manifest.path), manifest)
      for (let i = 0; i < decoded.entryCount; i++) await access(fileURLToPath(decoded.path(i)))
    }
  }
}

function bytesOf(location: string): Promise<Buffer> {
  return readFile(fileURLToPath(location))
}
