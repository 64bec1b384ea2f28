import { createReadStream, existsSync } from 'node:fs'
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { jest } from '@jest/globals'
import { CatalogError } from '../../../src/core/errors.ts'
import type { CommitQueue, PendingTransaction } from '../../../src/lake/commit/commit-queue.ts'
import {
  abortTransaction,
  commitTransaction,
  forgetOldTransactions,
  startTransaction,
} from '../../../src/lake/commit/transactions.ts'
import { sweepUnfinished } from '../../../src/lake/deletion/sweep-unfinished.ts'
import { unlinkDue } from '../../../src/lake/deletion/unlinker.ts'
import { deletionsModule } from '../../../src/modules/deletions/deletions-module.ts'
import { sweepFailedDumps } from '../../../src/modules/dumps/failed-dumps.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { definitionOf, newTable, stateOf } from '../../catalog/catalog-samples.ts'
import { Lake } from '../lake.ts'
import { commitFiles, stageFiles } from '../trusted-caller.ts'
import { openWorkshop, START_MS, type Workshop } from '../workshop.ts'
import { oldFile } from './old-file.ts'

const DAY_MS = 86_400_000
const { signal } = new AbortController()

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
})
afterEach(() => shop.close())

async function uploadTo(transactionId: string, name: string): Promise<string> {
  const chunks = createReadStream(await lake.numbers(shop, name))
  const { files } = await uploadFile(shop.deps, { table: 't', transactionId, chunks })
  return files[0]?.dataFile.path ?? ''
}

function isThere(location: string): boolean {
  return existsSync(location.replace('file://', ''))
}

test('uploads of an aborted transaction go after the grace, files given by path stay', async () => {
  const { transactionId } = await startTransaction(shop.deps, {})
  const uploaded = await uploadTo(transactionId, 'a')
  const { state } = await readTable(shop.deps, { table: 't' })
  const given = `${state.definition.location.replace('file://', '')}/data/mine.parquet`
  await lake.write(given, 'SELECT 1::BIGINT AS n')
  await stageFiles(shop.deps, { table: 't', transactionId, paths: [given] })
  await abortTransaction(shop.deps, transactionId)
  await unlinkDue(shop.deps)
  expect(isThere(uploaded)).toBe(true)
  shop.setClock(START_MS + 7 * DAY_MS + 1)
  await unlinkDue(shop.deps)
  expect([uploaded, given].map(isThere)).toEqual([false, true])
})

test.each(['aborted', 'expired'])(
  '%s: uploads of a dropped table given by path stay',
  async (end) => {
    const chunks = createReadStream(await lake.numbers(shop, 'a'))
    const [file] = (await uploadFile(shop.deps, { table: 't', chunks })).files
    const path = file?.dataFile.path ?? ''
    await dropTable(shop.deps, 't', { purge: false })
    await createTable(shop.deps, { name: 'u', columns: [{ name: 'n', type: 'long' }] })
    const { transactionId } = await startTransaction(shop.deps, { expiresInSeconds: 60 })
    await stageFiles(shop.deps, { table: 'u', transactionId, paths: [path] })
    if (end === 'aborted') await abortTransaction(shop.deps, transactionId)
    shop.setClock(START_MS + 8 * DAY_MS)
    expect(await forgetOldTransactions(shop.deps)).toBeGreaterThan(0)
    await unlinkDue(shop.deps)
    expect(isThere(path)).toBe(true)
  },
)

test('uploads of an expired transaction go when it is forgotten', async () => {
  const { transactionId } = await startTransaction(shop.deps, { expiresInSeconds: 60 })
  const uploaded = await uploadTo(transactionId, 'a')
  const committed = await startTransaction(shop.deps, { expiresInSeconds: 60 })
  shop.setClock(START_MS + 7 * DAY_MS + 59_000)
  await forgetOldTransactions(shop.deps)
  await unlinkDue(shop.deps)
  expect(isThere(uploaded)).toBe(true)
  shop.setClock(START_MS + 7 * DAY_MS + 61_000)
  expect(await forgetOldTransactions(shop.deps)).toBe(2)
  expect(await shop.deps.catalog.transactions.find(committed.transactionId)).toBeUndefined()
  await unlinkDue(shop.deps)
  expect(isThere(uploaded)).toBe(false)
})

