import { commitRemoval } from '../../../src/lake/commit/transactions.ts'
import { cloneTable } from '../../../src/modules/tables/clone-table.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable, readTable, rollbackTable } from '../../../src/modules/tables/tables.ts'
import { withFailingDisk } from '../../lake/failing-disk.ts'
import { append, Lake, liveNames } from '../../lake/lake.ts'
import { openWorkshop, START_MS, type Workshop } from '../../lake/workshop.ts'
import { refusal } from '../../refusal.ts'
import { partitionBy } from './partition-by.ts'

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 'source', columns: [{ name: 'n', type: 'long' }] })
})
afterEach(() => shop.close())

/** Commits of `a`, `b` and `c`, an hour apart. */
async function threeCommits(): Promise<bigint[]> {
  const ids: bigint[] = []
  for (const [hour, name] of ['a', 'b', 'c'].entries()) {
    shop.setClock(START_MS + hour * 3_600_000)
    ids.push(await append(shop, 'source', await lake.numbers(shop, name, hour * 10)))
  }
  return ids
}

function clone(name: string, moment: { asAtMs?: number; snapshotIdentifier?: string } = {}) {
  return cloneTable(shop.deps, { table: 'source', name, ...moment })
}

test('a clone begins with what its source has, and each goes its own way', async () => {
  await threeCommits()
  await clone('copy')
  await append(shop, 'copy', await lake.numbers(shop, 'mine', 100))
  await append(shop, 'source', await lake.numbers(shop, 'theirs', 200))
  expect(await liveNames(shop, 'copy')).toEqual(['a', 'b', 'c', 'mine'])
  expect(await liveNames(shop, 'source')).toEqual(['a', 'b', 'c', 'theirs'])
  const { snapshot } = await readTable(shop.deps, { table: 'copy' })
  expect(snapshot?.summary).toMatchObject({ 'total-data-files': '4', 'total-records': '40' })
})

test('a clone of the past has the files, schema and totals of then', async () => {
  const [, second] = await threeCommits()
  await evolveTable(shop.deps, 'source', {
    changes: [{ op: 'add', column: { name: 'later', type: 'string' } }],
  })
  await clone('by_id', { snapshotIdentifier: String(second) })
  await clone('by_time', { asAtMs: START_MS + 3_600_000 + 1 })
  for (const name of ['by_id', 'by_time']) {
    expect(await liveNames(shop, name)).toEqual(['a', 'b'])
    const { schema, snapshot } = await readTable(shop.deps, { table: name })
    expect(schema.fields.map((field) => field.name)).toEqual(['n'])
    expect(snapshot).toMatchObject({ snapshotId: second, parentSnapshotId: null })
  }
})

test('a clone of the past is partitioned and sorted by columns that it has', async () => {
  const [, second] = await threeCommits()
  await evolveTable(shop.deps, 'source', {
    changes: [{ op: 'add', column: { name: 'later', type: 'string' } }],
  })
  await partitionBy(shop, 'source', 'later')
  const then = await clone('then', { snapshotIdentifier: String(second) })
  expect(then.definition).toMatchObject({ defaultSpecId: 0, defaultSortOrderId: 0 })
  await append(shop, 'then', await lake.numbers(shop, 'mine', 100))
  expect(await liveNames(shop, 'then')).toEqual(['a', 'b', 'mine'])
  const now = await clone('now')
  expect(now.definition).toMatchObject({ defaultSpecId: 1, defaultSortOrderId: 1 })
})

test('a table without snapshot can be cloned, a moment before the first cannot', async () => {
  expect((await clone('empty')).currentSnapshot).toBeUndefined()
  await threeCommits()
  const tooEarly = await refusal(clone('early', { asAtMs: START_MS - 1 }))
  expect(tooEarly.code).toBe('as-at-before-first-snapshot')
  expect((await refusal(clone('early', { snapshotIdentifier: '12345' }))).code).toBe(
    'snapshot-not-found',
  )
  expect((await refusal(readTable(shop.deps, { table: 'early' }))).code).toBe('table-not-found')
})

