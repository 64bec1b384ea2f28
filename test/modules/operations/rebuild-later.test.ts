import { truncate } from 'node:fs/promises'
import { changeTable } from '../../../src/lake/commit/change-table.ts'
import type { FileChange } from '../../../src/lake/snapshot/snapshot-change.ts'
import { type PreparedSnapshot, writeSnapshot } from '../../../src/lake/snapshot/snapshot-writer.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import type { Lake } from '../../../src/service.ts'
import { commitFiles, inspectFiles } from '../../lake/trusted-caller.ts'
import { openWorkshop, START_MS, type Workshop } from '../../lake/workshop.ts'
import { writeParquet } from '../../parquet-files.ts'
import { rebuiltOver } from './rebuilt.ts'

let shop: Workshop
let published: string
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 'a', columns: [{ name: 'n', type: 'long' }] })
  await append('published')
  published = (await readTable(shop.deps, { table: 'a' })).metadataLocation ?? ''
})
afterEach(() => shop.close())

async function fileOf(name: string): Promise<string> {
  const path = `${shop.dataFolder}/${name}.parquet`
  await writeParquet(path, `SELECT range::BIGINT AS n FROM range(10)`)
  return path
}

async function append(name: string): Promise<void> {
  await commitFiles(shop.deps, { table: 'a', paths: [await fileOf(name)] })
}

/** As a process leaves it that is killed before it tells the catalog. */
async function appendUnfinished(name: string): Promise<PreparedSnapshot> {
  const { state } = await readTable(shop.deps, { table: 'a' })
  const files = await inspectFiles(shop.deps, state, { paths: [await fileOf(name)] })
  const added = files.map(({ dataFile }) => dataFile)
  const change: FileChange = { added, removedPaths: [], truncate: false }
  const prepared = await writeSnapshot(shop.deps, state, { change, summary: {} })
  if (prepared === undefined) throw new Error('nothing was added')
  return prepared
}

/** What comes back from metadata as it was published after the first append. */
async function rebuilt() {
  await shop.deps.publisher.close()
  const { state } = await readTable(shop.deps, { table: 'a' })
  const folder = `${state.definition.location}/metadata`
  for await (const { location } of shop.deps.objects.list(folder)) {
    const isLater = location.endsWith('.metadata.json') && location > published
    if (isLater) await shop.deps.objects.delete(location)
  }
  const { deps, tables } = await rebuiltOver(shop.deps)
  return { deps, back: tables[0] }
}

async function namesIn(deps: Lake): Promise<readonly string[]> {
  const { plan } = await readTable(deps, { table: 'a' })
  const paths = [...plan.plannedFiles()].map(({ dataFile }) => dataFile.path)
  return paths.map((path) => path.replace(/^.*\/(.+)\.parquet$/, '$1')).sort()
}

test.each([
  ['a manifest', 'gone'],
  ['a manifest list', 'gone'],
  ['a manifest', 'cut'],
])('a commit that was interrupted before %s was whole (%s) stays away', async (what, how) => {
  await append('acknowledged')
  const { snapshot, own } = await appendUnfinished('interrupted')
  const file = what === 'a manifest' ? own.created[0]?.file.path : snapshot.manifestList
  if (how === 'gone') await shop.deps.objects.delete(file ?? '')
  else await truncate((file ?? '').replace('file://', ''), 20)
  const { deps, back } = await rebuilt()
  expect(back).toMatchObject({ table: 'default.a', outcome: 'incomplete' })
  expect(back?.detail).toContain(`snapshot ${snapshot.snapshotId} comes after the current one`)
  expect(back?.detail).toContain(file)
  expect(await namesIn(deps)).toEqual(['acknowledged', 'published'])
  const { state } = await readTable(deps, { table: 'a' })
  expect(state.definition.properties).not.toHaveProperty(['gc.enabled'])
})

test('of two that follow one snapshot, the one that has followers was committed', async () => {
  // The second is another attempt at the same commit.
  for (const name of ['killed', 'killed']) await appendUnfinished(name)
  await append('first')
  await append('second')
  const { deps, back } = await rebuilt()
  expect(await namesIn(deps)).toEqual(['first', 'published', 'second'])
  expect(back).toMatchObject({ outcome: 'registered' })
})

test('of two at the end, the later one counts, and the other is told', async () => {
  const killed = await appendUnfinished('killed')
  shop.setClock(START_MS + 60_000)
  await append('last')
  const { deps, back } = await rebuilt()
  expect(await namesIn(deps)).toEqual(['last', 'published'])
  expect(back?.detail).toContain(`snapshot ${killed.snapshot.snapshotId} has the place of another`)
})

test('a snapshot with followers is kept though it lost a file since', async () => {
  await append('first')
  await append('second')
  const { state } = await readTable(shop.deps, { table: 'a' })
  const { parentSnapshotId } = state.currentSnapshot ?? {}
  const { tableUuid } = state.definition
  const lost = await shop.deps.catalog.snapshots.find(tableUuid, parentSnapshotId ?? 0n)
  await shop.deps.objects.delete(lost?.manifestList ?? '')
  const { deps, back } = await rebuilt()
  expect(back).toMatchObject({ outcome: 'incomplete' })
  expect(back?.detail).toContain(`snapshot ${lost?.snapshotId} cannot be read`)
  expect(await namesIn(deps)).toEqual(['first', 'published', 'second'])
})

test('a snapshot whose schema is in no metadata file stays away', async () => {
  const { state } = await readTable(shop.deps, { table: 'a' })
  const { definition } = state
  const [schema] = definition.schemas
  if (schema === undefined) throw new Error('no schema')
  const schemas = [...definition.schemas, { ...schema, schemaId: 7 }]
  const evolved = { ...state, definition: { ...definition, schemas, currentSchemaId: 7 } }
  const files = await inspectFiles(shop.deps, state, { paths: [await fileOf('rewritten')] })
  const change = { added: files.map(({ dataFile }) => dataFile), removedPaths: [], truncate: true }
  await writeSnapshot(shop.deps, evolved, { change, summary: {} })
  const { deps, back } = await rebuilt()
  expect(back?.detail).toContain('its schema 7 came with it')
  expect(await namesIn(deps)).toEqual(['published'])
})

test('a damaged file of a published snapshot hinders nothing, another is told', async () => {
  const { state } = await readTable(shop.deps, { table: 'a' })
  const folder = `${state.definition.location}/metadata/snapshots`
  const { snapshotId } = state.currentSnapshot ?? {}
  await truncate(`${folder}/snapshot-${snapshotId}.json`.replace('file://', ''), 20)
  const whole = await rebuilt()
  expect(whole.back).toMatchObject({ outcome: 'registered' })
  expect(await namesIn(whole.deps)).toEqual(['published'])

  const other = `${folder}/snapshot-12345.json`
  await shop.deps.objects.putIfAbsent(other, new TextEncoder().encode('{"snapshot": {'))
  const told = await rebuilt()
  expect(told.back).toMatchObject({ outcome: 'incomplete' })
  expect(told.back?.detail).toContain(other)
})

test('row ids that later snapshots have taken are not given again', async () => {
  await changeTable(shop.deps, 'a', ({ definition }) => ({
    definition: { ...definition, formatVersion: 3 },
  }))
  await append('later')
  const { deps } = await rebuilt()
  const { state } = await readTable(deps, { table: 'a' })
  expect(state.definition).toMatchObject({ formatVersion: 3, nextRowId: 20n })
  expect(state.currentSnapshot).toMatchObject({ firstRowId: 0n, addedRows: 20n })
})
