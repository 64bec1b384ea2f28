import type { SnapshotSelector } from '../../../src/core/table/snapshot-selector.ts'
import { commitRemoval } from '../../../src/lake/commit/transactions.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable, readTable, rollbackTable } from '../../../src/modules/tables/tables.ts'
import { logOf } from '../../catalog/catalog-samples.ts'
import { append, Lake, liveNames } from '../../lake/lake.ts'
import { openWorkshop, START_MS, type Workshop } from '../../lake/workshop.ts'
import { refusal } from '../../refusal.ts'
import { partitionBy } from './partition-by.ts'

const HOUR_MS = 3_600_000
let lake: Lake
let shop: Workshop
let ids: bigint[]
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  ids = []
  for (const [hour, name] of ['a', 'b', 'c'].entries()) {
    shop.setClock(START_MS + hour * HOUR_MS)
    ids.push(await append(shop, 't', await lake.numbers(shop, name, hour * 10)))
  }
  shop.setClock(START_MS + 3 * HOUR_MS)
})
afterEach(() => shop.close())

function rollback(moment: SnapshotSelector) {
  return rollbackTable(shop.deps, 't', moment)
}

async function log(): Promise<bigint[]> {
  const { state } = await readTable(shop.deps, { table: 't' })
  const entries = await logOf(shop.deps.catalog, state.definition.tableUuid)
  const times = entries.map((entry) => entry.timestampMs)
  expect(times).toEqual([...new Set(times)].sort((x, y) => x - y))
  return entries.map((entry) => entry.snapshotId)
}

test.each<[string, () => SnapshotSelector]>([
  ['its id', () => ({ snapshotIdentifier: String(ids[0]) })],
  ['a time', () => ({ asAtMs: START_MS + HOUR_MS - 1 })],
])('a rollback by %s is a new entry of the log and forgets nothing', async (_, moment) => {
  await rollback(moment())
  expect(await liveNames(shop, 't')).toEqual(['a'])
  expect(await log()).toEqual([...ids, ids[0]])
  const later = { snapshotIdentifier: String(ids[2]) }
  expect(await liveNames(shop, 't', later)).toEqual(['a', 'b', 'c'])
})

test('as_at sees what was current then: before, between and after the rollback', async () => {
  await rollback({ snapshotIdentifier: String(ids[0]) })
  shop.setClock(START_MS + 4 * HOUR_MS)
  await rollback({ snapshotIdentifier: String(ids[1]) })
  const at = (hours: number) => liveNames(shop, 't', { asAtMs: START_MS + hours * HOUR_MS })
  expect(await at(2.5)).toEqual(['a', 'b', 'c'])
  expect(await at(3)).toEqual(['a'])
  expect(await at(3.999)).toEqual(['a'])
  expect(await at(4)).toEqual(['a', 'b'])
})

test('the same files added again after a rollback make another snapshot than before', async () => {
  await rollback({ snapshotIdentifier: String(ids[1]) })
  const again = await append(shop, 't', `${shop.dataFolder}/c.parquet`)
  expect(again).not.toBe(ids[2])
  expect(await liveNames(shop, 't')).toEqual(['a', 'b', 'c'])
  await rollback({ snapshotIdentifier: String(ids[1]) })
  const onceMore = await append(shop, 't', `${shop.dataFolder}/c.parquet`)
  expect(new Set([ids[2], again, onceMore]).size).toBe(3)
  const { state, snapshot } = await readTable(shop.deps, { table: 't' })
  expect(snapshot).toMatchObject({ parentSnapshotId: ids[1], sequenceNumber: 5n })
  expect(snapshot?.summary['total-records']).toBe('30')
  expect(await shop.deps.catalog.snapshots.list(state.definition.tableUuid)).toHaveLength(5)
})

test('a rollback to what is current changes nothing', async () => {
  const { state } = await readTable(shop.deps, { table: 't' })
  const same = await rollback({ snapshotIdentifier: String(ids[2]) })
  expect(same.version).toBe(state.version)
  expect(await log()).toEqual(ids)
})

test('a rollback to nothing known is refused', async () => {
  for (const snapshotIdentifier of ['1', '9223372036854775807', '9223372036854775808', 'nope']) {
    expect((await refusal(rollback({ snapshotIdentifier }))).code).toBe('snapshot-not-found')
  }
  const early = await refusal(rollback({ asAtMs: START_MS - 1 }))
  expect(early.code).toBe('as-at-before-first-snapshot')
  expect(await log()).toEqual(ids)
})

test('a removal after a rollback reads the manifests of the snapshot it went back to', async () => {
  const change = { removedPaths: [`${shop.dataFolder}/a.parquet`], truncate: false }
  await commitRemoval(shop.deps, { table: 't', change })
  await rollback({ snapshotIdentifier: String(ids[1]) })
  await commitRemoval(shop.deps, { table: 't', change })
  expect(await liveNames(shop, 't')).toEqual(['b'])
})

test('a rollback leaves the schema as it is now', async () => {
  await evolveTable(shop.deps, 't', { changes: [{ op: 'rename', name: 'n', to: 'number' }] })
  await rollback({ asAtMs: START_MS + HOUR_MS - 1 })
  const { schema } = await readTable(shop.deps, { table: 't' })
  expect(schema.fields.map((field) => field.name)).toEqual(['number'])
  await append(shop, 't', `${shop.dataFolder}/c.parquet`)
  expect(await liveNames(shop, 't')).toEqual(['a', 'c'])
})

test('a rollback past a conversion partitions and sorts by columns of then', async () => {
  await evolveTable(shop.deps, 't', {
    changes: [
      { op: 'type', name: 'n', type: 'double' },
      { op: 'add', column: { name: 'later', type: 'string' } },
    ],
  })
  await partitionBy(shop, 't', 'later')
  const { definition } = await rollback({ snapshotIdentifier: String(ids[1]) })
  expect(definition).toMatchObject({ currentSchemaId: 0, defaultSpecId: 0, defaultSortOrderId: 0 })
  await append(shop, 't', `${shop.dataFolder}/c.parquet`)
  expect(await liveNames(shop, 't')).toEqual(['a', 'b', 'c'])
})

test('rollbacks and appends that race all happen', async () => {
  const another = await shop.another()
  const extra = await Promise.all([0, 1, 2].map((i) => lake.numbers(shop, `x${i}`, 100 + i)))
  await Promise.all([
    ...extra.map((path) => append(shop, 't', path)),
    rollbackTable(another, 't', { snapshotIdentifier: String(ids[0]) }),
    rollbackTable(another, 't', { snapshotIdentifier: String(ids[1]) }),
  ])
  const { state } = await readTable(shop.deps, { table: 't' })
  const snapshots = await shop.deps.catalog.snapshots.list(state.definition.tableUuid)
  const numbers = snapshots.map((snapshot) => snapshot.sequenceNumber)
  expect(numbers).toEqual([...new Set(numbers)].sort((x, y) => Number(x - y)))
  const added = snapshots.slice(3).flatMap((s) => s.summary['moraine.transaction-ids']?.split(','))
  expect(added).toHaveLength(3)
  expect((await log()).length).toBe(3 + (snapshots.length - 3) + 2)
})
