import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TableMetadata } from '../../../src/core/table/table.ts'
import { parseTableMetadata } from '../../../src/formats/metadata/table-metadata-json.ts'
import { createTable, describeTable, readTable } from '../../../src/modules/tables/tables.ts'
import { composeLake } from '../../../src/service.ts'
import { withFailingDisk, withStore } from '../failing-disk.ts'
import { append, Lake, liveNames } from '../lake.ts'
import { commitFiles } from '../trusted-caller.ts'
import { openWorkshop, START_MS, type Workshop } from '../workshop.ts'

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

async function newTable(name: string): Promise<string> {
  const state = await createTable(shop.deps, { name, columns: [{ name: 'n', type: 'long' }] })
  return state.definition.tableUuid
}

async function stateOf(tableUuid: string) {
  const state = await shop.deps.catalog.tables.find({ tableUuid })
  if (state === undefined) throw new Error('the table is gone')
  return state
}

async function readMetadata(location: string | undefined): Promise<TableMetadata> {
  return parseTableMetadata(await readFile((location ?? '').slice('file://'.length), 'utf8'))
}

async function metadataFiles(tableUuid: string): Promise<string[]> {
  const { location } = (await stateOf(tableUuid)).definition
  const names = await readdir(`${location.slice('file://'.length)}/metadata`)
  return names.filter((name) => name.endsWith('.metadata.json')).sort()
}

/**
 * Waits for the background; the promise of a second is held by what the publisher waits, not by
 * this disk.
 */
async function untilPublished(tableUuid: string): Promise<void> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const { version, publishedVersion } = await stateOf(tableUuid)
    if (version === publishedVersion) return
    if (Date.now() > deadline) throw new Error(`version ${version} is not published`)
    await sleep(10)
  }
}

test('a new table is published before anyone learns of it', async () => {
  const state = await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  const metadata = await readMetadata(state.metadataLocation)
  expect(metadata.definition.tableUuid).toBe(state.definition.tableUuid)
  expect(metadata).toMatchObject({ currentSnapshotId: undefined, snapshots: [], refs: {} })
})

test('a burst of commits shares publications, and the newest is out within a second', async () => {
  const tableUuid = await newTable('t')
  const waits: number[] = []
  const releases: (() => void)[] = []
  const waitForRelease = (ms: number) => {
    waits.push(ms)
    return new Promise<void>((resolve) => releases.push(resolve))
  }
  const ambient = { ...shop.deps.ambient, sleep: waitForRelease }
  const deps = { ...shop.deps, ...composeLake({ ...shop.deps, ambient }) }
  const publishedBefore = shop.meter.counts['published'] ?? 0
  for (let i = 0; i < 40; i++) {
    await commitFiles(deps, { table: 't', paths: [await lake.numbers(shop, `f${i}`, i * 10)] })
  }
  // The first commit found the table idle and was published at once; the rest wait together.
  while (releases.length === 0) await sleep(1)
  releases.shift()?.()
  while (releases.length === 0) await sleep(1)
  expect(shop.meter.counts['published']).toBe(publishedBefore + 2)
  expect(waits.every((ms) => ms < 1000)).toBe(true)
  const { currentSnapshot, metadataLocation, version, publishedVersion } = await stateOf(tableUuid)
  expect([version, publishedVersion]).toEqual([40, 40])
  const metadata = await readMetadata(metadataLocation)
  expect(metadata.currentSnapshotId).toBe(currentSnapshot?.snapshotId)
  expect(metadata.snapshots).toHaveLength(40)
  releases.shift()?.()
  await deps.publisher.close()
})

test('a reader in the middle of a burst gets a location that exists and is right', async () => {
  await newTable('t')
  for (let i = 0; i < 8; i++) {
    await append(shop, 't', await lake.numbers(shop, `f${i}`, i * 10))
    const { metadataLocation, snapshot } = await readTable(shop.deps, { table: 't' })
    const metadata = await readMetadata(metadataLocation)
    expect(metadata.currentSnapshotId).toBe(snapshot?.snapshotId)
    expect(metadata.lastSequenceNumber).toBe(BigInt(i + 1))
  }
})

