import { namedFiles } from '../../../src/modules/operations/files-of-tables.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { openWorkshop, type Workshop } from '../../lake/workshop.ts'
import { rebuiltOver } from './rebuilt.ts'

const STATISTICS = ['file:///lake/a/statistics.puffin', 'file:///lake/a/partitions.parquet']

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 'a', columns: [{ name: 'n', type: 'long' }] })
  const { state } = await readTable(shop.deps, { table: 'a' })
  const [statistics, partitions] = STATISTICS.map((path) => ({
    '7': {
      ...{ 'snapshot-id': 7, 'statistics-path': path, 'file-size-in-bytes': 9 },
      ...{ 'file-footer-size-in-bytes': 1, 'blob-metadata': [] },
    },
  }))
  const definition = {
    ...state.definition,
    ...(statistics !== undefined && { statistics }),
    ...(partitions !== undefined && { partitionStatistics: partitions }),
  }
  await shop.deps.catalog.tables.commit({
    tables: [
      {
        expectedVersion: state.version,
        state: { ...state, definition, version: state.version + 1 },
        ...{ newSnapshots: [], newLogEntries: [], addedPaths: STATISTICS },
      },
    ],
    transactions: [],
  })
})
afterEach(() => shop.close())

test('files of statistics are files without which a table is not whole', async () => {
  const locations: string[] = []
  for await (const { location } of namedFiles(shop.deps, shop.deps.catalog)) {
    locations.push(location)
  }
  expect(locations).toEqual(expect.arrayContaining(STATISTICS))
})

test('a rebuilt table knows its files of statistics, so that no purge deletes them', async () => {
  const { state } = await readTable(shop.deps, { table: 'a' })
  const { tableUuid } = state.definition
  await shop.deps.publisher.publish(tableUuid)
  const { deps } = await rebuiltOver(shop.deps)
  const known = await deps.catalog.paths.findKnown(tableUuid, STATISTICS)
  expect([...known].sort()).toEqual([...STATISTICS].sort())
})
