import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { Snapshot } from '../../../src/core/table/snapshot.ts'
import { encodeManifestList } from '../../../src/formats/manifest/manifest-list.ts'
import { createTable, describeTable, readTable } from '../../../src/modules/tables/tables.ts'
import { composeLake } from '../../../src/service.ts'
import { openWorkshop, START_MS, type Workshop } from '../workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

/** A table that another catalog left with this many snapshots. */
async function longTable(name: string, count: number): Promise<string> {
  const born = await createTable(shop.deps, {
    name: 'model',
    columns: [{ name: 'n', type: 'long' }],
  })
  const tableUuid = randomUUID()
  const location = born.definition.location.replace('model', name)
  const definition = { ...born.definition, tableUuid, location }
  const snapshots = Array.from({ length: count }, (_, i): Snapshot => {
    const number = BigInt(i + 1)
    return {
      ...{ snapshotId: number, parentSnapshotId: i === 0 ? null : BigInt(i) },
      ...{ sequenceNumber: number, timestampMs: START_MS - count + i, operation: 'append' },
      ...{ summary: { filler: 'x'.repeat(200) }, manifestList: `${location}/list`, schemaId: 0 },
    }
  })
  const state = {
    ...born,
    ...{ name, definition, lastSequenceNumber: BigInt(count), lastUpdatedMs: START_MS },
    ...{ currentSnapshot: snapshots.at(-1), metadataLocation: undefined, publishedVersion: -1 },
  }
  const snapshotLog = snapshots.map(({ snapshotId, timestampMs }) => ({ snapshotId, timestampMs }))
  await shop.deps.catalog.tables.create({ state, snapshots, snapshotLog, addedPaths: [] })
  const list = { manifests: [], snapshotId: 1n, parentSnapshotId: null, sequenceNumber: 1n }
  await shop.deps.objects.putIfAbsent(`${location}/list`, encodeManifestList(list))
  return tableUuid
}

async function bytesOf(location: string | undefined): Promise<number> {
  return (await stat((location ?? '').slice('file://'.length))).size
}

function lakeWith(sleep: (ms: number, until?: AbortSignal) => Promise<void>) {
  return composeLake({ ...shop.deps, ambient: { ...shop.deps.ambient, sleep } })
}

test('the publisher rests a second for each MiB that it wrote', async () => {
  const tableUuid = await longTable('long', 8_000)
  const waits: number[] = []
  const sleep = async (ms: number) => void waits.push(ms)
  const { publisher } = lakeWith(sleep)
  publisher.schedule(tableUuid)
  await publisher.publish(tableUuid)
  while (waits.length === 0) await new Promise(setImmediate)
  const bytes = await bytesOf(await publisher.publish(tableUuid))
  expect(bytes).toBeGreaterThan(2.5 * 1024 * 1024)
  expect(waits).toEqual([bytes / 1024])
  await publisher.close()
})

test('a stop does not wait until a rest is over', async () => {
  const tableUuid = await longTable('long', 10)
  let slept = 0
  const sleep = () => {
    slept += 1
    return new Promise<void>(() => undefined)
  }
  const { publisher } = lakeWith(sleep)
  publisher.schedule(tableUuid)
  while (slept === 0) await new Promise(setImmediate)
  publisher.schedule(tableUuid)
  await publisher.close()
  const state = await shop.deps.catalog.tables.find({ tableUuid })
  expect(state?.publishedVersion).toBe(state?.version)
})

test('a reader gets the last file while the publisher of a long history rests', async () => {
  await longTable('long', 8_000)
  const sleep = () => new Promise<void>(() => undefined)
  const { publisher } = lakeWith(sleep)
  const deps = { ...shop.deps, publisher }
  const { metadataLocation } = await readTable(deps, { table: 'long' })
  const changed = await describeTable(deps, 'long', { description: 'changed' })
  const soon = await readTable(deps, { table: 'long' })
  expect(soon.state.version).toBe(changed.version)
  expect(soon.metadataLocation).toBe(metadataLocation)
  shop.setClock(START_MS + 600_000)
  const later = await readTable(deps, { table: 'long' })
  expect(later.metadataLocation).not.toBe(metadataLocation)
  for (const location of [metadataLocation, later.metadataLocation]) await bytesOf(location)
  await publisher.close()
})

test('a publisher that is closed ends the timer of its rest, which may take minutes', async () => {
  const tableUuid = await longTable('long', 10)
  const stops: (AbortSignal | undefined)[] = []
  const { publisher } = lakeWith((_, until) => {
    stops.push(until)
    return new Promise(() => undefined)
  })
  publisher.schedule(tableUuid)
  await publisher.publish(tableUuid)
  while (stops.length === 0) await new Promise(setImmediate)
  expect(stops.map((until) => until?.aborted)).toEqual([false])
  await publisher.close()
  expect(stops.map((until) => until?.aborted)).toEqual([true])
})
