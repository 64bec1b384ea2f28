import { createReadStream, existsSync } from 'node:fs'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import type { FileHold } from '../../../src/catalog/hold/hold-store.ts'
import { LEASE_MS } from '../../../src/core/limits.ts'
import type { TableState } from '../../../src/core/table/table.ts'
import { FileHolds, type ReadSnapshot } from '../../../src/lake/deletion/file-holds.ts'
import { unlinkDue } from '../../../src/lake/deletion/unlinker.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { refusal } from '../../refusal.ts'
import { changed, withStore } from '../failing-disk.ts'
import { append, Lake } from '../lake.ts'
import { openWorkshop, START_MS, type Workshop, type WorkshopDependencies } from '../workshop.ts'

const HOUR_MS = 3_600_000
const READER = { kind: 'export', name: 'agency' } as const

let lake: Lake
let shop: Workshop
/** A file of the table `t`, below its location. */
let file: string
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  for (const name of ['t', 'u']) {
    await createTable(shop.deps, { name, columns: [{ name: 'n', type: 'long' }] })
  }
  const chunks = createReadStream(await lake.numbers(shop, 'a'))
  file = (await uploadFile(shop.deps, { table: 't', chunks })).files[0]?.dataFile.path ?? ''
})
afterEach(() => shop.close())

const isThere = () => existsSync(file.replace('file://', ''))
const purge = (table = 't') => dropTable(shop.deps, table, { purge: 'now' })
const listed = () => shop.deps.catalog.holds.list(START_MS)

async function find(name: string): Promise<TableState> {
  const state = await shop.deps.catalog.tables.find({ namespace: ['default'], name })
  if (state === undefined) throw new Error(`no table ${name}`)
  return state
}

async function readNow(name = 't'): Promise<ReadSnapshot> {
  const state = await find(name)
  return { state, snapshot: state.currentSnapshot }
}

/** As another process writes it. */
async function holdOf(name = 't'): Promise<FileHold> {
  const { definition, currentSnapshot: snapshot } = await find(name)
  const { tableUuid } = definition
  const { snapshotId = 0n, manifestList = '' } = snapshot ?? {}
  return { holdId: 'another', tableUuid, snapshotId, manifestList, ...READER }
}

test('what the database takes as long to write as a hold lasts is written anew', async () => {
  let writes = 0
  const keep = async (holds: readonly FileHold[], expiresAtMs: number) => {
    writes++
    // The first waits for a busy database.
    if (writes === 1) shop.setClock(START_MS + LEASE_MS)
    await shop.deps.catalog.holds.keep(holds, expiresAtMs)
  }
  const catalog = withStore(shop.deps.catalog, 'holds', { keep })
  const holds = new FileHolds({ ...shop.deps, catalog })
  const held = await holds.hold(READER, [await readNow()])
  expect((await purge()).holders).toMatchObject([{ kind: 'export', name: 'agency' }])
  expect([writes, isThere()]).toEqual([2, true])
  await held.release()
})

test('a snapshot whose id is given again is held beside the one that had it', async () => {
  const { holds } = shop.deps
  const { state, snapshot } = await readNow()
  if (snapshot === undefined) throw new Error('no snapshot')
  const again = { ...snapshot, manifestList: `${snapshot.manifestList}-again` }
  const first = await holds.hold(READER, [{ state, snapshot }])
  const second = await holds.hold(READER, [{ state, snapshot: again }])
  const lists = (await listed()).map(({ manifestList }) => manifestList)
  expect(lists.sort()).toEqual([snapshot.manifestList, again.manifestList])
  await first.release()
  await second.release()
  expect(await listed()).toEqual([])
})

test('files of what is read stay until the last reader ends, and the reader is named', async () => {
  const { holds } = shop.deps
  const first = await holds.hold(READER, [await readNow()])
  const second = await holds.hold(READER, [await readNow()])
  expect(await listed()).toHaveLength(1)
  const report = await purge()
  expect(report.holders).toMatchObject([{ kind: 'export', name: 'agency' }])
  // The data file, its manifest and the list of it.
  expect([report.holders[0]?.files, report.scheduledFiles]).toEqual([3, 3])
  await first.release()
  await first.release()
  shop.setClock(START_MS + HOUR_MS)
  await shop.deps.catalog.holds.keep(await listed(), START_MS + 2 * HOUR_MS)
  await unlinkDue(shop.deps)
  expect(isThere()).toBe(true)
  await second.release()
  expect(await listed()).toEqual([])
  shop.setClock(START_MS + 2 * HOUR_MS)
  await unlinkDue(shop.deps)
  expect(isThere()).toBe(false)
})

