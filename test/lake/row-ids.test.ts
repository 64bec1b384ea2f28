import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { liveFilesCount, type ManifestEntry } from '../../src/core/file/data-file.ts'
import type { Snapshot } from '../../src/core/table/snapshot.ts'
import type { SnapshotSelector } from '../../src/core/table/snapshot-selector.ts'
import { readManifestList } from '../../src/formats/manifest/manifest-list.ts'
import { decodeManifest } from '../../src/formats/manifest/manifest-reader.ts'
import { changeTable } from '../../src/lake/commit/change-table.ts'
import { createTable, readTable } from '../../src/modules/tables/tables.ts'
import { append, Lake, nameOf } from './lake.ts'
import { expectModel, Play, RECORDS, STEPS, writeFiles } from './lake-play.ts'
import { openWorkshop, type Workshop, type WorkshopDependencies } from './workshop.ts'

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  await writeFiles(lake, shop)
})
afterEach(() => shop.close())

/** The live data files by path, read from the files as any reader does. */
async function liveFiles({ manifestList }: Snapshot): Promise<ReadonlyMap<string, ManifestEntry>> {
  const read = (location: string) => readFile(location.slice('file://'.length))
  const live = new Map<string, ManifestEntry>()
  for (const file of readManifestList(await read(manifestList))) {
    if (liveFilesCount(file) === 0) continue
    const manifest = decodeManifest(await read(file.path), file)
    for (let i = 0; i < manifest.entryCount; i++) {
      const entry = manifest.entry(i)
      if (entry.status !== 'deleted') live.set(entry.dataFile.path, entry)
    }
  }
  return live
}

/**
 * Each row of a snapshot has an id of its own below the table's next one, and the same as in the
 * snapshot before; ids that a snapshot takes are taken by no other.
 */
async function expectRowIds(deps: WorkshopDependencies, table: string): Promise<void> {
  const { state } = await readTable(deps, { table })
  const { tableUuid, formatVersion, nextRowId = 0n } = state.definition
  const snapshots = await deps.catalog.snapshots.list(tableUuid)
  const files = new Map<bigint, ReadonlyMap<string, ManifestEntry>>()
  let next = 0n
  for (const snapshot of snapshots) {
    const live = await liveFiles(snapshot)
    files.set(snapshot.snapshotId, live)
    const { firstRowId, addedRows } = snapshot
    if (firstRowId === undefined || addedRows === undefined) {
      for (const { dataFile } of live.values()) expect(dataFile.firstRowId).toBeUndefined()
      continue
    }
    expect(firstRowId).toBeGreaterThanOrEqual(next)
    next = firstRowId + addedRows
    const before = files.get(snapshot.parentSnapshotId ?? -1n)
    const firstIds = [...live.values()].map(({ dataFile, sequenceNumber }) => {
      const old = before?.get(dataFile.path)
      const isKept = old?.sequenceNumber === sequenceNumber
      if (isKept && old.dataFile.firstRowId !== undefined) {
        expect(dataFile.firstRowId).toBe(old.dataFile.firstRowId)
      }
      return dataFile.firstRowId as bigint
    })
    const sorted = firstIds.toSorted((a, b) => (a < b ? -1 : 1))
    for (const [i, id] of sorted.entries()) {
      expect(id + BigInt(RECORDS)).toBeLessThanOrEqual(sorted[i + 1] ?? next)
    }
  }
  expect(nextRowId).toBeGreaterThanOrEqual(next)
  expect(formatVersion === 3 || next === 0n).toBe(true)
}

/** The first row id of each live file, by its name, as this process has it in memory. */
async function firstRowIds(
  deps: WorkshopDependencies,
  moment: SnapshotSelector = {},
): Promise<Record<string, bigint | undefined>> {
  const { plan } = await readTable(deps, { table: 't', ...moment })
  const files = [...plan.plannedFiles()].map(({ dataFile }) => dataFile)
  return Object.fromEntries(files.map(({ path, firstRowId }) => [nameOf(path), firstRowId]))
}

async function upgrade(deps: WorkshopDependencies, table: string): Promise<void> {
  await changeTable(deps, table, ({ definition }) =>
    definition.formatVersion === 3 ? {} : { definition: { ...definition, formatVersion: 3 } },
  )
}

test('in version 3 each row has an id of its own, whatever transactions do', async () => {
  const processes = [shop.deps, await shop.another()]
  const fresh = await shop.another()
  let plays = 0
  await fc.assert(
    fc.asyncProperty(STEPS, fc.nat({ max: 12 }), async (script, upgradedAt) => {
      const table = `t${++plays}`
      await createTable(shop.deps, { name: table, columns: [{ name: 'n', type: 'long' }] })
      const play = new Play(table, shop, processes)
      for (const [i, step] of script.entries()) {
        if (i === upgradedAt) await upgrade(play.deps, play.table)
        await play.do(step)
      }
      await expectModel(fresh, play)
      await expectRowIds(fresh, play.table)
    }),
    { numRuns: 25, endOnFailure: true, interruptAfterTimeLimit: 12_000 },
  )
  expect(plays).toBeGreaterThan(5)
}, 40_000)

test('files from before version 3 get ids with the first snapshot of that', async () => {
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  const file = (i: number) => `${shop.dataFolder}/f${i}.parquet`
  await append(shop, 't', file(0))
  const old = String(await append(shop, 't', file(1)))
  await upgrade(shop.deps, 't')
  const none = { f0: undefined, f1: undefined }
  expect(await firstRowIds(shop.deps)).toEqual(none)
  await append(shop, 't', file(2), file(3))
  const ids = await firstRowIds(shop.deps)
  expect(ids).toMatchObject({ f2: 0n, f3: 10n })
  expect([ids['f0'], ids['f1']].toSorted()).toEqual([20n, 30n])
  // The same manifests in another list.
  expect(await firstRowIds(shop.deps, { snapshotIdentifier: old })).toEqual(none)
  await append(shop, 't', file(4))
  expect(await firstRowIds(shop.deps)).toEqual({ ...ids, f4: 40n })
  await expectRowIds(await shop.another(), 't')
})

test('small manifests that are merged keep the ids of their files', async () => {
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  await upgrade(shop.deps, 't')
  for (let i = 0; i < 12; i++) await append(shop, 't', `${shop.dataFolder}/f${i}.parquet`)
  const { state } = await readTable(shop.deps, { table: 't' })
  const list = await shop.deps.manifests.getManifestList(state.currentSnapshot?.manifestList ?? '')
  expect(list.length).toBeLessThan(5)
  const tens = Array.from({ length: 10 }, (_, i) => [`f${i}`, BigInt(i) * 10n])
  expect(await firstRowIds(shop.deps)).toMatchObject(Object.fromEntries(tens))
  await expectRowIds(await shop.another(), 't')
})