test('what crashes left half-made goes when it is a day old, and nothing else', async () => {
  shop.setClock(Date.now())
  const { state } = await readTable(shop.deps, { table: 't' })
  const folder = state.definition.location.replace('file://', '')
  const temporary = (uuid: string) => `.moraine-00000000-0000-4000-8000-${uuid}.tmp`
  const uploadOf = (n: number) => `00000000-0000-4000-8000-00000000000${n}.parquet`
  const named = async (path: string) => {
    const { tableUuid } = state.definition
    const added = { ...state, version: state.version + 1 }
    const commit = { expectedVersion: state.version, state: added, addedPaths: [`file://${path}`] }
    const tables = [{ ...commit, newSnapshots: [], newLogEntries: [] }]
    await shop.deps.catalog.tables.commit({ tables, transactions: [] })
    expect(await shop.deps.catalog.paths.findKnown(tableUuid, commit.addedPaths)).toHaveProperty(
      'size',
      1,
    )
    return path
  }
  const old = [
    await oldFile(join(folder, 'data', temporary('000000000001')), DAY_MS + 60_000),
    await oldFile(join(folder, 'data/incoming', uploadOf(1)), DAY_MS + 60_000),
  ]
  const kept = [
    await oldFile(join(folder, 'data', temporary('000000000002')), DAY_MS - 60_000),
    await oldFile(join(folder, 'data/incoming', uploadOf(2)), DAY_MS - 60_000),
    await oldFile(join(folder, 'data/z.parquet'), 9 * DAY_MS),
    // Of somebody who has a folder of this name.
    await oldFile(join(folder, 'data/incoming/orders.csv'), 9 * DAY_MS),
    await oldFile(join(folder, 'data/incoming/2026', uploadOf(3)), 9 * DAY_MS),
    await named(await oldFile(join(folder, 'data/incoming', uploadOf(4)), 9 * DAY_MS)),
    await oldFile(join(folder, 'data/incoming/orders.parquet'), 9 * DAY_MS),
    await oldFile(join(folder, 'data', `x${temporary('000000000003')}`), 9 * DAY_MS),
  ]
  const swept: number[] = []
  const sweepTemporaryFolders = async (idleMs: number) => {
    swept.push(idleMs)
  }
  await sweepUnfinished({ ...shop.deps, sweepTemporaryFolders }, signal)
  expect([old.map(isThere), kept.map(isThere)]).toEqual([[false, false], Array(8).fill(true)])
  expect(swept).toEqual([DAY_MS])
})

test('an upload that was never placed is staged by nobody once it is being deleted', async () => {
  shop.setClock(Date.now())
  const { state } = await readTable(shop.deps, { table: 't' })
  const folder = state.definition.location.replace('file://', '')
  const names = ['1', '2'].map((n) => `00000000-0000-4000-8000-00000000000${n}.parquet`)
  const paths = names.map((name) => join(folder, 'data/incoming', name))
  for (const path of paths) {
    await lake.write(path, 'SELECT 1::BIGINT AS n')
    const at = new Date(Date.now() - DAY_MS - 60_000)
    await utimes(path, at, at)
  }
  const { transactionId } = await startTransaction(shop.deps, {})
  const stageBoth = () =>
    Promise.allSettled(
      paths.map((path) => stageFiles(shop.deps, { table: 't', transactionId, paths: [path] })),
    )
  const { objects } = shop.deps
  const outcomes: PromiseSettledResult<unknown>[] = []
  const meanwhile = {
    list: objects.list.bind(objects),
    deleteEmptyFolders: objects.deleteEmptyFolders.bind(objects),
    deleteUnfinished: objects.deleteUnfinished.bind(objects),
    delete: async (...request: Parameters<typeof objects.delete>) => {
      if (outcomes.length === 0) outcomes.push(...(await stageBoth()))
      await objects.delete(...request)
    },
  }
  await sweepUnfinished({ ...shop.deps, objects: meanwhile }, signal)
  const staged = outcomes.map(({ status }) => status === 'fulfilled')
  expect(staged.toSorted()).toEqual([false, true])
  expect(paths.map(isThere)).toEqual(staged)
  const refused = outcomes.find(({ status }) => status === 'rejected')
  expect(refused).toMatchObject({ reason: { code: 'file-being-deleted' } })
  // What was named in between is left alone, and to be deleted no more.
  shop.setClock(Date.now() + 30 * DAY_MS)
  await unlinkDue(shop.deps)
  expect(paths.map(isThere)).toEqual(staged)
})

