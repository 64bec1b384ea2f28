import { createReadStream, existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { KEEPS_NOTHING } from '../../../src/core/replay.ts'
import type { TableState } from '../../../src/core/table/table.ts'
import { abortTransaction, startTransaction } from '../../../src/lake/commit/transactions.ts'
import { unlinkDue } from '../../../src/lake/deletion/unlinker.ts'
import { deletionsModule } from '../../../src/modules/deletions/deletions-module.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { registerTable } from '../../../src/modules/iceberg-rest/register-table.ts'
import { cloneTable } from '../../../src/modules/tables/clone-table.ts'
import { type DropReport, dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { queueOver } from '../compose.ts'
import { Lake } from '../lake.ts'
import { stageFiles } from '../trusted-caller.ts'
import { openWorkshop, type Workshop, type WorkshopDependencies } from '../workshop.ts'
import { oldFile } from './old-file.ts'

const DAY_MS = 86_400_000
const COLUMNS = [{ name: 'n', type: 'long' }]
const CALL = {
  keeper: KEEPS_NOTHING,
  authorize: async () => undefined,
  requirePaths: () => undefined,
}
const WEEK_OLD_MS = 7 * DAY_MS

let lake: Lake
let shop: Workshop
let beganMs: number
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  // As that of the disk, which says when files were changed.
  beganMs = Date.now()
  shop.setClock(beganMs)
  for (const name of ['t', 'u']) await createTable(shop.deps, { name, columns: COLUMNS })
})
afterEach(() => shop.close())

async function upload(table: string, name: string): Promise<string> {
  const chunks = createReadStream(await lake.numbers(shop, name))
  return (await uploadFile(shop.deps, { table, chunks })).files[0]?.dataFile.path ?? ''
}

function isThere(location: string): boolean {
  return existsSync(location.replace(/^file:\/*/, '/'))
}

async function stateOf(table: string): Promise<TableState> {
  return (await readTable(shop.deps, { table })).state
}

async function folderOf(table: string): Promise<string> {
  return (await stateOf(table)).definition.location.replace('file://', '')
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

/** All tasks, each so many days after the beginning. */
async function workOn(...days: readonly number[]): Promise<void> {
  const { signal } = new AbortController()
  for (const day of days) {
    shop.setClock(beganMs + day * DAY_MS)
    for (const task of deletionsModule(shop.deps).tasks ?? []) await task.run(signal)
  }
}

async function bringBack({ state, metadataLocation = '' }: DropReport): Promise<void> {
  const json = { name: state.name, 'metadata-location': metadataLocation }
  await registerTable(shop.deps, { namespace: state.namespace, json }, CALL)
}

/** Drops the table in a process that is killed as soon as its drop has come. */
async function purgeAndDie(table: string, when: true | 'now' = 'now'): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const tables = new Proxy(shop.deps.catalog.tables, {
      get: (store, name) => {
        const value = Reflect.get(store, name)
        if (name !== 'drop') return typeof value === 'function' ? value.bind(store) : value
        return async (...given: Parameters<typeof store.drop>) => {
          await store.drop(...given)
          resolve()
          return new Promise<never>(() => undefined)
        }
      },
    })
    dropTable(over({ tables }), table, { purge: when }).catch(reject)
  })
}

function over(stores: Partial<WorkshopDependencies['catalog']>): WorkshopDependencies {
  const catalog = { ...shop.deps.catalog, ...stores }
  return { ...shop.deps, catalog, commits: queueOver({ ...shop.deps, catalog }) }
}

test.each([true, 'now'] as const)(
  'what a killed purge (%s) and other killed work left goes with the folder',
  async (when) => {
    await upload('t', 'a')
    const folder = await folderOf('t')
    await purgeAndDie('t', when)
    for (const name of ['data/00000-0-x.parquet', 'metadata/manifests/m.avro']) {
      await oldFile(`${folder}/${name}`, 0)
    }
    await workOn(8.1)
    expect(await filesBelow(folder)).toHaveLength(2)
    await workOn(16.2)
    expect(await filesBelow(folder)).toEqual([])
    const query = { dueAtMs: Number.MAX_SAFE_INTEGER, limit: 9 }
    await workOn(30)
    expect(await shop.deps.catalog.deletions.listPurged(query)).toEqual([])
  },
)

test('the mark of a drop goes, also if the purge was killed when it was written', async () => {
  const folder = await folderOf('t')
  const { tableUuid } = (await stateOf('t')).definition
  await purgeAndDie('t')
  const mark = await oldFile(`${folder}/metadata/dropped-${tableUuid}.json`, 0)
  await unlinkDue(shop.deps)
  expect(isThere(mark)).toBe(false)
})

test('what anything names stays for as long, and then goes', async () => {
  const cloned = await upload('t', 'a')
  await cloneTable(shop.deps, { table: 't', name: 'c' })
  const staged = await upload('t', 'b')
  await cloneTable(shop.deps, { table: 't', name: 'd' })
  const folder = await folderOf('t')
  const lost = await oldFile(`${folder}/data/00000-0-lost.parquet`, WEEK_OLD_MS)
  await dropTable(shop.deps, 't', { purge: 'now' })
  const dropped = await dropTable(shop.deps, 'c', { purge: false })
  await dropTable(shop.deps, 'd', { purge: true })
  await workOn(1.1)
  const seven = 7 * 24 * 3_600
  const { transactionId } = await startTransaction(shop.deps, { expiresInSeconds: seven })
  await stageFiles(shop.deps, { table: 'u', transactionId, paths: [staged] })
  await workOn(8)
  expect([cloned, staged, lost].map(isThere)).toEqual([true, true, true])
  await abortTransaction(shop.deps, transactionId)
  await workOn(9.2, 16, 17, 25, 33)
  expect([cloned, staged, lost].map(isThere)).toEqual([true, false, false])
  await bringBack(dropped)
  expect((await readTable(shop.deps, { table: 'c' })).plan.totals.dataFiles).toBe(1)
  await dropTable(shop.deps, 'c', { purge: 'now' })
  await workOn(50, 60)
  expect(await filesBelow(folder)).toEqual([])
})

