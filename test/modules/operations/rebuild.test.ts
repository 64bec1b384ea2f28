import { KEEPS_NOTHING } from '../../../src/core/replay.ts'
import { renameRestTable } from '../../../src/modules/iceberg-rest/rename-table.ts'
import { cloneTable } from '../../../src/modules/tables/clone-table.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import {
  createTable,
  describeTable,
  readTable,
  rollbackTable,
} from '../../../src/modules/tables/tables.ts'
import {
  createView,
  dropView,
  readView,
  renameView,
  replaceView,
} from '../../../src/modules/views/views.ts'
import type { Lake } from '../../../src/service.ts'
import { logOf } from '../../catalog/catalog-samples.ts'
import { commitFiles } from '../../lake/trusted-caller.ts'
import { openWorkshop, type Workshop } from '../../lake/workshop.ts'
import { writeParquet } from '../../parquet-files.ts'
import { rebuiltOver } from './rebuilt.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

async function append(table: string, name: string): Promise<void> {
  const path = `${shop.dataFolder}/${table}-${name}.parquet`
  await writeParquet(path, `SELECT range::BIGINT AS n FROM range(10)`)
  await commitFiles(shop.deps, { table, paths: [path] })
}

const rebuilt = () => rebuiltOver(shop.deps)

async function historyOf(deps: Lake, table: string) {
  const { state, snapshot, plan } = await readTable(deps, { table })
  const { tableUuid } = state.definition
  return {
    definition: state.definition,
    snapshot,
    refs: state.refs,
    lastSequenceNumber: state.lastSequenceNumber,
    log: await logOf(deps.catalog, tableUuid),
    snapshots: await deps.catalog.snapshots.list(tableUuid),
    files: [...plan.plannedFiles()].map((file) => file.dataFile.path).sort(),
  }
}

test('every table comes back from its files, with history, rollback and clone', async () => {
  await createTable(shop.deps, { name: 'a', columns: [{ name: 'n', type: 'long' }] })
  await createTable(shop.deps, {
    name: 'b',
    namespace: 'x.y',
    columns: [{ name: 'n', type: 'long' }],
  })
  for (const name of ['1', '2', '3']) await append('a', name)
  const first = (await shop.deps.catalog.tables.list({ limit: 1 }))[0]?.tableUuid ?? ''
  const snapshots = await shop.deps.catalog.snapshots.list(first)
  await rollbackTable(shop.deps, 'a', { snapshotIdentifier: String(snapshots[1]?.snapshotId) })
  await evolveTable(shop.deps, 'a', {
    changes: [{ op: 'add', column: { name: 'm', type: 'int' } }],
  })
  await describeTable(shop.deps, 'x.y.b', { description: 'empty', metadata: { k: [1] } })
  await cloneTable(shop.deps, { table: 'a', name: 'copy' })
  await shop.deps.publisher.close()

  const { deps, tables } = await rebuilt()
  expect(tables.map((table) => table.outcome)).toEqual(['registered', 'registered', 'registered'])
  for (const table of ['a', 'x.y.b', 'copy']) {
    expect(await historyOf(deps, table)).toEqual(await historyOf(shop.deps, table))
  }
})

test('a renamed table comes back by its new name, and its old one is free', async () => {
  const columns = [{ name: 'n', type: 'long' }] as const
  const named = (name: string) => ({ namespace: ['default'], name })
  const call = {
    keeper: KEEPS_NOTHING,
    authorize: async () => undefined,
    requirePaths: () => undefined,
  }
  const rename = (source: string, destination: string) =>
    renameRestTable(shop.deps, { source: named(source), destination: named(destination) }, call)
  for (const [first, second] of [
    ['a', 'b'],
    ['c', 'd'],
  ] as const) {
    await createTable(shop.deps, { name: first, columns })
    await rename(first, second)
    await createTable(shop.deps, { name: first, columns })
  }
  await rename('b', 'e')
  await rename('d', 'f')
  await describeTable(shop.deps, 'f', { description: 'published since' })
  await rename('f', 'g')
  await shop.deps.publisher.close()
  const { deps, tables } = await rebuilt()
  expect(tables.map(({ outcome }) => outcome)).toEqual(Array(4).fill('registered'))
  for (const name of ['a', 'c', 'e', 'g']) {
    const uuidIn = async (lake: Lake) =>
      (await readTable(lake, { table: name })).state.definition.tableUuid
    expect(await uuidIn(deps)).toBe(await uuidIn(shop.deps))
  }
})

test('commits after the newest metadata file come back from their snapshot files', async () => {
  await createTable(shop.deps, { name: 'a', columns: [{ name: 'n', type: 'long' }] })
  await append('a', '1')
  const { metadataLocation: first } = await readTable(shop.deps, { table: 'a' })
  await append('a', '2')
  await append('a', '3')
  await shop.deps.publisher.close()
  // As when the process is killed before it published the last commits.
  const { state } = await readTable(shop.deps, { table: 'a' })
  for await (const { location } of shop.deps.objects.list(
    `${state.definition.location}/metadata`,
  )) {
    const isLater = location.endsWith('.metadata.json') && location > String(first)
    if (isLater) await shop.deps.objects.delete(location)
  }

  const again = await rebuilt()
  const [before, after] = [await historyOf(shop.deps, 'a'), await historyOf(again.deps, 'a')]
  expect(after.files).toEqual(before.files)
  expect(after.files).toHaveLength(3)
  expect(after.log).toEqual(before.log)
})

