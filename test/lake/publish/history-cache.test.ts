import { readFile } from 'node:fs/promises'
import type { SnapshotStore } from '../../../src/catalog/snapshot-store.ts'
import { KEEPS_NOTHING } from '../../../src/core/replay.ts'
import type { TableMetadata } from '../../../src/core/table/table.ts'
import { parseTableMetadata } from '../../../src/formats/metadata/table-metadata-json.ts'
import { HistoryCache } from '../../../src/lake/publish/history-cache.ts'
import type { Publisher } from '../../../src/lake/publish/publisher.ts'
import { commitTable } from '../../../src/modules/iceberg-rest/commit-tables.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { evictHistories } from '../../../src/modules/tables/evict-histories.ts'
import { createTable, describeTable } from '../../../src/modules/tables/tables.ts'
import { composeLake } from '../../../src/service.ts'
import { logOf } from '../../catalog/catalog-samples.ts'
import { queueOver } from '../compose.ts'
import { changed, withStore } from '../failing-disk.ts'
import { Lake } from '../lake.ts'
import { commitFiles } from '../trusted-caller.ts'
import { openWorkshop, type Workshop, type WorkshopDependencies } from '../workshop.ts'

/** Without an idempotency key, and allowed everything. */
const FREE_CALL = {
  keeper: KEEPS_NOTHING,
  authorize: () => Promise.resolve(),
  requirePaths: () => undefined,
}

let lake: Lake
let shop: Workshop
let readings: number
let deps: WorkshopDependencies
let files = 0

beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  readings = 0
  deps = countingReadings(shop.deps)
})
afterEach(async () => {
  await deps.publisher.close()
  await shop.close()
})

/** The same services; counts how often a whole history is read from the catalog. */
function countingReadings(base: WorkshopDependencies): WorkshopDependencies {
  const read: SnapshotStore['read'] = (tableUuid) => {
    readings += 1
    return base.catalog.snapshots.read(tableUuid)
  }
  const catalog = withStore(base.catalog, 'snapshots', { read })
  return { ...base, ...composeLake({ ...base, catalog }) }
}

async function newTable(): Promise<string> {
  const columns = [{ name: 'n', type: 'long' }]
  const { definition } = await createTable(deps, { name: 't', columns })
  return definition.tableUuid
}

async function append(by: WorkshopDependencies): Promise<void> {
  files += 1
  await commitFiles(by, { table: 't', paths: [await lake.numbers(shop, `f${files}`, files * 10)] })
}

async function change(updates: readonly unknown[]): Promise<void> {
  const name = { namespace: ['default'], name: 't' }
  await commitTable(deps, { name, json: { requirements: [], updates } }, FREE_CALL)
}

async function published(tableUuid: string): Promise<TableMetadata> {
  const location = await deps.publisher.publish(tableUuid)
  return parseTableMetadata(await readFile((location ?? '').slice('file://'.length), 'utf8'))
}

/** What is in the file is what is in the catalog. */
async function expectWhole(tableUuid: string): Promise<void> {
  const { snapshots, snapshotLog, ...metadata } = await published(tableUuid)
  expect(snapshots).toEqual(await deps.catalog.snapshots.list(tableUuid))
  expect(snapshotLog).toEqual(await logOf(deps.catalog, tableUuid))
  const state = await deps.catalog.tables.find({ tableUuid })
  expect(metadata.currentSnapshotId).toBe(state?.currentSnapshot?.snapshotId)
  expect(metadata.lastSequenceNumber).toBe(state?.lastSequenceNumber)
}

test('a commit adds to what was published: the history is not read again', async () => {
  const tableUuid = await newTable()
  await append(deps)
  await expectWhole(tableUuid)
  const readingsBefore = readings
  for (let i = 0; i < 5; i++) {
    await append(deps)
    await expectWhole(tableUuid)
  }
  await describeTable(deps, 't', { description: 'five more' })
  await expectWhole(tableUuid)
  expect(readings).toBe(readingsBefore)
})

test('what another process committed is in the file, too', async () => {
  const tableUuid = await newTable()
  const another = await shop.another()
  for (const by of [deps, deps, another, deps, another, another, deps, deps]) {
    await append(by)
    await expectWhole(tableUuid)
  }
})

test('what another process committed between two commits of this one is in the file', async () => {
  const tableUuid = await newTable()
  const another = await shop.another()
  await append(deps)
  await expectWhole(tableUuid)
  await append(deps)
  await append(another)
  await append(deps)
  await expectWhole(tableUuid)
})

test('snapshots that were removed are not in the file', async () => {
  const tableUuid = await newTable()
  for (let i = 0; i < 4; i++) await append(deps)
  const { snapshots } = await published(tableUuid)
  const removed = snapshots.slice(0, 2).map(({ snapshotId }) => snapshotId)
  await change([{ action: 'remove-snapshots', 'snapshot-ids': removed }])
  await expectWhole(tableUuid)
  expect((await published(tableUuid)).snapshots).toHaveLength(2)
  await append(deps)
  await expectWhole(tableUuid)
})