test('files of a living clone stay, and go with its purge', async () => {
  const path = await upload('t', 'a')
  await cloneTable(shop.deps, { table: 't', name: 'c' })
  await dropTable(shop.deps, 't', { purge: 'now' })
  await workOn(2, 10, 20, 30, 40)
  expect(isThere(path)).toBe(true)
  expect((await readTable(shop.deps, { table: 'c' })).plan.totals.dataFiles).toBe(1)
  await dropTable(shop.deps, 'c', { purge: 'now' })
  expect(isThere(path)).toBe(false)
})

test('a file whose mark a transaction took away and then gave up goes all the same', async () => {
  const path = await upload('t', 'a')
  await dropTable(shop.deps, 't', { purge: true })
  const { transactionId } = await startTransaction(shop.deps, {})
  await stageFiles(shop.deps, { table: 'u', transactionId, paths: [path] })
  await abortTransaction(shop.deps, transactionId)
  await workOn(8.1, 16.2)
  expect(isThere(path)).toBe(false)
})

test('of two purges that find each other, the later deletes what they share', async () => {
  const path = await upload('t', 'a')
  await cloneTable(shop.deps, { table: 't', name: 'c' })
  let isFirst = true
  const tables = new Proxy(shop.deps.catalog.tables, {
    get: (store, name) => {
      const value = Reflect.get(store, name)
      if (name !== 'drop') return typeof value === 'function' ? value.bind(store) : value
      return async (...given: Parameters<typeof store.drop>) => {
        if (isFirst) await dropTable(shop.deps, 'c', { purge: 'now' })
        isFirst = false
        return store.drop(...given)
      }
    },
  })
  const report = await dropTable(over({ tables }), 't', { purge: 'now' })
  expect(isThere(path)).toBe(false)
  expect(report).toMatchObject({ keptFiles: 0, scheduledFiles: 0, holders: [] })
})

/** Each makes `t` one whose folder nobody looks through, and is given a file of it that stays. */
const KEPT: Readonly<Record<string, (folder: string) => Promise<unknown>>> = {
  'a table that was dropped without a purge': () => dropTable(shop.deps, 't', { purge: false }),
  'a table that lives': async () => undefined,
  'a table that is back': async () => {
    await bringBack(await dropTable(shop.deps, 't', { purge: true }))
  },
  'a file of yesterday': async (folder) => {
    await dropTable(shop.deps, 't', { purge: 'now' })
    await oldFile(`${folder}/data/orphan.parquet`, -40 * DAY_MS)
  },
}

test.each(Object.keys(KEPT))('%s: files that nothing names stay', async (name) => {
  await upload('t', 'a')
  const folder = await folderOf('t')
  const path = await oldFile(`${folder}/data/orphan.parquet`, WEEK_OLD_MS)
  await KEPT[name]?.(folder)
  await workOn(2, 10, 18, 26, 34)
  expect(isThere(path)).toBe(true)
})

test('a folder that others may use is not looked through', async () => {
  const location = `${shop.deps.warehouse}/chosen`
  await createTable(shop.deps, { name: 'chosen', columns: COLUMNS, location })
  const folder = location.replace('file://', '')
  const path = await oldFile(`${folder}/data/of-others.parquet`, WEEK_OLD_MS)
  const own = await upload('chosen', 'a')
  await dropTable(shop.deps, 'chosen', { purge: 'now' })
  await workOn(2, 10, 18, 26)
  expect([path, own].map(isThere)).toEqual([true, false])
})

// biome-ignore lint/correctness/useYield: it fails first
async function* failingList(): AsyncGenerator<never> {
  throw new Error('the disk fails')
}

test('a folder that cannot be listed is tried again an hour later', async () => {
  const { location, tableUuid } = (await stateOf('t')).definition
  const folder = location.replace('file://', '')
  await dropTable(shop.deps, 't', { purge: 'now' })
  const path = await oldFile(`${folder}/data/orphan.parquet`, WEEK_OLD_MS)
  const { signal } = new AbortController()
  const objects = new Proxy(shop.deps.objects, {
    get: (store, name) => {
      if (name === 'list') return failingList
      const value = Reflect.get(store, name)
      return typeof value === 'function' ? value.bind(store) : value
    },
  })
  const sweep = (deps: WorkshopDependencies) =>
    deletionsModule(deps)
      .tasks?.find(({ name }) => name === 'look through folders of purged tables')
      ?.run(signal)
  shop.setClock(beganMs + 2 * DAY_MS)
  await sweep({ ...shop.deps, objects } as WorkshopDependencies)
  const { deletions } = shop.deps.catalog
  expect(await deletions.count(tableUuid)).toBe(0)
  shop.setClock(beganMs + 2 * DAY_MS + 3_600_001)
  await sweep(shop.deps)
  expect(await deletions.count(tableUuid)).toBe(1)
  expect(isThere(path)).toBe(true)
})