test('nor does one go whose table is dropped, with its files, while it is looked for', async () => {
  shop.setClock(Date.now())
  const { state } = await readTable(shop.deps, { table: 't' })
  const folder = state.definition.location.replace('file://', '')
  const path = join(folder, 'data/incoming', '00000000-0000-4000-8000-000000000003.parquet')
  await lake.write(path, 'SELECT 1::BIGINT AS n')
  const at = new Date(Date.now() - DAY_MS - 60_000)
  await utimes(path, at, at)
  await createTable(shop.deps, { name: 'u', columns: [{ name: 'n', type: 'long' }] })
  const { transactionId } = await startTransaction(shop.deps, {})
  await stageFiles(shop.deps, { table: 'u', transactionId, paths: [path] })
  await commitTransaction(shop.deps, transactionId)
  const { deletions } = shop.deps.catalog
  const add = deletions.add.bind(deletions)
  const told = jest.spyOn(deletions, 'add').mockImplementationOnce(async (rows) => {
    await dropTable(shop.deps, 'u', { purge: false })
    return await add(rows)
  })
  await sweepUnfinished(shop.deps, signal)
  expect(told).toHaveBeenCalled()
  expect(isThere(path)).toBe(true)
})

/** Uploads a file as a process that is killed before its commit: nothing of it goes on. */
async function killedUpload(name: string): Promise<string> {
  const chunks = createReadStream(await lake.numbers(shop, name))
  const placed = await new Promise<string>((resolve, reject) => {
    const commits = {
      commit: ({ changes }: PendingTransaction) => {
        resolve(changes[0]?.addedFiles[0]?.dataFile.path ?? '')
        return new Promise<never>(() => undefined)
      },
    } as unknown as CommitQueue
    uploadFile({ ...shop.deps, commits }, { table: 't', chunks }).catch(reject)
  })
  return placed
}

test('uploads killed before their commit go, if nothing has named them since', async () => {
  const [lost, named, staged] = [
    await killedUpload('a'),
    await killedUpload('b'),
    await killedUpload('c'),
  ]
  const chunks = createReadStream(await lake.numbers(shop, 'd'))
  const { files } = await uploadFile(shop.deps, { table: 't', chunks })
  const committed = files.map(({ dataFile }) => dataFile.path)
  await commitFiles(shop.deps, { table: 't', paths: [named] })
  shop.setClock(START_MS + 8 * DAY_MS - 1)
  const { transactionId } = await startTransaction(shop.deps, { expiresInSeconds: 604_800 })
  await stageFiles(shop.deps, { table: 't', transactionId, paths: [staged] })
  await unlinkDue(shop.deps)
  expect([lost, named, staged, ...committed].map(isThere)).toEqual([true, true, true, true])
  shop.setClock(START_MS + 8 * DAY_MS + 1)
  await unlinkDue(shop.deps)
  expect([lost, named, staged, ...committed].map(isThere)).toEqual([false, true, true, true])
})

