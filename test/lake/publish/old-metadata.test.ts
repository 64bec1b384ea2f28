import { readdir, stat, writeFile } from 'node:fs/promises'
import { jest } from '@jest/globals'
import type { TableState } from '../../../src/core/table/table.ts'
import { holdDeletions } from '../../../src/lake/jobs/held-deletions.ts'
import { createTable, describeTable, readTable } from '../../../src/modules/tables/tables.ts'
import { composeLake, type Lake } from '../../../src/service.ts'
import { openWorkshop, type Workshop } from '../workshop.ts'

/** A thousand commits, and a third as many publications. */
jest.setTimeout(180_000)

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const LOG_MAX = 'write.metadata.previous-versions-max'
const DELETES = 'write.metadata.delete-after-commit.enabled'

function folderOf({ definition }: TableState): string {
  return `${definition.location}/metadata`.slice('file://'.length)
}

/** Metadata files of the table, oldest first. */
async function filesOf(state: TableState): Promise<string[]> {
  const names = await readdir(folderOf(state))
  return names.filter((name) => name.endsWith('.metadata.json')).sort()
}

/** A table with these properties, which only other writers set. */
async function create(properties: Record<string, string> = {}): Promise<TableState> {
  const made = await createTable(shop.deps, {
    name: 't',
    columns: [{ name: 'n', type: 'long' }],
  })
  const { tables } = shop.deps.catalog
  const definition = { ...made.definition, properties }
  const state = { ...made, version: made.version + 1, definition }
  const commit = { expectedVersion: made.version, newSnapshots: [], newLogEntries: [] }
  const table = { ...commit, state, addedPaths: [] }
  await tables.commit({ tables: [table], transactions: [] })
  return state
}

/** Commits that are published one by one. */
async function publish(deps: Pick<Lake, 'publisher'>, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const { definition } = await describeTable(shop.deps, 't', { metadata: { i } })
    await deps.publisher.publish(definition.tableUuid)
  }
}

/** Publishes the last commit; nothing is left to delete afterwards. */
async function settled(): Promise<void> {
  const { state } = await readTable(shop.deps, { table: 't' })
  await shop.deps.publisher.publish(state.definition.tableUuid)
  const other = composeLake(shop.deps)
  await other.publisher.close()
  await shop.deps.publisher.close()
}

test('of a thousand commits about a hundred metadata files are left', async () => {
  const state = await create()
  for (let i = 0; i < 1_000; i++) {
    await describeTable(shop.deps, 't', { metadata: { i } })
    // As readers who want a file for every version.
    if (i % 3 === 0) await readTable(shop.deps, { table: 't' })
  }
  await settled()
  const files = await filesOf(state)
  expect(files.length).toBeGreaterThan(90)
  expect(files.length).toBeLessThanOrEqual(101)
  const sizes = await Promise.all(
    files.map(async (name) => (await stat(`${folderOf(state)}/${name}`)).size),
  )
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(101 * 32 * 1024)
  // All that the newest file names is there, and so is what the catalog knows.
  const { tableUuid } = state.definition
  const known = await shop.deps.catalog.publications.list(tableUuid, 1_000)
  expect(known.map(({ metadataLocation }) => metadataLocation.split('/').at(-1)).sort()).toEqual(
    files,
  )
})

test('as many stay as the table says, and a location given out stays as long', async () => {
  const state = await create({ [LOG_MAX]: '3' })
  await publish(shop.deps, 1)
  const first = (await filesOf(state)).at(-1) ?? ''
  await publish(shop.deps, 3)
  expect(await filesOf(state)).toContain(first)
  await publish(shop.deps, 2)
  await settled()
  const files = await filesOf(state)
  expect(files).toHaveLength(4)
  expect(files).not.toContain(first)
})

test.each([
  ['told to keep them', { [DELETES]: 'false' }, 11],
  ['whose files are nobody’s to delete', { 'gc.enabled': 'false' }, 11],
  ['that says both', { 'gc.enabled': 'false', [DELETES]: 'true' }, 3],
  ['with a number that is none', { [LOG_MAX]: 'many' }, 11],
])('a table %s has its way', async (_, properties, count) => {
  const state = await create({ [LOG_MAX]: '2', ...properties })
  await publish(shop.deps, 10)
  await settled()
  expect((await filesOf(state)).length).toBe(count)
})

test('what others name, what is elsewhere and what is no metadata stays', async () => {
  const state = await create({ [LOG_MAX]: '1' })
  const { tableUuid } = state.definition
  const folder = folderOf(state)
  const other = await createTable(shop.deps, {
    name: 'other',
    columns: [{ name: 'n', type: 'long' }],
  })
  const registered = [
    `${folderOf(other)}/00000-x.metadata.json`,
    `${shop.dataFolder}/00000-x.metadata.json`,
    `${folder}/x.avro`,
    `${folder}/named-by-other.metadata.json`,
  ]
  const { catalog, objects } = shop.deps
  for (const path of registered) await objects.putIfAbsent(path, new Uint8Array(1)).catch(() => 0)
  await writeFile(registered[1] ?? '', '1')
  const added = { ...other, version: other.version + 1 }
  const commit = { expectedVersion: other.version, newSnapshots: [], newLogEntries: [] }
  const named = { ...commit, state: added, addedPaths: [`file://${registered[3]}`] }
  await catalog.tables.commit({ tables: [named], transactions: [] })
  // As the metadata log of a registered table says.
  for (const [i, path] of registered.entries()) {
    const version = 100 + i
    const publication = { tableUuid, version, metadataLocation: `file://${path}` }
    await catalog.publications.record({ ...publication, publishedAtMs: 1 })
  }
  const later = await catalog.tables.find({ tableUuid })
  if (later === undefined) throw new Error('there is no table')
  const jump = { ...later, version: 200 }
  expect(jump.publishedVersion).toBe(103)
  for (let version = later.version; version < 110; version++) {
    await describeTable(shop.deps, 't', { metadata: { version } })
  }
  await publish(shop.deps, 4)
  await settled()
  for (const path of registered) expect((await stat(path)).isFile()).toBe(true)
  const own = (await filesOf(state)).filter((name) => !name.startsWith('named'))
  expect(own).toHaveLength(2)
})

test('whoever holds deletions holds these, and they are made up for', async () => {
  const state = await create({ [LOG_MAX]: '1' })
  const { signal } = new AbortController()
  const lease = await holdDeletions(shop.deps, signal)
  await publish(shop.deps, 6)
  expect((await filesOf(state)).length).toBeGreaterThanOrEqual(7)
  await lease?.release()
  await publish(shop.deps, 1)
  await settled()
  expect(await filesOf(state)).toHaveLength(2)
})
