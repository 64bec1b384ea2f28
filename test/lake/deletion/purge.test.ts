import { createReadStream, existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { TableState } from '../../../src/core/table/table.ts'
import {
  abortTransaction,
  commitTransaction,
  startTransaction,
} from '../../../src/lake/commit/transactions.ts'
import type { FileNamer } from '../../../src/lake/deletion/file-namer.ts'
import { unlinkDue } from '../../../src/lake/deletion/unlinker.ts'
import { holdDeletions } from '../../../src/lake/jobs/held-deletions.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { cloneTable } from '../../../src/modules/tables/clone-table.ts'
import { dropTable, type PurgeChoice } from '../../../src/modules/tables/drop-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { madeFile, commitFiles as writeAs } from '../../modules/iceberg-rest/http/made-files.ts'
import { refusal } from '../../refusal.ts'
import { append, Lake, liveNames } from '../lake.ts'
import { stageFiles } from '../trusted-caller.ts'
import { openWorkshop, START_MS, type Workshop } from '../workshop.ts'

const DAY_MS = 86_400_000
const COLUMNS = [{ name: 'n', type: 'long' }]

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
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

const purge = (when: PurgeChoice, table = 't') => dropTable(shop.deps, table, { purge: when })

/** The hourly task, so long after the start. */
function sweepAfter(ms: number) {
  shop.setClock(START_MS + ms)
  return unlinkDue(shop.deps)
}

async function find(table: string): Promise<TableState> {
  const state = await shop.deps.catalog.tables.find({ namespace: ['default'], name: table })
  if (state === undefined) throw new Error(`no table ${table}`)
  return state
}

/** Commits another state of the table, as a client of Iceberg does. */
async function change(
  table: string,
  to: (state: TableState) => Partial<TableState>,
  more: { readonly removedSnapshotIds?: readonly bigint[]; readonly addedPaths?: string[] } = {},
): Promise<void> {
  const before = await find(table)
  const state = { ...before, ...to(before), version: before.version + 1 }
  const commit = { newSnapshots: [], newLogEntries: [], addedPaths: [], ...more }
  await shop.deps.catalog.tables.commit({
    tables: [{ ...commit, expectedVersion: before.version, state }],
    transactions: [],
  })
}

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = []
  for await (const { location } of shop.deps.objects.list(folder)) found.push(location)
  return found
}

test('a purge schedules the files, which stay for the grace and then go', async () => {
  const a = await upload('t', 'a')
  const { definition } = await find('t')
  const report = await purge(true)
  expect(report).toMatchObject({ deletedFiles: 0, keptFiles: 0, holders: [] })
  expect(report.scheduledFiles).toBe((await filesBelow(definition.location)).length)
  expect((await sweepAfter(7 * DAY_MS - 1)).deleted).toBe(0)
  expect(isThere(a)).toBe(true)
  expect((await sweepAfter(7 * DAY_MS + 1)).deleted).toBe(report.scheduledFiles)
  expect(await filesBelow(definition.location)).toEqual([])
  expect((await sweepAfter(9 * DAY_MS)).deleted).toBe(0)
  const rows = { nowMs: Number.MAX_SAFE_INTEGER, limit: 9 }
  expect(await shop.deps.catalog.deletions.listDue(rows)).toEqual([])
})

test('what another table commits or stages meanwhile is taken away from deletion', async () => {
  const [a, b] = [await upload('t', 'a'), await upload('t', 'b')]
  await purge(true)
  await append(shop, 'u', a)
  const { transactionId } = await startTransaction(shop.deps, { expiresInSeconds: 7 * 86_400 })
  await stageFiles(shop.deps, { table: 'u', transactionId, paths: [b.replace('///', '/')] })
  await sweepAfter(8 * DAY_MS)
  expect([a, b].map(isThere)).toEqual([true, true])
  expect(await liveNames(shop, 'u')).toHaveLength(1)
})

test('a staged file is held by its open transaction, and goes when that is over', async () => {
  const [a, b] = [await upload('t', 'a'), await upload('t', 'b')]
  const { transactionId } = await startTransaction(shop.deps, {})
  await stageFiles(shop.deps, { table: 'u', transactionId, paths: [a] })
  const aborted = await startTransaction(shop.deps, {})
  await stageFiles(shop.deps, {
    ...{ table: 'u', transactionId: aborted.transactionId },
    paths: [b],
  })
  const report = await purge('now')
  expect(report.holders).toMatchObject([
    { kind: 'transaction', name: transactionId, files: 1 },
    { kind: 'transaction', name: aborted.transactionId, files: 1 },
  ])
  expect(report.scheduledFiles).toBe(2)
  await abortTransaction(shop.deps, aborted.transactionId)
  await commitTransaction(shop.deps, transactionId)
  await sweepAfter(2 * 3_600_000)
  expect([a, b].map(isThere)).toEqual([true, false])
})