test('snapshots that are on no branch are in the file, in the order of the catalog', async () => {
  const tableUuid = await newTable()
  await append(deps)
  const { snapshots } = await published(tableUuid)
  const [first] = snapshots
  for (const [number, timestampMs] of [
    [2, 9_000_000_000_000],
    [3, 8_000_000_000_000],
  ] as const) {
    const snapshot = {
      ...{ 'snapshot-id': 1000 + number, 'parent-snapshot-id': first?.snapshotId },
      ...{ 'sequence-number': number, 'timestamp-ms': timestampMs, 'schema-id': 0 },
      ...{ 'manifest-list': first?.manifestList, summary: { operation: 'append' } },
    }
    await change([{ action: 'add-snapshot', snapshot }])
    await expectWhole(tableUuid)
  }
})

test('commits that come while a history is read are followed, not lost', async () => {
  const tableUuid = await newTable()
  for (let i = 0; i < 3; i++) await append(deps)
  const state = await deps.catalog.tables.find({ tableUuid })
  if (state === undefined) throw new Error('the table is gone')
  const histories = new HistoryCache(deps.catalog, 1_000_000)
  const reading = histories.read(state)
  const [commit] = await nextCommits(1)
  if (commit === undefined) throw new Error('no commit')
  histories.committed(commit)
  await reading
  const after = await deps.catalog.tables.find({ tableUuid })
  const text = histories.find(commit.state)
  expect(after?.version).toBe(commit.state.version)
  const items = JSON.parse(`[${Buffer.concat(text?.snapshots ?? []).toString()}]`)
  expect(items).toHaveLength(4)
})

test('a snapshot without a parent that comes while a history is read is in it once', async () => {
  const tableUuid = await newTable()
  for (let i = 0; i < 3; i++) await append(deps)
  const state = await deps.catalog.tables.find({ tableUuid })
  if (state?.currentSnapshot === undefined) throw new Error('the table is gone')
  // As an engine replaces a table that it read before: its number is not above the last one.
  const late = { ...state.currentSnapshot, snapshotId: 5n, parentSnapshotId: null }
  const { snapshots } = deps.catalog
  async function* read(uuid: string) {
    yield* snapshots.read(uuid)
    yield [late]
  }
  const catalog = withStore(deps.catalog, 'snapshots', { read })
  const histories = new HistoryCache(catalog, 1_000_000)
  const reading = histories.read(state)
  const next = { ...state, version: state.version + 1, currentSnapshot: late }
  histories.committed({
    ...{ expectedVersion: state.version, state: next, newSnapshots: [late], newLogEntries: [] },
    ...{ addedPaths: [] },
  })
  await reading
  const text = histories.find(next) ?? (await histories.read(next))
  const items = JSON.parse(`[${Buffer.concat(text?.snapshots ?? []).toString()}]`)
  const ids = items.map((item: { 'snapshot-id': number }) => item['snapshot-id'])
  expect(ids).toEqual([...new Set(ids)])
  expect(ids).toHaveLength(4)
})

test('histories stay within their bytes', async () => {
  const tableUuid = await newTable()
  for (let i = 0; i < 3; i++) await append(deps)
  const state = await deps.catalog.tables.find({ tableUuid })
  if (state === undefined) throw new Error('the table is gone')
  const small = new HistoryCache(deps.catalog, 1_000)
  expect(Buffer.concat((await small.read(state))?.log ?? []).length).toBeGreaterThan(0)
  expect(small.find(state)).toBeUndefined()
  const large = new HistoryCache(deps.catalog, 1_000_000)
  await large.read(state)
  expect(large.find(state)).toBeDefined()
})

/** What the publisher learns of these appends. */
async function nextCommits(count: number) {
  const told: Parameters<Publisher['committed']>[0][] = []
  const publisher = changed(deps.publisher, { committed: (commit) => void told.push(commit) })
  const listening = { ...deps, publisher }
  const commits = queueOver(listening)
  for (let i = 0; i < count; i++) await append({ ...listening, commits })
  return told
}

test('what another replica drops leaves the cache', async () => {
  const tableUuid = await newTable()
  await append(deps)
  await expectWhole(tableUuid)
  const { histories } = deps.publisher
  expect(histories.has(tableUuid)).toBe(true)
  await dropTable(await shop.another(), 't', { purge: false })
  const consumer = evictHistories(deps)
  const { events } = await deps.catalog.events.list({
    ...{ after: 0n, types: consumer.events, limit: 10 },
  })
  await consumer.handle(events, new AbortController().signal)
  expect(histories.has(tableUuid)).toBe(false)
})
