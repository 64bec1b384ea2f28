import { createReadStream, existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../../src/config.ts'
import { CatalogError } from '../../../src/core/errors.ts'
import { beginGeneration, markNewer } from '../../../src/lake/deletion/generation.ts'
import { unlinkDue } from '../../../src/lake/deletion/unlinker.ts'
import { deletionsModule } from '../../../src/modules/deletions/deletions-module.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { openPlatform, type Platform } from '../../../src/service.ts'
import { changedStore } from '../../modules/exports/changed-store.ts'
import { Lake } from '../lake.ts'
import { sharedEngine } from '../shared-engine.ts'
import { commitFiles } from '../trusted-caller.ts'

const DAY_MS = 86_400_000
const COLUMNS = [{ name: 'n', type: 'long' }]

let lake: Lake
let home: string
let nowMs: number
let warnings: Record<string, unknown>[]
let platform: Platform
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'moraine-generation-'))
  nowMs = Date.now()
  warnings = []
  platform = await open()
})
afterEach(async () => {
  await platform.close()
  await rm(home, { recursive: true, force: true })
})

function open(): Promise<Platform> {
  return openPlatform(readConfig({ MORAINE_HOME: home }), {
    ambient: { nowMs: () => nowMs },
    log: { warn: (facts, message) => warnings.push({ ...facts, message }) },
    inThreads: false,
    wrapEngine: () => sharedEngine,
  })
}

async function again(between: () => Promise<unknown> = async () => undefined): Promise<void> {
  await platform.close()
  await between()
  platform = await open()
}

/** Makes a table of one file; returns the file. */
async function upload(table: string): Promise<string> {
  await createTable(platform, { name: table, columns: COLUMNS })
  const made = await lake.write(join(home, 'made.parquet'), 'SELECT 7::BIGINT AS n')
  const report = await uploadFile(platform, { table, chunks: createReadStream(made) })
  return report.files[0]?.dataFile.path ?? ''
}

/** All tasks that delete, so many days from the beginning. */
async function workOn(day: number): Promise<void> {
  nowMs = Date.now() + day * DAY_MS
  for (const task of deletionsModule(platform).tasks ?? []) {
    await task.run(new AbortController().signal)
  }
}

const isThere = (location: string) => existsSync(location.replace('file://', ''))
const marks = () => readdir(join(home, 'warehouse/.moraine-generation'))
const catalog = () => join(home, 'catalog.db')
const copy = () => join(home, 'copy.db')

test('a catalog that was put back deletes nothing for a full grace', async () => {
  const path = await upload('a')
  await createTable(platform, { name: 'b', columns: COLUMNS })
  await dropTable(platform, 'a', { purge: true })
  await again(() => copyFile(catalog(), copy()))
  await workOn(0)
  await commitFiles(platform, { table: 'b', paths: [path] })
  await workOn(9)
  expect(isThere(path)).toBe(true)

  await again(() => copyFile(copy(), catalog()))
  warnings = []
  await workOn(9)
  expect(warnings).toMatchObject([{ message: expect.stringMatching(/^the catalog is older than/) }])
  await workOn(9 + 6)
  expect(isThere(path)).toBe(true)
  // It counts on from there, and is the newest now.
  await again()
  await workOn(9 + 8)
  expect(warnings).toHaveLength(1)
  expect(isThere(path)).toBe(false)
})

test('a purge at once in a catalog that was put back waits, too, and says so', async () => {
  const path = await upload('a')
  await again(() => copyFile(catalog(), copy()))
  await workOn(0)
  await again(() => copyFile(copy(), catalog()))
  const report = await dropTable(platform, 'a', { purge: 'now' })
  expect(report).toMatchObject({ deletedFiles: 0, scheduledFiles: expect.any(Number) })
  expect(report.scheduledFiles).toBeGreaterThan(0)
  expect(isThere(path)).toBe(true)
})

test('one mark is left, and two processes are not older than each other', async () => {
  const other = await open()
  for (const each of [platform, other, platform]) await unlinkDue(each)
  await Promise.all([platform, other, platform, other].map((each) => beginGeneration(each)))
  const last = await beginGeneration(other)
  expect(warnings).toEqual([])
  expect(await marks()).toEqual([`${last}.json`])
  await other.close()
})

test('of very many at once each may delete, and one or more have counted', async () => {
  const counted = await Promise.all(Array.from({ length: 40 }, () => beginGeneration(platform)))
  expect(Math.min(...counted)).toBeGreaterThan(0)
  const last = await beginGeneration(platform)
  expect(last).toBeGreaterThan(Math.max(...counted))
  expect(await marks()).toEqual([`${last}.json`])
})

test.each(['storage-full', 'location-not-allowed'] as const)(
  'where the mark cannot be written (%s), files are deleted all the same',
  async (code) => {
    const path = await upload('a')
    await dropTable(platform, 'a', { purge: true })
    nowMs += 9 * DAY_MS
    const objects = changedStore(platform.objects, {
      putIfAbsent: async () => {
        throw new CatalogError(code, 'no')
      },
    })
    await unlinkDue({ ...platform, objects })
    expect(isThere(path)).toBe(false)
    expect(warnings).toMatchObject([{ message: expect.stringContaining('cannot be written') }])
    await unlinkDue(platform)
    expect(await marks()).toEqual(['2.json'])
  },
)

test('without its warehouse a catalog counts nothing and writes no mark', async () => {
  await rm(join(home, 'warehouse'), { recursive: true })
  await mkdir(join(home, 'warehouse'))
  await expect(unlinkDue(platform)).rejects.toMatchObject({ code: 'warehouse-unavailable' })
  expect(await readdir(join(home, 'warehouse'))).toEqual([])
  expect(await platform.catalog.settings.find('generation')).toBeUndefined()
})

test('where others count all the time, nothing is deleted', async () => {
  const path = await upload('a')
  await dropTable(platform, 'a', { purge: true })
  nowMs += 9 * DAY_MS
  const { deletions } = platform.catalog
  const busy = { ...deletions, beginGeneration: async () => false }
  const refused = unlinkDue({ ...platform, catalog: { ...platform.catalog, deletions: busy } })
  await expect(refused).rejects.toMatchObject({ code: 'overloaded' })
  expect(isThere(path)).toBe(true)
})

test('a mark of a restore is later than all in the warehouse and in the backup', async () => {
  await markNewer(platform, 0)
  await markNewer(platform, 7)
  expect(await beginGeneration(platform)).toBe(9)
  expect(warnings).toHaveLength(1)
  expect(await marks()).toEqual(['9.json'])
})