test('clones, branches, tags and older snapshots hold files, and are named', async () => {
  const [a, b] = [await upload('t', 'a'), await upload('t', 'b')]
  await cloneTable(shop.deps, { table: 't', name: 'copy' })
  await append(shop, 'u', a)
  const tagged = (await find('u')).currentSnapshot?.snapshotId ?? 0n
  await append(shop, 'u', b)
  const at = { snapshotId: tagged }
  await change('u', () => ({
    refs: { v1: { type: 'tag', ...at }, audit: { type: 'branch', ...at } },
  }))
  const report = await purge('now')
  const told = report.holders.map(({ kind, name, ref, files }) => [kind, name, ref, files])
  expect(told.filter(([, , ref]) => ref !== undefined).toSorted()).toEqual([
    ['branch', 'default.u', 'audit', 1],
    ['tag', 'default.u', 'v1', 1],
  ])
  expect(told).toContainEqual(['table', 'default.u', undefined, 2])
  expect(told.find(([, name]) => name === 'default.copy')).toBeDefined()
  expect([a, b].map(isThere)).toEqual([true, true])
})

test('a table that has forgotten the snapshots of a file does not hold it', async () => {
  const a = await upload('t', 'a')
  await append(shop, 'u', a)
  const forgotten = (await find('u')).currentSnapshot?.snapshotId ?? 0n
  const clean = await upload('u', 'own')
  const { plan } = await readTable(shop.deps, { table: 'u' })
  const own = [...plan.plannedFiles()].filter(({ dataFile }) => dataFile.path === clean)
  expect(own).toHaveLength(1)
  await writeAs(shop.deps, (await find('u')).definition.tableUuid, { removed: [a] })
  const { currentSnapshot } = await find('u')
  const all = await shop.deps.catalog.snapshots.list((await find('u')).definition.tableUuid)
  const removedSnapshotIds = all
    .map(({ snapshotId }) => snapshotId)
    .filter((id) => id !== currentSnapshot?.snapshotId)
  expect(removedSnapshotIds).toContain(forgotten)
  await change('u', () => ({}), { removedSnapshotIds })
  expect((await purge('now')).holders).toEqual([])
  expect([a, clean].map(isThere)).toEqual([false, true])
})

test('a table that names files of others takes none of them along', async () => {
  const victim = await find('u')
  const uploaded = await upload('u', 'a')
  const { transactionId } = await startTransaction(shop.deps, {})
  const staged = await uploadFile(shop.deps, {
    ...{ table: 'u', transactionId },
    chunks: createReadStream(await lake.numbers(shop, 'staged')),
  })
  await shop.deps.publisher.close()
  const { location } = victim.definition
  const dump = `${shop.deps.warehouse}/.dumps/x/csv/shards/1.csv`
  const incoming = `${location}/data/incoming/x.parquet`
  const stray = `${shop.deps.warehouse}/stray.parquet`
  for (const file of [dump, incoming, stray]) {
    await mkdir(dirname(file.slice('file://'.length)), { recursive: true })
    await writeFile(file.slice('file://'.length), 'x')
  }
  const targets = [
    ...(await filesBelow(location)),
    dump,
    stray,
    staged.files[0]?.dataFile.path ?? '',
  ]
  expect(targets).toEqual(expect.arrayContaining([uploaded, incoming]))
  const spelled = targets.map((path, i) => (i % 2 === 0 ? path : path.replace('///', '/')))
  const added = spelled.map((path) => ({ ...madeFile(''), path }))
  await writeAs(shop.deps, (await find('t')).definition.tableUuid, { added })
  await change('t', () => ({}), { addedPaths: spelled })
  await purge('now')
  expect(targets.filter((path) => !isThere(path))).toEqual([])
})

test('nothing is deleted of a table that keeps its files, dropped or living', async () => {
  const keeps = ({ definition }: TableState) => ({
    definition: { ...definition, properties: { 'gc.enabled': 'FALSE' } },
  })
  const [a, b] = [await upload('t', 'a'), await upload('u', 'b')]
  await append(shop, 'u', a)
  await change('t', keeps)
  expect(await purge('now')).toMatchObject({ deletedFiles: 0, scheduledFiles: 0 })
  // `u` may be deleted, but `a` lies below a table that keeps its files.
  await purge('now', 'u')
  expect([a, b].map(isThere)).toEqual([true, false])
})

