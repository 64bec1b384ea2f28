import { jest } from '@jest/globals'
import { allDumpsFolder } from '../../../src/modules/dumps/dump-key.ts'
import { parseDumpIndex, serialiseDumpIndex } from '../../../src/modules/dumps/format/dump-index.ts'
import { moveOldDumps } from '../../../src/modules/dumps/old-dumps.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { append, Lake } from '../../lake/lake.ts'
import { bytesOf, type DumpShop, finished, openDumpShop } from './dump-shop.ts'

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

let lake: Lake
let shop: DumpShop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
afterEach(() => shop.close())

async function list(folder: string): Promise<string[]> {
  const found: string[] = []
  for await (const { location } of shop.deps.objects.list(folder)) found.push(location)
  return found.sort()
}

function withoutEditionIn(location: string): string {
  return location.replace(/-[0-9a-f]{12}(?=\/index\.json$)/, '')
}

/** As Moraine 0.1 has it: in a folder `dumps`, with indexes that say so, and without editions. */
async function makeOld(): Promise<void> {
  const { objects, warehouse } = shop.deps
  const [folder, old] = [allDumpsFolder(warehouse), `${warehouse}/dumps`]
  for (const location of await list(folder)) {
    const to = location.replace(folder, old)
    if (!location.endsWith('/index.json')) await objects.moveIfAbsent(location, to)
    else {
      const text = new TextDecoder().decode(await objects.read(location, { bytesMax: 1e6 }))
      const { edition: _, ...index } = parseDumpIndex(text.replaceAll(folder, old))
      const bytes = new TextEncoder().encode(serialiseDumpIndex(index))
      await objects.putIfAbsent(withoutEditionIn(to), bytes)
      await objects.delete(location)
    }
  }
}

test('dumps of version 0.1 are moved, and made again of what they have', async () => {
  shop = await openDumpShop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  for (const name of ['a', 'b']) await append(shop, 't', await lake.numbers(shop, name, 0, 10))
  const wishes = [{}, { format: 'ndjson', compression: 'gzip' }, { format: 'parquet' }] as const
  const made = []
  for (const wish of wishes) made.push(await shop.make('t', wish))
  await shop.dumps.settle()
  const files = await list(allDumpsFolder(shop.deps.warehouse))
  await makeOld()
  // Tables that the folder has, too, for it was no name of the service's own.
  const { objects, warehouse } = shop.deps
  const { tableUuid } = (await shop.target('t')).state.definition
  const uuid = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'
  const ofTables = [
    `${warehouse}/dumps/t-${uuid}/data/x.parquet`,
    `${warehouse}/dumps/${uuid}/csv/shards-${uuid}/data/x.parquet`,
    `${warehouse}/dumps/${uuid}/csv/t-${uuid}/metadata/00000-x.metadata.json`,
    `${warehouse}/dumps/${uuid}/parquet/20261101/index.json`,
    `${warehouse}/dumps/${uuid}/parquet/shards/${'0'.repeat(64)}.parquet`,
    `${warehouse}/dumps/${tableUuid}/parquet/20261101/part-0.parquet`,
  ]
  for (const location of ofTables) await objects.putIfAbsent(location, new Uint8Array(1))

  const another = await shop.anotherDumps()
  const moved = await Promise.all([
    moveOldDumps(shop.deps),
    moveOldDumps({ ...another.deps, catalog: shop.deps.catalog }),
  ])
  expect(Math.max(...moved)).toBe(files.length)
  expect(await moveOldDumps(shop.deps)).toBe(0)
  expect(await list(`${warehouse}/dumps`)).toEqual(ofTables.sort())
  expect(await list(allDumpsFolder(warehouse))).toEqual(files.map(withoutEditionIn))
  for (const [i, wish] of wishes.entries()) {
    const index = await finished(another.dumps, await shop.target('t', wish))
    expect(index.earlier).toEqual([{ sha256: made[i]?.index.sha256 }])
    expect(await bytesOf(shop.deps, index)).toEqual(made[i]?.bytes)
  }
  expect(another.counting.exports).toBe(0)
})

test('a file that a table names is never moved', async () => {
  shop = await openDumpShop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  await append(shop, 't', await lake.numbers(shop, 'named', 0, 10))
  const { index } = await shop.make('t')
  await shop.dumps.settle()
  await makeOld()
  const { objects, warehouse } = shop.deps
  const { tableUuid } = index
  const named = `${warehouse}/dumps/${tableUuid}/csv/shards/${'0'.repeat(64)}.csv`
  await objects.putIfAbsent(named, new Uint8Array(1))
  await shop.deps.catalog.paths.addKeys(tableUuid, [named])
  await moveOldDumps(shop.deps)
  expect(await list(`${warehouse}/dumps`)).toEqual([named])
})

test('what a crash left half-moved is moved at the next start', async () => {
  shop = await openDumpShop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  await append(shop, 't', await lake.numbers(shop, 'crash', 0, 10))
  const before = await shop.make('t')
  await shop.dumps.settle()
  await makeOld()
  const { objects, warehouse } = shop.deps
  const shard = (await list(`${warehouse}/dumps`)).find((file) => file.includes('/shards/')) ?? ''
  const there = shard.replace(`${warehouse}/dumps`, allDumpsFolder(warehouse))
  await objects.moveIfAbsent(shard, there)
  // And one that was made again in between.
  await objects.putIfAbsent(shard, await objects.read(there, { bytesMax: 1e6 }))
  await moveOldDumps(shop.deps)
  const another = await shop.anotherDumps()
  const index = await finished(another.dumps, await shop.target('t'))
  expect(await bytesOf(shop.deps, index)).toEqual(before.bytes)
  expect(another.counting.exports).toBe(0)
})