test('each reader holds each of its snapshots, and others theirs', async () => {
  await append(shop, 'u', await lake.numbers(shop, 'b'))
  const reads = [await readNow(), await readNow('u')]
  const both = await shop.deps.holds.hold(READER, reads)
  const other = await shop.deps.holds.hold({ ...READER, name: 'crm' }, [await readNow('u')])
  expect(await listed()).toHaveLength(3)
  await both.release()
  expect(await listed()).toMatchObject([{ kind: 'export', name: 'crm' }])
  await other.release()
})

test('what a killed process read is held for the length of a lease', async () => {
  await shop.deps.catalog.holds.keep([await holdOf()], START_MS + LEASE_MS)
  expect((await purge()).holders).toMatchObject([{ kind: 'export', name: 'agency', files: 3 }])
  expect(isThere()).toBe(true)
  shop.setClock(START_MS + HOUR_MS)
  await unlinkDue(shop.deps)
  expect(isThere()).toBe(false)
})

test('a hold is renewed while it lasts', async () => {
  const { catalog } = shop.deps
  const kept: number[] = []
  let isRenewed: () => void = () => undefined
  const renewed = new Promise<void>((resolve) => {
    isRenewed = resolve
  })
  const store = changed(catalog.holds, {
    keep: async (holds, expiresAtMs) => {
      await catalog.holds.keep(holds, expiresAtMs)
      if (kept.push(expiresAtMs) === 2) isRenewed()
    },
  })
  const holds = new FileHolds({ ...shop.deps, catalog: { ...catalog, holds: store } })
  await holds.hold(READER, [await readNow()])
  shop.setClock(START_MS + LEASE_MS)
  await renewed
  expect(await catalog.holds.list(START_MS + LEASE_MS + 1)).toHaveLength(1)
  await holds.close()
  expect(await listed()).toEqual([])
})

test('who comes too late finds the table or the snapshot gone, and holds nothing', async () => {
  const read = await readNow()
  await shop.deps.catalog.tables.drop({
    tableUuid: read.state.definition.tableUuid,
    expectedVersion: read.state.version,
  })
  expect((await refusal(shop.deps.holds.hold(READER, [read]))).code).toBe('table-not-found')
  const other = await readNow('u')
  const ghost = { ...other, snapshot: { ...read.snapshot, snapshotId: 77n } as never }
  expect((await refusal(shop.deps.holds.hold(READER, [ghost]))).code).toBe('snapshot-not-found')
  expect(await listed()).toEqual([])
  await (await shop.deps.holds.hold(READER, [other])).release()
})

test('files that a dropped table shares are held while it is read', async () => {
  await append(shop, 'u', file)
  const held = await shop.deps.holds.hold(READER, [await readNow('u')])
  await dropTable(shop.deps, 'u', { purge: true })
  expect((await purge()).holders).toMatchObject([{ kind: 'export', name: 'agency', files: 1 }])
  expect(isThere()).toBe(true)
  await held.release()
})

test('a reader of another table holds nothing of this one', async () => {
  await append(shop, 'u', await lake.numbers(shop, 'b'))
  const held = await shop.deps.holds.hold(READER, [await readNow('u')])
  expect((await purge()).holders).toEqual([])
  expect(isThere()).toBe(false)
  await held.release()
})

/** The same, but somebody does something just before files are marked as being deleted. */
function beforeMark(step: () => Promise<unknown>): WorkshopDependencies {
  const { catalog } = shop.deps
  const deletions = changed(catalog.deletions, {
    beginUnlinking: async (request) => {
      await step()
      return catalog.deletions.beginUnlinking(request)
    },
  })
  const wrapped: Catalog = { ...catalog, deletions }
  return { ...shop.deps, catalog: wrapped }
}

test('who begins to read between the look and the mark is seen', async () => {
  // It saw the table before the drop, and its row comes late.
  const hold = await holdOf()
  const late = beforeMark(() => shop.deps.catalog.holds.keep([hold], START_MS + LEASE_MS))
  await dropTable(late, 't', { purge: 'now' })
  expect(isThere()).toBe(true)
  await shop.deps.catalog.holds.end([hold.holdId])
  shop.setClock(START_MS + HOUR_MS)
  await unlinkDue(shop.deps)
  expect(isThere()).toBe(false)
})

test('where the database takes no writes, reading goes on', async () => {
  const { catalog } = shop.deps
  const refuse = () => Promise.reject(new Error('read-only'))
  const store = changed(catalog.holds, { keep: refuse, end: refuse })
  const holds = new FileHolds({ ...shop.deps, catalog: { ...catalog, holds: store } })
  const done = await holds.during(READER, [await readNow()], async () => 'read')
  expect(done).toBe('read')
})