test('two spellings are one file: what another table names otherwise stays', async () => {
  const a = await upload('t', 'a')
  const spelled = a.replace('file:///', 'file:/').replace('/data/', '//data///')
  const added = [{ ...madeFile(''), path: spelled }]
  await writeAs(shop.deps, (await find('u')).definition.tableUuid, { added })
  await change('u', () => ({}), { addedPaths: [spelled] })
  await purge('now')
  expect(isThere(a)).toBe(true)
  await purge('now', 'u')
  expect(isThere(a)).toBe(false)
})

test('statistics that a clone names stay with it', async () => {
  await upload('t', 'a')
  const path = `${(await find('t')).definition.location}/metadata/stats.puffin`
  await shop.deps.objects.putIfAbsent(path, new Uint8Array(1))
  const statistics = { '1': { 'statistics-path': path } }
  const named = ({ definition }: TableState) => ({ definition: { ...definition, statistics } })
  await change('t', named, { addedPaths: [path] })
  await cloneTable(shop.deps, { table: 't', name: 'copy' })
  await purge('now')
  expect(isThere(path)).toBe(true)
  await purge('now', 'copy')
  expect(isThere(path)).toBe(false)
})

test('what was made of a table holds its files, and goes with a purge now', async () => {
  const a = await upload('t', 'a')
  await append(shop, 'u', a)
  await writeAs(shop.deps, (await find('u')).definition.tableUuid, { removed: [a] })
  const { tableUuid } = (await find('u')).definition
  const { currentSnapshot } = await find('u')
  const all = await shop.deps.catalog.snapshots.list(tableUuid)
  const removedSnapshotIds = all
    .map(({ snapshotId }) => snapshotId)
    .filter((id) => id !== currentSnapshot?.snapshotId)
  await change('u', () => ({}), { removedSnapshotIds })
  let isMade = true
  const forgotten: string[] = []
  const namer: FileNamer = {
    kind: 'dump',
    async *namedFor(uuid) {
      if (uuid === tableUuid && isMade) yield a.replace('///', '/')
    },
    forget: async (uuid) => {
      forgotten.push(uuid)
    },
  }
  const deps = { ...shop.deps, fileNamers: () => [namer] }
  const t = (await find('t')).definition.tableUuid
  const report = await dropTable(deps, 't', { purge: 'now' })
  expect(report.holders).toMatchObject([{ kind: 'dump', name: 'default.u', files: 1 }])
  expect([isThere(a), forgotten]).toEqual([true, [t]])
  isMade = false
  shop.setClock(START_MS + DAY_MS)
  await unlinkDue(deps)
  expect(isThere(a)).toBe(false)
})

test('nothing is deleted while somebody holds deletions', async () => {
  const a = await upload('t', 'a')
  const { signal } = new AbortController()
  const lease = await holdDeletions(shop.deps, signal)
  const report = await purge('now')
  expect(report).toMatchObject({ deletedFiles: 0 })
  expect(report.scheduledFiles).toBeGreaterThan(3)
  expect(isThere(a)).toBe(true)
  await lease?.release()
  expect((await sweepAfter(3_600_000)).deleted).toBe(report.scheduledFiles)
  expect(isThere(a)).toBe(false)
})

test('files that a killed process was deleting are deleted by the next', async () => {
  const a = await upload('t', 'a')
  await purge(true)
  const { deletions } = shop.deps.catalog
  const nowMs = START_MS + 8 * DAY_MS
  const due = await deletions.listDue({ nowMs, limit: 100 })
  const request = { nowMs, dueAtMs: nowMs + 1_000, examinedTableUuids: new Set<string>() }
  expect(await deletions.beginUnlinking({ deletions: due, ...request })).toHaveLength(due.length)
  const again = append(shop, 'u', a)
  expect((await refusal(again)).code).toBe('file-being-deleted')
  await sweepAfter(8 * DAY_MS)
  expect(isThere(a)).toBe(true)
  expect((await sweepAfter(9 * DAY_MS)).deleted).toBe(due.length)
  expect(isThere(a)).toBe(false)
})

test('a file that is written anew after its deletion may be added again', async () => {
  const a = await upload('t', 'a')
  await purge('now')
  expect(isThere(a)).toBe(false)
  expect((await refusal(append(shop, 'u', a))).code).toBe('file-not-found')
  const path = a.slice('file://'.length)
  await lake.write(path, 'SELECT 1::BIGINT AS n')
  await append(shop, 'u', a)
  const { transactionId } = await startTransaction(shop.deps, {})
  await createTable(shop.deps, { name: 'v', columns: COLUMNS })
  await stageFiles(shop.deps, { table: 'v', transactionId, paths: [a] })
  await commitTransaction(shop.deps, transactionId)
  await sweepAfter(30 * DAY_MS)
  expect(isThere(a)).toBe(true)
})
