import { createReadStream, existsSync } from 'node:fs'
import { truncate } from 'node:fs/promises'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { openPostgresCatalog } from '../../../src/catalog/postgres/postgres.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { commitRemoval } from '../../../src/lake/commit/transactions.ts'
import { keyAllPaths } from '../../../src/lake/deletion/key-paths.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import type { Lake } from '../../../src/service.ts'
import { describePostgres } from '../../catalog/postgres-server.ts'
import { commitFiles } from '../../lake/trusted-caller.ts'
import { openWorkshop, type Workshop } from '../../lake/workshop.ts'
import { writeParquet } from '../../parquet-files.ts'
import { rebuiltOver } from './rebuilt.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 'a', columns: [{ name: 'n', type: 'long' }] })
})
afterEach(() => shop.close())

const { signal } = new AbortController()
const pathOf = (location: string) => location.replace('file://', '')

async function append(table: string, name: string): Promise<string> {
  const path = `${shop.dataFolder}/${name}.parquet`
  await writeParquet(path, `SELECT range::BIGINT AS n FROM range(10)`)
  await commitFiles(shop.deps, { table, paths: [path] })
  return path
}

/** A file in the table's own folder. */
async function upload(table: string, name: string): Promise<string> {
  const path = `${shop.dataFolder}/${name}.parquet`
  await writeParquet(path, `SELECT range::BIGINT AS n FROM range(10)`)
  const { files } = await uploadFile(shop.deps, { table, chunks: createReadStream(path) })
  return files[0]?.dataFile.path ?? ''
}

async function truncateTable(table: string): Promise<void> {
  await commitRemoval(shop.deps, { table, change: { removedPaths: [], truncate: true } })
}

async function snapshotsOf(lake: Lake, table: string) {
  const { state } = await readTable(lake, { table })
  return lake.catalog.snapshots.list(state.definition.tableUuid)
}

function describeLost(openCatalog: () => Promise<Catalog>): void {
  const opened: Catalog[] = []
  afterEach(async () => {
    for (const catalog of opened.splice(0)) await catalog.close()
  })
  const rebuilt = () =>
    rebuiltOver(shop.deps, async () => {
      const catalog = await openCatalog()
      opened.push(catalog)
      return catalog
    })

  test.each([
    ['an old manifest list is gone', 'list', 'gone'],
    ['an old manifest list is cut', 'list', 'cut'],
    ['an old manifest is gone', 'manifest', 'gone'],
  ])('%s: the table comes back, and says so', async (_title, which, how) => {
    await append('a', '0')
    await truncateTable('a') // from here on nothing else names the first manifest
    for (const name of ['1', '2', '3']) await append('a', name)
    await shop.deps.publisher.close()
    const [first] = await snapshotsOf(shop.deps, 'a')
    const list = first?.manifestList ?? ''
    const [manifest] = await shop.deps.manifests.getManifestList(list)
    const file = which === 'list' ? list : (manifest?.path ?? '')
    if (how === 'gone') await shop.deps.objects.delete(file)
    else await truncate(pathOf(file), 20)
    const { deps, tables } = await rebuilt()
    expect(tables).toEqual([expect.objectContaining({ table: 'default.a', outcome: 'incomplete' })])
    expect(tables[0]?.detail).toContain(`snapshot ${first?.snapshotId} cannot be read: ${file}`)
    const { plan, state } = await readTable(deps, { table: 'a' })
    expect([...plan.plannedFiles()]).toHaveLength(3)
    expect(state.definition.properties).toHaveProperty(['gc.enabled'], 'false')
    expect(await snapshotsOf(deps, 'a')).toHaveLength(5)
    // Another rebuild finds what this one has published.
    const again = await rebuilt()
    expect(again.tables.map(({ outcome }) => outcome)).toEqual(['incomplete'])
  })

  test('without the list of its current snapshot a table is unreadable', async () => {
    for (const name of ['1', '2']) await append('a', name)
    await shop.deps.publisher.close()
    const { snapshot } = await readTable(shop.deps, { table: 'a' })
    await shop.deps.objects.delete(snapshot?.manifestList ?? '')
    const { tables } = await rebuilt()
    expect(tables.map(({ outcome }) => outcome)).toEqual(['unreadable'])
    expect(tables[0]?.detail).toContain(snapshot?.manifestList)
  })

  test('what a lost snapshot may name is not deleted, until the snapshot is expired', async () => {
    await createTable(shop.deps, { name: 'u', columns: [{ name: 'n', type: 'long' }] })
    const [own, ofOther] = [await upload('a', 'own'), await upload('u', 'other')]
    await commitFiles(shop.deps, { table: 'a', paths: [ofOther] })
    await commitFiles(shop.deps, { table: 'u', paths: [own] })
    await truncateTable('a')
    await append('a', 'last')
    await shop.deps.publisher.close()
    const [first, second] = await snapshotsOf(shop.deps, 'a')
    for (const lost of [first, second]) await shop.deps.objects.delete(lost?.manifestList ?? '')

    const { deps } = await rebuilt()
    const { state } = await readTable(deps, { table: 'a' })
    expect(await keyAllPaths(deps, signal)).toBe(0)
    expect(await deps.catalog.paths.listUnkeyed(9)).toEqual([state.definition.tableUuid])
    const report = await dropTable({ ...deps, deleteGraceMs: 0 }, 'u', { purge: 'now' })
    expect(report).toMatchObject({ keptFiles: expect.any(Number) })
    expect([own, ofOther].map((path) => existsSync(pathOf(path)))).toEqual([true, true])

    await deps.catalog.tables.commit({
      tables: [
        {
          expectedVersion: state.version,
          state: { ...state, version: state.version + 1 },
          removedSnapshotIds: [first, second].flatMap((lost) => lost?.snapshotId ?? []),
          ...{ newSnapshots: [], newLogEntries: [], addedPaths: [] },
        },
      ],
      transactions: [],
    })
    expect(await keyAllPaths(deps, signal)).toBe(1)
    expect(await deps.catalog.paths.listUnkeyed(9)).toEqual([])
  })
}

describe('SQLite', () => describeLost(() => openSqliteCatalog({ path: ':memory:' })))

describePostgres((server) =>
  describeLost(async () => openPostgresCatalog({ url: await server().newDatabase() })),
)
