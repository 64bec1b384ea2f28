import { rm, utimes } from 'node:fs/promises'
import { jest } from '@jest/globals'
import { commitRemoval } from '../../../src/lake/commit/transactions.ts'
import { keepBudget } from '../../../src/modules/dumps/dump-budget.ts'
import { versionTextOf, withoutEdition } from '../../../src/modules/dumps/dump-folder.ts'
import { indexLocation } from '../../../src/modules/dumps/dump-key.ts'
import { forgetDroppedTables } from '../../../src/modules/dumps/dump-sweep.ts'
import type { DumpIndex } from '../../../src/modules/dumps/format/dump-index.ts'
import { linkMark } from '../../../src/modules/dumps/format/link-mark.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { append, Lake } from '../../lake/lake.ts'
import { refusal } from '../../refusal.ts'
import { bytesOf, type DumpShop, type DumpWish, finished, openDumpShop } from './dump-shop.ts'

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

let lake: Lake
let shop: DumpShop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
afterEach(() => shop.close())

async function open(...tables: string[]): Promise<void> {
  for (const name of tables) {
    await createTable(shop.deps, { name, columns: [{ name: 'n', type: 'long' }] })
  }
}

async function commit(table: string, name: string, rows = 10): Promise<string> {
  return String(await append(shop, table, await lake.numbers(shop, `${table}-${name}`, 0, rows)))
}

/** Removes all files and adds one: nothing of the dumps before is of use. */
async function replace(table: string, name: string, rows = 10): Promise<string> {
  await commitRemoval(shop.deps, { table, change: { removedPaths: [], truncate: true } })
  return commit(table, name, rows)
}

/** A dump made, and tidied after, at a time of its own. */
async function make(table: string, wish: DumpWish = {}): Promise<DumpIndex> {
  const { index } = await shop.make(table, wish)
  await tidied(table, wish)
  return index
}

let seconds = 0

/**
 * Whoever gets the lease next does so after the tidying. Times of change tell which dump is newer.
 */
async function tidied(table: string, wish: DumpWish): Promise<void> {
  const target = await shop.target(table, wish)
  const location = indexLocation(shop.deps.warehouse, target)
  const at = new Date(Date.UTC(2020, 0, 1) + ++seconds * 1000)
  await shop.dumps.settle()
  await utimes(new URL(location), at, at)
}

async function stored(table?: string): Promise<string[]> {
  const locations: string[] = []
  const state = table && (await shop.target(table)).state
  const uuid = state ? `/${state.definition.tableUuid}` : ''
  for await (const { location } of shop.deps.objects.list(`${shop.deps.warehouse}/.dumps${uuid}`)) {
    locations.push(location)
  }
  return locations
}

async function indexesOf(table: string): Promise<string[]> {
  const indexes = (await stored(table)).filter((location) => location.endsWith('/index.json'))
  return indexes.map((location) => withoutEdition(versionTextOf(location))).sort()
}

async function storedBytes(): Promise<number> {
  let bytes = 0
  for await (const { sizeBytes } of shop.deps.objects.list(`${shop.deps.warehouse}/.dumps`)) {
    bytes += sizeBytes
  }
  return bytes
}

test('the newest dumps stay, older ones go with the shards that none other names', async () => {
  shop = await openDumpShop({ keepNewest: 2 })
  await open('t')
  const snapshots: string[] = []
  for (const name of ['a', 'b', 'c', 'd']) {
    snapshots.push(name === 'c' ? await replace('t', name) : await commit('t', name))
    await make('t')
  }
  expect(await indexesOf('t')).toEqual(snapshots.slice(2).sort())
  // Two indexes, the header, and the shards of c and d: those of a and b are gone.
  expect(await stored('t')).toHaveLength(5)
  for (const snapshotIdentifier of snapshots) await shop.make('t', { snapshotIdentifier })
})

test('what a tag names stays however old it is, and so does what was made just now', async () => {
  shop = await openDumpShop({ keepNewest: 1 })
  await open('t')
  const [first, second] = [await commit('t', 'a'), await commit('t', 'b')]
  await tag('t', 'release', first)
  await make('t', { snapshotIdentifier: first })
  await make('t')
  await commit('t', 'c')
  const { snapshotId } = await make('t', { snapshotIdentifier: 'latest' })
  expect(await indexesOf('t')).toEqual([first, String(snapshotId)].sort())
  await make('t', { snapshotIdentifier: second })
  expect(await indexesOf('t')).toEqual([first, second].sort())
})