test('a file goes for no name, also not one as the service gives to uploads', async () => {
  const { state } = await readTable(shop.deps, { table: 't' })
  // Copied a day after the table was made, to be added by path some day.
  const folder = `${state.definition.location.replace('file://', '')}/data/as_at_20240101T000000Z`
  const name = 'data-0000-00000000-0000-4000-8000-000000000001.parquet'
  const copied = await oldFile(`${folder}/${name}`, -DAY_MS)
  const { tasks = [] } = deletionsModule(shop.deps)
  for (const days of [3, 11, 30]) {
    shop.setClock(Date.now() + days * DAY_MS)
    for (const task of tasks) await task.run(signal)
  }
  expect(isThere(copied)).toBe(true)
})

test('a refused upload leaves nothing, and nothing to be deleted', async () => {
  const chunks = createReadStream(await lake.numbers(shop, 'a'))
  const commits = {
    commit: () => Promise.reject(new CatalogError('commit-conflict', 'lost')),
  } as unknown as CommitQueue
  const refused = uploadFile({ ...shop.deps, commits }, { table: 't', chunks })
  await expect(refused).rejects.toMatchObject({ code: 'commit-conflict' })
  const { tableUuid } = (await readTable(shop.deps, { table: 't' })).state.definition
  expect(await shop.deps.catalog.deletions.count(tableUuid)).toBe(0)
})

test('a refused upload whose file could not be removed is still to be deleted', async () => {
  const chunks = createReadStream(await lake.numbers(shop, 'a'))
  const commits = {
    commit: () => Promise.reject(new CatalogError('commit-conflict', 'lost')),
  } as unknown as CommitQueue
  const objects = new Proxy(shop.deps.objects, {
    get: (store, name) => {
      if (name === 'delete') return () => Promise.reject(new Error('the disk fails'))
      const value = Reflect.get(store, name)
      return typeof value === 'function' ? value.bind(store) : value
    },
  })
  const refused = uploadFile({ ...shop.deps, objects, commits }, { table: 't', chunks })
  await expect(refused).rejects.toMatchObject({ code: 'commit-conflict' })
  const { state } = await readTable(shop.deps, { table: 't' })
  expect(await shop.deps.catalog.deletions.count(state.definition.tableUuid)).toBe(1)
})

test('what an open transaction has staged stays, also where uploads arrive', async () => {
  const { state } = await readTable(shop.deps, { table: 't' })
  const folder = `${state.definition.location.replace('file://', '')}/data/incoming`
  const path = join(folder, '00000000-0000-4000-8000-000000000009.parquet')
  await lake.write(path, 'SELECT 1::BIGINT AS n')
  const at = new Date(Date.now() - 9 * DAY_MS)
  await utimes(path, at, at)
  shop.setClock(Date.now())
  const { transactionId } = await startTransaction(shop.deps, {})
  await stageFiles(shop.deps, { table: 't', transactionId, paths: [path] })
  await sweepUnfinished(shop.deps, signal)
  expect(isThere(path)).toBe(true)
})

test('what a killed upload left goes with the purge of its table, a day later', async () => {
  shop.setClock(Date.now())
  const { state } = await readTable(shop.deps, { table: 't' })
  const incoming = `${state.definition.location.replace('file://', '')}/data/incoming`
  const uploadOf = (n: number) => `${incoming}/00000000-0000-4000-8000-00000000000${n}.parquet`
  const [lost, named] = [await oldFile(uploadOf(1), DAY_MS), uploadOf(2)]
  await lake.write(named, 'SELECT 1::BIGINT AS n')
  await createTable(shop.deps, { name: 'u', columns: [{ name: 'n', type: 'long' }] })
  await commitFiles(shop.deps, { table: 'u', paths: [named] })
  const others = await oldFile(`${incoming}/orders.parquet`, 9 * DAY_MS)
  await dropTable(shop.deps, 't', { purge: 'now' })
  shop.setClock(Date.now() + 8 * DAY_MS - 60_000)
  await unlinkDue(shop.deps)
  expect([lost, named, others].map(isThere)).toEqual([true, true, true])
  shop.setClock(Date.now() + 8 * DAY_MS + 60_000)
  await unlinkDue(shop.deps)
  expect([lost, named, others].map(isThere)).toEqual([false, true, true])
})

