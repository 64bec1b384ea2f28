import { createReadStream, existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { KEEPS_NOTHING } from '../../../src/core/replay.ts'
import { Purge } from '../../../src/lake/deletion/purge.ts'
import { deletionsModule } from '../../../src/modules/deletions/deletions-module.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { registerTable, unregisterTable } from '../../../src/modules/iceberg-rest/register-table.ts'
import { cloneTable } from '../../../src/modules/tables/clone-table.ts'
import { dropTable, type PurgeChoice } from '../../../src/modules/tables/drop-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { Lake, liveNames } from '../lake.ts'
import { openWorkshop, type Workshop } from '../workshop.ts'

const DAY_MS = 86_400_000
const CALL = {
  keeper: KEEPS_NOTHING,
  authorize: async () => undefined,
  requirePaths: () => undefined,
}
const CLONE = { namespace: ['default'], name: 'c' }

let lake: Lake
let shop: Workshop
let beganMs: number
let path: string
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  // As that of the disk, which says when files were changed.
  beganMs = Date.now()
  shop.setClock(beganMs)
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  const chunks = createReadStream(await lake.numbers(shop, 'a'))
  path = (await uploadFile(shop.deps, { table: 't', chunks })).files[0]?.dataFile.path ?? ''
  await cloneTable(shop.deps, { table: 't', name: 'c' })
})
afterEach(() => shop.close())

function isThere(location: string): boolean {
  return existsSync(location.replace(/^file:\/*/, '/'))
}

const purge = (table: string, when: PurgeChoice = 'now') =>
  dropTable(shop.deps, table, { purge: when })

/** All tasks, each so many days after the beginning. */
async function workOn(...days: readonly number[]): Promise<void> {
  const { signal } = new AbortController()
  for (const day of days) {
    shop.setClock(beganMs + day * DAY_MS)
    for (const task of deletionsModule(shop.deps).tasks ?? []) await task.run(signal)
  }
}

/** Each takes the clone from the catalog, and returns the file that brings it back. */
const LEAVES: Readonly<Record<string, () => Promise<string>>> = {
  dropped: async () => (await purge('c', false)).metadataLocation ?? '',
  unregistered: async () =>
    (await unregisterTable(shop.deps, CLONE, KEEPS_NOTHING)).metadataLocation ?? '',
}

async function bringBack(metadataLocation: string): Promise<void> {
  const json = { name: CLONE.name, 'metadata-location': metadataLocation }
  await registerTable(shop.deps, { namespace: CLONE.namespace, json }, CALL)
}

async function expectWhole(): Promise<void> {
  expect(isThere(path)).toBe(true)
  // Reads its manifests.
  expect(await liveNames(shop, 'c')).toHaveLength(1)
}

describe.each(Object.keys(LEAVES))('a clone that was %s without a purge', (how) => {
  test.each([true, 'now'] as const)(
    'keeps its files in a purge (%s) of its source',
    async (when) => {
      const metadataLocation = (await LEAVES[how]?.()) ?? ''
      const { holders } = await purge('t', when)
      expect(holders).toMatchObject([{ kind: 'dropped-table' }])
      await workOn(2, 4, 10, 12, 20, 30)
      await bringBack(metadataLocation)
      await expectWhole()
    },
  )

  test.each([true, 'now'] as const)('keeps them after a purge (%s) of its source', async (when) => {
    await purge('t', when)
    const metadataLocation = (await LEAVES[how]?.()) ?? ''
    await workOn(2, 4, 10, 12, 20, 30)
    await bringBack(metadataLocation)
    await expectWhole()
  })
})

test('a clone that is dropped while its source is purged keeps its files', async () => {
  let metadataLocation = ''
  const tables = new Proxy(shop.deps.catalog.tables, {
    get: (store, name) => {
      const value = Reflect.get(store, name)
      if (name !== 'drop') return typeof value === 'function' ? value.bind(store) : value
      return async (...given: Parameters<typeof store.drop>) => {
        if (metadataLocation === '') metadataLocation = (await LEAVES['dropped']?.()) ?? ''
        return store.drop(...given)
      }
    },
  })
  const catalog = { ...shop.deps.catalog, tables }
  const report = await dropTable({ ...shop.deps, catalog }, 't', { purge: 'now' })
  expect(report.holders).toMatchObject([{ kind: 'dropped-table' }])
  await workOn(2, 4, 10, 12, 20, 30)
  await bringBack(metadataLocation)
  await expectWhole()
})

/** Data files of what the drop of a table writes down, before anything comes after it. */
async function doomedWith(name: string): Promise<readonly string[]> {
  const state = await shop.deps.catalog.tables.find({ namespace: ['default'], name })
  if (state === undefined) throw new Error(`no table ${name}`)
  const deletions = await new Purge(shop.deps, 'after-grace').prepare(state)
  return deletions.map((deletion) => deletion.path).filter((each) => each.endsWith('.parquet'))
}

test('a drop writes down its files with itself, so that a killed process leaves none', async () => {
  // The clone names it.
  expect(await doomedWith('t')).toEqual([])
  await purge('c')
  expect(await doomedWith('t')).toEqual([path])
})

test('what a dropped clone names is not scheduled', async () => {
  await LEAVES['dropped']?.()
  const { scheduledFiles } = await purge('t', true)
  const due = { nowMs: beganMs + 1_000 * DAY_MS, limit: 1_000 }
  const scheduled = (await shop.deps.catalog.deletions.listDue(due)).map((each) => each.path)
  expect(scheduled).toHaveLength(scheduledFiles)
  expect(scheduledFiles).toBeGreaterThan(0)
  expect(scheduled).not.toContain(path)
})

test('it keeps nothing once it has come back and is purged', async () => {
  await purge('t')
  await bringBack((await purge('c', false)).metadataLocation ?? '')
  expect((await readTable(shop.deps, { table: 'c' })).plan.totals.dataFiles).toBe(1)
  await purge('c')
  expect(isThere(path)).toBe(false)
  await workOn(2, 10, 20, 30, 40)
  const folder = shop.deps.warehouse.replace('file://', '')
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  expect(files.sort()).toEqual(['.moraine-warehouse.json', expect.stringMatching(/^\d+\.json$/)])
})
