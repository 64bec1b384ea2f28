import { mkdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readConfig } from '../../src/config.ts'
import { readManifestList } from '../../src/formats/manifest/manifest-list.ts'
import { decodeManifest } from '../../src/formats/manifest/manifest-reader.ts'
import { parseTableMetadata } from '../../src/formats/metadata/table-metadata-json.ts'
import type { ObjectStore } from '../../src/objects/object-store.ts'
import { openObjects } from '../../src/open-objects.ts'
import { Opened } from '../../src/opened.ts'
import type { StormResult } from '../purges/purge-storm.ts'
import { ownFolder, purgeBeside, wrongAfter } from '../purges/purges-beside.ts'
import { callService } from '../serializability/caller.ts'
import { checkHistory } from '../serializability/check-history.ts'
import type { TableLog } from '../serializability/history.ts'
import { readLogs } from '../serializability/read-logs.ts'
import { Recorder } from '../serializability/recorder.ts'
import { createTables, FORESEEN_REFUSALS, storm, TABLES } from '../serializability/storm.ts'
import { KillableService } from './killable-service.ts'
import { ServiceGroup } from './service-group.ts'

const CLIENTS = 16
const OPERATIONS_BETWEEN_KILLS_MAX = 40
const LIFE_MS_MAX = 5_000
const FILE_BYTES_MAX = 1024 * 1024 * 1024
const SEED = Number(process.env['TEST_STORM_SEED'] ?? Date.now() % 1_000_000)

export interface CrashStorm {
  readonly name: string
  /** A folder for this storm alone. */
  readonly home: string
  /** A Parquet file of one row, of which copies are committed. */
  readonly template: string
  readonly processes: number
  readonly kills: number
  /** Where catalog and warehouse are, if not in the home. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Batches of several transactions that a kill struck. */
export interface KilledBatches {
  /** Kills before the commit of several transactions, with their files written. */
  readonly before: number
  /** Kills after the commit of several transactions, before the client learns of it. */
  readonly unanswered: number
}

/** Beside the storm others purge, drop and clone, and name its files in any spelling. */
export async function expectOneOrder(setting: CrashStorm): Promise<KilledBatches> {
  const { name, home, settings } = setting
  const folder = join(home, 'lake', 'files')
  mkdirSync(folder, { recursive: true })
  const environment = {
    MORAINE_HOME: join(home, 'moraine'),
    MORAINE_ALLOWED_LOCATIONS: folder,
    MORAINE_WRITABLE_LOCATIONS: join(home, 'lake'),
    ...settings,
  }
  const recorder = new Recorder()
  const group = await ServiceGroup.start(environment, setting.processes)
  const opened = new Opened()
  const options = { beforeNewFolder: async () => undefined, writableFolders: [] }
  const { objects } = await openObjects(readConfig(environment), options, opened)
  const scene = { ...setting, group, folder, objects }
  const { killed, purges } = await killOften(recorder, scene)

  const service = await KillableService.start(environment)
  try {
    const isThere = async (location: string) => (await objects.find(location)) !== undefined
    expect(await wrongAfter(service.url, purges, isThere)).toEqual([])
    const { tables, readings } = await readLogs(service.url, TABLES)
    const all = [...recorder.readings, ...readings]
    expect(checkHistory({ ...recorder, readings: all, tables })).toEqual([])
    expect(recorder.failures).toEqual([])
    const refusals = Object.keys(recorder.refusals)
    expect(refusals.filter((code) => !FORESEEN_REFUSALS.includes(code))).toEqual([])
    for (const table of TABLES) await checkFiles(objects, service.url, table)
    const batches = await countKilledBatches(service.url, { recorder, tables, objects })
    report({ name, killed, recorder, tables, batches })
    return batches
  } finally {
    await opened.close()
    expect(await service.kill('SIGTERM')).toBe(0)
  }
}

/** Clients go on through every kill, and repeat commits whose reply was lost. */
async function killOften(
  recorder: Recorder,
  {
    kills,
    template,
    group,
    folder,
    objects,
  }: CrashStorm & {
    readonly group: ServiceGroup
    readonly folder: string
    readonly objects: ObjectStore
  },
): Promise<{ readonly killed: number; readonly purges: StormResult }> {
  let isOver = false
  await createTables(group.url)
  await ownFolder(group.url, folder)
  const here = { folder, urls: group.urls, ready: group.ready, isOver: () => isOver }
  const templates = [{ path: template, records: 1 }]
  const files = {
    read: (location: string) => bytesOf(objects, location),
    put: (location: string, bytes: Uint8Array) => objects.putIfAbsent(location, bytes),
  }
  const storming = storm({ ...here, files, templates, tables: TABLES }, recorder, {
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

async function countKilledBatches(
  url: string,
  {
    recorder,
    tables,
    objects,
  }: {
    readonly recorder: Recorder
    readonly tables: readonly TableLog[]
    readonly objects: ObjectStore
  },
): Promise<KilledBatches> {
  let before = 0
  for (const { table, snapshots } of tables) {
    const { location } = (await callService(`${url}/v1/tables/${table}`)).body
    const committed = new Set(snapshots.map(({ snapshotId }) => snapshotId))
    for await (const found of objects.list(`${location}/metadata/snapshots`)) {
      const text = (await bytesOf(objects, found.location)).toString()
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
  readonly batches: KilledBatches
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
async function checkFiles(objects: ObjectStore, url: string, table: string): Promise<void> {
  const { body } = await callService(`${url}/v1/tables/${table}`)
  const metadata = parseTableMetadata((await bytesOf(objects, body.metadata_location)).toString())
  expect(String(metadata.currentSnapshotId)).toBe(body.snapshot.snapshot_id)
  const seen = new Set<string>()
  for (const snapshot of metadata.snapshots) {
    for (const manifest of readManifestList(await bytesOf(objects, snapshot.manifestList))) {
      if (seen.has(manifest.path)) continue
      seen.add(manifest.path)
      const decoded = decodeManifest(await bytesOf(objects, manifest.path), manifest)
      for (let i = 0; i < decoded.entryCount; i++) {
        const path = decoded.path(i)
        expect([path, await objects.find(path)]).toEqual([path, expect.anything()])
      }
    }
  }
}

async function bytesOf(objects: ObjectStore, location: string): Promise<Buffer> {
  return Buffer.from(await objects.read(location, { bytesMax: FILE_BYTES_MAX }))
}