test('outside of the warehouse only empty folders of tables that are gone go', async () => {
  shop.setClock(Date.now())
  const outside = `file://${shop.dataFolder}/outside`
  const make = async (folder: string) => {
    await shop.deps.objects.makeFolder(`${outside}/${folder}`)
    const at = new Date(Date.now() - 9 * DAY_MS)
    await utimes(`${outside}/${folder}`.replace('file://', ''), at, at)
  }
  const { tables } = shop.deps.catalog
  for (const name of ['gone', 'living']) {
    const definition = { ...definitionOf(), location: `${outside}/${name}` }
    await tables.create(newTable(stateOf(name, { definition })))
    const { tableUuid } = definition
    if (name === 'gone') await tables.drop({ tableUuid, expectedVersion: 0 })
  }
  for (const folder of ['gone/data', 'living/data', 'of-others/data']) await make(folder)
  await sweepUnfinished({ ...shop.deps, writableLocations: [outside] }, signal)
  const left = ['gone', 'living', 'of-others'].map((name) => isThere(`${outside}/${name}/data`))
  expect(left).toEqual([false, true, true])
})

test('empty folders go when nothing lives there and nothing has come for a day', async () => {
  shop.setClock(Date.now())
  const { warehouse } = shop.deps
  const make = async (folder: string, ageMs: number) => {
    await shop.deps.objects.makeFolder(folder)
    const at = new Date(Date.now() - ageMs)
    await utimes(folder.replace('file://', ''), at, at)
    return folder
  }
  const { state } = await readTable(shop.deps, { table: 't' })
  const kept = [
    await make(`${state.definition.location}/data`, 9 * DAY_MS),
    await make(`${warehouse}/ab/new-1/data`, DAY_MS - 60_000),
    await make(`${warehouse}/.dumps/uuid/csv`, 9 * DAY_MS),
  ]
  const staged = [
    await make(`${warehouse}/cd/staged-1/data`, DAY_MS + 60_000),
    await make(`${warehouse}/cd/staged-1/metadata`, DAY_MS + 60_000),
  ]
  await sweepUnfinished(shop.deps, signal)
  expect([staged.map(isThere), kept.map(isThere)]).toEqual([
    [false, false],
    [true, true, true],
  ])
  const emptied = await make(`${warehouse}/cd/staged-1`, DAY_MS + 60_000)
  await sweepUnfinished(shop.deps, signal)
  expect(isThere(emptied)).toBe(false)
  // A table may come to a folder that was swept.
  await shop.deps.objects.makeFolder(staged[0] ?? '')
  expect(isThere(staged[0] ?? '')).toBe(true)
})

test('shards that no dump has go when they are a day old', async () => {
  const nowMs = Date.now()
  shop.setClock(nowMs)
  const shards = `${shop.deps.warehouse.replace('file://', '')}/.dumps/uuid/csv/shards`
  const old = await oldFile(join(shards, 'old.csv'), DAY_MS + 60_000)
  const fresh = await oldFile(join(shards, 'new.csv'), DAY_MS - 60_000)
  const lease = {
    name: `dump ${shop.deps.warehouse}/.dumps/uuid/csv`,
    owner: 'another process',
    ...{ nowMs, durationMs: 10_000 },
  }
  const held = await shop.deps.catalog.leases.acquire(lease)
  await sweepFailedDumps(shop.deps, signal)
  expect([old, fresh].map(isThere)).toEqual([true, true])
  if (held.outcome !== 'acquired') throw new Error('somebody has the lease')
  const { fencingToken } = held
  await shop.deps.catalog.leases.release({ ...lease, fencingToken })
  await sweepFailedDumps(shop.deps, signal)
  expect([old, fresh].map(isThere)).toEqual([false, true])
})