test('a clone cannot take a name that is taken, in any case of letters', async () => {
  expect((await refusal(clone('Source'))).code).toBe('table-already-exists')
  expect(await liveNames(shop, 'source')).toEqual([])
})

test('a file that came with the clone cannot be added to it again', async () => {
  const [first] = await threeCommits()
  await clone('copy')
  await clone('old', { snapshotIdentifier: String(first) })
  const a = `${shop.dataFolder}/a.parquet`
  const c = `${shop.dataFolder}/c.parquet`
  expect((await refusal(append(shop, 'copy', a))).code).toBe('file-already-in-table')
  expect((await refusal(append(shop, 'old', a))).code).toBe('file-already-in-table')
  await append(shop, 'old', c)
  expect(await liveNames(shop, 'old')).toEqual(['a', 'c'])
})

test('when the source is purged, its clone and that one’s clone read every file', async () => {
  const [first] = await threeCommits()
  await clone('copy')
  await cloneTable(shop.deps, {
    table: 'copy',
    name: 'copy_of_copy',
    snapshotIdentifier: 'latest',
  })
  await clone('old', { snapshotIdentifier: String(first) })
  await dropTable(shop.deps, 'source', { purge: 'now' })
  const fresh = await shop.another()
  expect(await liveNames({ deps: fresh }, 'copy')).toEqual(['a', 'b', 'c'])
  expect(await liveNames({ deps: fresh }, 'copy_of_copy')).toEqual(['a', 'b', 'c'])
  expect(await liveNames({ deps: fresh }, 'old')).toEqual(['a'])
  const change = { removedPaths: [`${shop.dataFolder}/b.parquet`], truncate: false }
  await commitRemoval(shop.deps, { table: 'copy', change })
  expect(await liveNames({ deps: fresh }, 'copy')).toEqual(['a', 'c'])
})

test('sequence numbers of a clone go on from its files, after a rollback, too', async () => {
  const [first] = await threeCommits()
  await rollbackTable(shop.deps, 'source', { snapshotIdentifier: String(first) })
  await clone('copy')
  await append(shop, 'copy', await lake.numbers(shop, 'mine', 100))
  const { snapshot, plan } = await readTable(shop.deps, { table: 'copy' })
  const numbers = [...plan.plannedFiles()].map((file) => file.sequenceNumber)
  expect(snapshot?.sequenceNumber).toBe(2n)
  expect(numbers.sort()).toEqual([1n, 2n])
})

test('times of a clone are never before those of the snapshot that it begins with', async () => {
  // Commits in one millisecond put the source's time ahead of the clock.
  for (const name of ['a', 'b', 'c', 'd']) {
    await append(shop, 'source', await lake.numbers(shop, name))
  }
  shop.setClock(START_MS - 3_600_000)
  const copy = await clone('copy')
  const { snapshot } = await readTable(shop.deps, { table: 'source' })
  expect(copy.lastUpdatedMs).toBeGreaterThan(snapshot?.timestampMs ?? Number.POSITIVE_INFINITY)
  await append(shop, 'copy', await lake.numbers(shop, 'e'))
  const snapshots = await shop.deps.catalog.snapshots.list(copy.definition.tableUuid)
  const [begin, next] = snapshots.map((snapshot) => snapshot.timestampMs)
  expect(next).toBeGreaterThan(begin as number)
})

test('a clone that cannot be published yet exists, and is published later', async () => {
  await threeCommits()
  const full = withFailingDisk(shop.deps, /metadata\.json$/)
  const state = await cloneTable(full.deps, { table: 'source', name: 'copy' })
  expect(state.metadataLocation).toBeUndefined()
  expect(await liveNames(shop, 'copy')).toEqual(['a', 'b', 'c'])
  full.disk.isFailing = false
  await full.deps.publisher.close()
  const { metadataLocation } =
    (await shop.deps.catalog.tables.find({ namespace: ['default'], name: 'copy' })) ?? {}
  expect(metadataLocation).toContain('/00000-')
})