async function tag(table: string, name: string, snapshotId: string): Promise<void> {
  const { state } = await shop.target(table)
  const refs = { ...state.refs, [name]: { type: 'tag', snapshotId: BigInt(snapshotId) } as const }
  const outcome = await shop.deps.catalog.tables.commit({
    tables: [
      {
        expectedVersion: state.version,
        state: { ...state, refs, version: state.version + 1 },
        ...{ newSnapshots: [], newLogEntries: [], addedPaths: [] },
      },
    ],
    transactions: [],
  })
  expect(outcome.outcome).toBe('committed')
}

test('a process learns that another one swept, and makes the dump again', async () => {
  shop = await openDumpShop({ keepNewest: 1 })
  await open('t')
  const first = await commit('t', 'a')
  const before = await make('t')
  await replace('t', 'b')
  const other = await shop.anotherDumps()
  await finished(other.dumps, await shop.target('t'))
  await other.dumps.settle()
  expect(
    await shop.dumps.find(await shop.target('t', { snapshotIdentifier: first })),
  ).toBeUndefined()
  const again = await shop.make('t', { snapshotIdentifier: first })
  expect(again.index.sha256).toBe(before.sha256)
})

test('shards that no index names are removed by the next build', async () => {
  shop = await openDumpShop()
  await open('t')
  await commit('t', 'a')
  await make('t')
  const orphan = `${(await stored('t'))[0]?.split('/').slice(0, -2).join('/')}/shards/orphan.csv`
  await shop.deps.objects.putIfAbsent(orphan, new Uint8Array(9))
  await commit('t', 'b')
  await make('t')
  expect(await stored('t')).not.toContain(orphan)
})