test('each metadata file holds one version: its snapshots, log and refs end together', async () => {
  const tableUuid = await newTable('t')
  for (let i = 0; i < 6; i++) await append(shop, 't', await lake.numbers(shop, `f${i}`, i * 10))
  await describeTable(shop.deps, 't', { description: 'numbers' })
  await untilPublished(tableUuid)
  const { definition } = await stateOf(tableUuid)
  for (const name of await metadataFiles(tableUuid)) {
    const metadata = await readMetadata(`${definition.location}/metadata/${name}`)
    const newest = metadata.snapshots.at(-1)
    expect(metadata.currentSnapshotId).toBe(newest?.snapshotId)
    expect(metadata.snapshotLog.at(-1)?.snapshotId).toBe(newest?.snapshotId)
    expect(metadata.refs['main']?.snapshotId).toBe(newest?.snapshotId)
    expect(metadata.lastSequenceNumber).toBe(newest?.sequenceNumber ?? 0n)
    for (const { timestampMs } of [...metadata.snapshotLog, ...metadata.snapshots]) {
      expect(timestampMs).toBeLessThanOrEqual(metadata.lastUpdatedMs)
    }
  }
})

test('the metadata log names the earlier files, oldest first, all of which exist', async () => {
  const tableUuid = await newTable('t')
  for (let i = 0; i < 4; i++) {
    shop.setClock(START_MS + i * 1000)
    await describeTable(shop.deps, 't', { description: `version ${i}` })
    await readTable(shop.deps, { table: 't' })
  }
  const { metadataLocation } = await stateOf(tableUuid)
  const { metadataLog, lastUpdatedMs } = await readMetadata(metadataLocation)
  const versions = metadataLog.map(({ metadataFile }) => versionOf(metadataFile))
  expect(versions).toEqual([0, 1, 2, 3])
  expect(versionOf(metadataLocation ?? '')).toBe(4)
  for (const { metadataFile } of metadataLog) await readMetadata(metadataFile)
  const times = [...metadataLog.map((entry) => entry.timestampMs), lastUpdatedMs]
  expect(times).toEqual([...times].sort((x, y) => x - y))
})

test('each entry of the metadata log has the time at which its file was written', async () => {
  const tableUuid = await newTable('t')
  const broken = withFailingDisk(shop.deps, /metadata\.json$/)
  await describeTable(broken.deps, 't', { description: 'Monday' })
  // Recovered a day later; then the clock is set right again.
  shop.setClock(START_MS + 24 * 3_600_000)
  broken.disk.isFailing = false
  await broken.deps.publisher.close()
  await untilPublished(tableUuid)
  shop.setClock(START_MS + 60_000)
  await describeTable(shop.deps, 't', { description: 'later on Monday' })
  const { metadataLocation } = await readTable(shop.deps, { table: 't' })
  const { metadataLog, lastUpdatedMs } = await readMetadata(metadataLocation)
  // Iceberg-Java refuses metadata whose log is a minute ahead of last-updated-ms.
  expect(metadataLog.at(-1)?.timestampMs).toBeLessThanOrEqual(lastUpdatedMs)
})

function versionOf(location: string): number {
  return Number(/\/(\d{5,})-[0-9a-f-]{36}\.metadata\.json$/.exec(location)?.[1])
}

test('two processes that publish at once agree on the newest; both locations exist', async () => {
  const tableUuid = await newTable('t')
  const another = await shop.another()
  for (let i = 0; i < 5; i++) {
    await append(shop, 't', await lake.numbers(shop, `f${i}`, i * 10))
    const locations = await Promise.all([
      shop.deps.publisher.publish(tableUuid),
      another.publisher.publish(tableUuid),
      shop.deps.publisher.publish(tableUuid),
    ])
    for (const location of locations) {
      expect((await readMetadata(location)).lastSequenceNumber).toBe(BigInt(i + 1))
    }
    const state = await stateOf(tableUuid)
    expect(state.publishedVersion).toBe(state.version)
    expect(versionOf(state.metadataLocation ?? '')).toBe(state.version)
  }
})