test('a dropped table stays dropped, and a file is still in its table only once', async () => {
  for (const name of ['a', 'gone']) {
    await createTable(shop.deps, { name, columns: [{ name: 'n', type: 'long' }] })
    await append(name, '1')
  }
  await dropTable(shop.deps, 'gone', { purge: false })
  await shop.deps.publisher.close()
  const { deps, tables } = await rebuilt()
  expect(tables.map((table) => table.outcome).sort()).toEqual(['dropped', 'registered'])
  expect(await deps.catalog.tables.list({ limit: 9 })).toHaveLength(1)
  const paths = [`${shop.dataFolder}/a-1.parquet`]
  await expect(commitFiles(deps, { table: 'a', paths })).rejects.toMatchObject({
    code: 'file-already-in-table',
  })
})

test('two whose files tell one name both come back, and what is called what is told', async () => {
  for (const name of ['a', 'b']) {
    await createTable(shop.deps, { name, columns: [{ name: 'n', type: 'long' }] })
    await append(name, '1')
  }
  await shop.deps.publisher.close()
  // As after a crash between the publications of two renames.
  const { state } = await readTable(shop.deps, { table: 'b' })
  const told = String(state.metadataLocation)
  const text = new TextDecoder().decode(await shop.deps.objects.read(told, { bytesMax: 1e6 }))
  await shop.deps.objects.delete(told)
  const renamed = text.replace('"name":"b"', '"name":"a"')
  expect(renamed).not.toBe(text)
  await shop.deps.objects.putIfAbsent(told, new TextEncoder().encode(renamed))
  const { deps, tables } = await rebuilt()
  expect(tables.map(({ outcome }) => outcome)).toEqual(['registered', 'registered'])
  const names = (await deps.catalog.tables.list({ limit: 9 })).map(({ name }) => name)
  expect(names).toEqual(['a', expect.stringMatching(/^a-[0-9a-f]{8}$/)])
  expect(tables.filter(({ detail }) => detail?.includes('default.a is another one'))).toHaveLength(
    1,
  )
})

test('views come back with their names and versions, dropped ones do not', async () => {
  const sql = (text: string) => ({ queries: [{ dialect: 'duckdb', sql: text }] })
  for (const name of ['x.late', 'gone']) {
    await createView(shop.deps, { name, ...sql('SELECT 1') })
    await replaceView(shop.deps, name, sql('SELECT 2'))
  }
  await dropView(shop.deps, 'gone')
  const { deps, tables } = await rebuilt()
  expect(tables.map(({ table, outcome }) => `${table} ${outcome}`).sort()).toEqual([
    'undefined dropped',
    'x.late registered',
  ])
  const before = await shop.deps.catalog.views.find({ namespace: ['x'], name: 'late' })
  const after = await deps.catalog.views.find({ namespace: ['x'], name: 'late' })
  expect(after).toEqual({ ...before, createdAtMs: after?.createdAtMs })
  expect(after?.version).toBe(1)
  const target = { namespace: ['x'], name: 'later' }
  await renameView(shop.deps, await readView(shop.deps, 'x.late'), { target })
  const anew = await rebuilt()
  const later = await anew.deps.catalog.views.find(target)
  expect(later).toMatchObject({ ...target, viewUuid: before?.viewUuid, version: 2 })
  const again = await replaceView(deps, 'x.late', sql('SELECT 3'))
  expect(again.metadata.versions).toHaveLength(3)
})

test('a metadata file that is no metadata is named, and the others come back', async () => {
  await createTable(shop.deps, { name: 'a', columns: [{ name: 'n', type: 'long' }] })
  await shop.deps.publisher.close()
  const bad = `${shop.deps.warehouse}/default/bad/metadata/00001-x.metadata.json`
  await shop.deps.objects.putIfAbsent(bad, new TextEncoder().encode('{}'))
  const { tables } = await rebuilt()
  expect(tables.map((table) => table.outcome).sort()).toEqual(['registered', 'unreadable'])
})

test('of two tables that shared a location, only the dropped one is dropped', async () => {
  const columns = [{ name: 'n', type: 'long' }]
  const location = `${shop.deps.warehouse}/shared/place`
  const first = await createTable(shop.deps, { name: 'a', columns, location })
  const second = await createTable(shop.deps, { name: 'gone', columns })
  await append('a', '1')
  await append('gone', '1')
  await shop.deps.publisher.close()
  // What Moraine 0.1 left of the second one there: newer metadata, and one mark for both.
  const { objects } = shop.deps
  const { state } = await readTable(shop.deps, { table: 'gone' })
  const file = await objects.read(state.metadataLocation ?? '', { bytesMax: 1e6 })
  const text = new TextDecoder().decode(file)
  const moved = new TextEncoder().encode(text.replaceAll(state.definition.location, location))
  await objects.putIfAbsent(`${location}/metadata/00099-x.metadata.json`, moved)
  const uuids = [first, second].map(({ definition }) => definition.tableUuid)
  const note = new TextEncoder().encode(JSON.stringify({ 'table-uuid': uuids[1] }))
  await objects.putIfAbsent(`${location}/metadata/dropped.json`, note)

  const { deps, tables } = await rebuilt()
  expect(tables.map(({ outcome }) => outcome).sort()).toEqual(['dropped', 'registered'])
  expect((await deps.catalog.tables.list({ limit: 9 })).map((table) => table.name)).toEqual(['a'])
  expect(await historyOf(deps, 'a')).toEqual(await historyOf(shop.deps, 'a'))
  // Nobody else gets a place where files may be, and a purge knows whose they are.
  expect(await deps.catalog.locations.findOverlapping(location, 9)).toEqual(
    expect.arrayContaining([
      { tableUuid: uuids[0], location, isDropped: false, keepsFiles: false },
      { tableUuid: uuids[1], location, isDropped: true, keepsFiles: false },
    ]),
  )
})