describe('a budget', () => {
  const ROWS = 2000
  /**
   * Size of three CSV dumps of the numbers up to 2,000, with room for indexes but not for another
   * dump.
   */
  const BYTES_OF_THREE = 3 * 9_000 + 5_000

  test('is kept over all tables: dumps that were not used for longest go', async () => {
    shop = await openDumpShop({ keepNewest: 5, bytesMax: BYTES_OF_THREE })
    await open('t', 'u', 'v', 'w')
    for (const table of ['t', 'u', 'v']) {
      shop.setClock(Date.UTC(2024, 2, 17) + ++seconds * 1000)
      await commit(table, 'a', ROWS)
      await make(table)
    }
    expect(await storedBytes()).toBeLessThan(BYTES_OF_THREE)
    shop.setClock(Date.UTC(2024, 2, 17) + ++seconds * 1000)
    await shop.make('t')
    await commit('w', 'a', ROWS)
    await make('w')
    expect(await storedBytes()).toBeLessThan(BYTES_OF_THREE)
    expect(await Promise.all(['t', 'u', 'v', 'w'].map((table) => indexesOf(table)))).toEqual([
      [expect.any(String)],
      [],
      [expect.any(String)],
      [expect.any(String)],
    ])
    expect(await stored('u')).toEqual([])
    const kept = await shop.dumps.find(await shop.target('t'))
    if (kept === undefined) throw new Error('it is gone')
    await bytesOf(shop.deps, kept)
  })

  test('leaves out linked dumps, and reads each index once', async () => {
    shop = await openDumpShop({ keepNewest: 50, bytesMax: Number.MAX_SAFE_INTEGER })
    await open('t', 'u')
    const { warehouse, objects, ambient } = shop.deps
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await commit('t', name, ROWS)
      await make('t')
      if (name > 'c') continue
      const index = indexLocation(warehouse, await shop.target('t'))
      await objects.putIfAbsent(linkMark(index, ambient.nowMs() + 86_400_000), new Uint8Array())
    }
    const linked = (await indexesOf('t')).length - 3
    const read = jest.spyOn(objects, 'read')
    await keepBudget(shop.deps, {
      bytesMax: 1,
      lastUsedMs: ({ modifiedAtMs }) => modifiedAtMs,
      workingBytes: () => 0,
      signal: new AbortController().signal,
    })
    const indexes = read.mock.calls.map(([location]) => location)
    expect(await indexesOf('t')).toHaveLength(linked)
    expect(indexes).toHaveLength(6)
    expect(new Set(indexes).size).toBe(6)
    read.mockRestore()
  })

  /** A dump that fails at the last of three files, and leaves the shards of the others. */
  async function fail(table: string): Promise<void> {
    for (const name of ['a', 'b', 'z']) await commit(table, name, ROWS)
    await rm(`${shop.dataFolder}/${table}-z.parquet`)
    expect(await refusal(make(table))).toMatchObject({ code: 'data-file-missing' })
    await shop.dumps.settle()
  }

  test('is not eaten by failed dumps: what they left goes before any dump', async () => {
    shop = await openDumpShop({ keepNewest: 5, bytesMax: BYTES_OF_THREE })
    await open('t', 'f', 'h')
    await commit('t', 'a', ROWS)
    await make('t')
    await fail('f')
    await fail('h')
    expect(await indexesOf('t')).toHaveLength(1)
    expect(await storedBytes()).toBeLessThan(BYTES_OF_THREE)
  })

  test('is kept where dumps only fail, and where a failure follows a dump', async () => {
    shop = await openDumpShop({ keepNewest: 5, bytesMax: 20_000 })
    await open('f', 'g', 'h')
    await fail('f')
    const ofFirst = await stored('f')
    expect(ofFirst).toHaveLength(3)
    await fail('h')
    expect(await stored('f')).toEqual([])
    expect(await storedBytes()).toBeLessThan(20_000)

    const unlimited = await shop.anotherDumps({ bytesMax: Number.MAX_SAFE_INTEGER })
    await commit('g', 'first', ROWS)
    await finished(unlimited.dumps, await shop.target('g'))
    await commit('g', 'z', ROWS)
    await rm(`${shop.dataFolder}/g-z.parquet`)
    const [index] = await indexesOf('g')
    const tiny = await shop.anotherDumps({ bytesMax: 1 })
    await expect(finished(tiny.dumps, await shop.target('g'))).rejects.toThrow()
    expect([index, await indexesOf('g')]).toEqual([expect.any(String), []])
  })

  test('takes nothing where a dump is being made', async () => {
    shop = await openDumpShop({ keepNewest: 5, bytesMax: 2_000 })
    await open('t', 'u')
    await commit('t', 'a')
    await commit('u', 'a')
    await make('t')
    const name = `dump ${indexLocation(shop.deps.warehouse, await shop.target('t'))
      .split('/')
      .slice(0, -2)
      .join('/')}`
    const nowMs = shop.deps.ambient.nowMs()
    await shop.deps.catalog.leases.acquire({ name, owner: 'x', nowMs, durationMs: 10_000 })
    await make('u')
    expect(await storedBytes()).toBeGreaterThan(2_000)
    expect(await indexesOf('t')).toHaveLength(1)
  })
})

test('the dumps of a dropped table go with it', async () => {
  shop = await openDumpShop()
  await open('t', 'u')
  await commit('t', 'a')
  await commit('u', 'a')
  await make('t')
  await make('t', { format: 'ndjson' })
  await make('u')
  const ofU = await stored('u')
  await dropTable(shop.deps, 't', { purge: 'now' })
  const consumer = forgetDroppedTables(shop.deps)
  const { events } = await shop.deps.catalog.events.list({
    ...{ after: 0n, types: consumer.events, limit: 10 },
  })
  const { signal } = new AbortController()
  // At least once: again, it finds nothing to do.
  for (let turn = 0; turn < 2; turn++) await consumer.handle(events, signal)
  expect(await stored()).toEqual(ofU)
})

test('a table that is dropped while its dump is made leaves none behind', async () => {
  shop = await openDumpShop()
  await open('t')
  await commit('t', 'a')
  const target = await shop.target('t')
  const making = finished(shop.dumps, target).catch((error) => {
    // Dropped before the dump held the files of the table.
    expect(error).toMatchObject({ code: 'table-not-found' })
  })
  await dropTable(shop.deps, 't', { purge: false })
  await making
  await shop.dumps.settle()
  expect(await stored()).toEqual([])
})