test('what a crash left unpublished is published by the next process', async () => {
  const tableUuids = [await newTable('t'), await newTable('u')]
  const crashed = withFailingDisk(shop.deps, /metadata\.json$/)
  for (const table of ['t', 'u']) {
    const path = await lake.numbers(shop, `of-${table}`)
    await commitFiles(crashed.deps, { table, paths: [path] })
  }
  await crashed.deps.publisher.close()
  for (const tableUuid of tableUuids) expect((await stateOf(tableUuid)).publishedVersion).toBe(0)
  const next = await shop.another()
  next.publisher.recover()
  for (const tableUuid of tableUuids) await untilPublished(tableUuid)
})

test('a table that cannot be published does not keep the others from recovering', async () => {
  const sick = await newTable('a_sick')
  const well = await newTable('well')
  const crashed = withFailingDisk(shop.deps, /metadata\.json$/)
  for (const table of ['a_sick', 'well']) {
    await describeTable(crashed.deps, table, { description: 'unpublished' })
  }
  await crashed.deps.publisher.close()
  const next = withFailingDisk(await shop.another(), /a_sick/)
  next.deps.publisher.recover()
  await untilPublished(well)
  expect((await stateOf(sick)).publishedVersion).toBe(0)
  next.disk.isFailing = false
  await untilPublished(sick)
  await next.deps.publisher.close()
})

test('tables are read and committed to even when metadata files cannot be written', async () => {
  const tableUuid = await newTable('t')
  const { metadataLocation: published } = await stateOf(tableUuid)
  const full = withFailingDisk(shop.deps, /metadata\.json$/)
  const { results } = await commitFiles(full.deps, {
    table: 't',
    paths: [await lake.numbers(shop, 'a')],
  })
  expect(results).toHaveLength(1)
  const reading = await readTable(full.deps, { table: 't' })
  expect(reading.metadataLocation).toBe(published)
  expect(await liveNames({ deps: full.deps }, 't')).toEqual(['a'])
  full.disk.isFailing = false
  await untilPublished(tableUuid)
  await full.deps.publisher.close()
})

test.each([
  ['manifest', /manifests\/manifest-/],
  ['manifest list', /man_list-/],
  ['snapshot file', /snapshots\/snapshot-/],
])(
  'a commit whose %s cannot be written changes nothing, and can be repeated',
  async (_, pattern) => {
    const tableUuid = await newTable('t')
    const full = withFailingDisk(shop.deps, pattern)
    const request = { table: 't', paths: [await lake.numbers(shop, 'a')] }
    await expect(commitFiles(full.deps, request)).rejects.toThrow('no space left')
    expect(await liveNames(shop, 't')).toEqual([])
    const { version, definition } = await stateOf(tableUuid)
    expect(version).toBe(0)
    const left: string[] = []
    for await (const file of shop.deps.objects.list(`${definition.location}/metadata`)) {
      if (!file.location.endsWith('.metadata.json')) left.push(file.location)
    }
    expect(left).toEqual([])
    full.disk.isFailing = false
    await commitFiles(full.deps, request)
    expect(await liveNames(shop, 't')).toEqual(['a'])
    await full.deps.publisher.close()
  },
)

test('a publication that another came before leaves no file', async () => {
  const tableUuid = await newTable('t')
  const before = await metadataFiles(tableUuid)
  let lost = 0
  const { publications } = shop.deps.catalog
  const catalog = withStore(shop.deps.catalog, 'publications', {
    record: async (publication) => {
      if (lost++ > 0) await publications.record(publication)
    },
  })
  const deps = { ...shop.deps, ...composeLake({ ...shop.deps, catalog }) }
  await commitFiles(deps, { table: 't', paths: [await lake.numbers(shop, 'a', 0, 10)] })
  await untilPublished(tableUuid)
  expect(lost).toBe(2)
  const { metadataLocation } = await stateOf(tableUuid)
  const named = (metadataLocation ?? '').replace(/^.*\//, '')
  expect(await metadataFiles(tableUuid)).toEqual([...before, named].sort())
})
