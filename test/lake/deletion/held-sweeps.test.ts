import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ViewState } from '../../../src/catalog/view-store.ts'
import type { ViewMetadata } from '../../../src/core/metadata/view-metadata.ts'
import { sweepUnfinished } from '../../../src/lake/deletion/sweep-unfinished.ts'
import { holdDeletions } from '../../../src/lake/jobs/held-deletions.ts'
import { sweepFailedDumps } from '../../../src/modules/dumps/failed-dumps.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { deleteOldViewMetadata } from '../../../src/modules/views/old-view-metadata.ts'
import { openWorkshop, type Workshop } from '../workshop.ts'
import { oldFile } from './old-file.ts'

const OLD_MS = 2 * 86_400_000
const { signal } = new AbortController()

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  shop.setClock(Date.now())
})
afterEach(() => shop.close())

/** What a sweep deletes, and the sweep. */
type Swept = () => Promise<{ readonly path: string; sweep(): Promise<void> }>

const SWEEPS: Readonly<Record<string, Swept>> = {
  'uploads that never came': async () => {
    const { state } = await readTable(shop.deps, { table: 't' })
    const folder = state.definition.location.replace('file://', '')
    const path = await oldFile(join(folder, 'data/incoming', `${randomUUID()}.parquet`), OLD_MS)
    return { path, sweep: () => sweepUnfinished(shop.deps, signal) }
  },
  'folders of engines that ended': async () => {
    const path = await oldFile(join(shop.dataFolder, 'engine'), OLD_MS)
    const sweepTemporaryFolders = () => rm(path, { force: true })
    return { path, sweep: () => sweepUnfinished({ ...shop.deps, sweepTemporaryFolders }, signal) }
  },
  'shards of dumps that failed': async () => {
    const { warehouse } = shop.deps
    const path = await oldFile(
      `${warehouse.replace('file://', '')}/.dumps/uuid/csv/shards/a.csv`,
      OLD_MS,
    )
    return { path, sweep: () => sweepFailedDumps(shop.deps, signal) }
  },
  'old metadata files of views': async () => {
    const viewUuid = randomUUID()
    const folder = `${shop.deps.warehouse.replace('file://', '')}/views/metadata`
    const nameOf = (n: number) => `${String(n).padStart(5, '0')}-${randomUUID()}.metadata.json`
    const text = JSON.stringify({ 'view-uuid': viewUuid, location: 'x' })
    const path = await oldFile(join(folder, nameOf(3)), OLD_MS, text)
    const metadataLocation = `file://${folder}/${nameOf(200)}`
    const state = { viewUuid, version: 200, metadataLocation } as unknown as ViewState
    const metadata = { properties: {} } as unknown as ViewMetadata
    return { path, sweep: () => deleteOldViewMetadata(shop.deps, state, metadata) }
  },
}

test.each(Object.keys(SWEEPS))('%s stay for as long as somebody holds deletions', async (name) => {
  const made = await SWEEPS[name]?.()
  if (made === undefined) throw new Error('there is no such sweep')
  const { path, sweep } = made
  const lease = await holdDeletions(shop.deps, signal)
  if (lease === undefined) throw new Error('somebody else holds deletions')
  await sweep()
  expect(existsSync(path)).toBe(true)
  await lease.release()
  await sweep()
  expect(existsSync(path)).toBe(false)
})
