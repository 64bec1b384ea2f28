import { schemaToJson } from '../../../src/formats/metadata/schema-json.ts'
import { snapshotFromJson } from '../../../src/formats/metadata/snapshot-json.ts'
import { requireOwnNames } from '../../../src/lake/file/own-names.ts'
import { pathsOfImported } from '../../../src/modules/iceberg-rest/snapshots/imported-paths.ts'
import { pathsOfNewSnapshots } from '../../../src/modules/iceberg-rest/snapshots/snapshot-paths.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { READS_ALL } from '../../lake/trusted-caller.ts'
import { openWorkshop, START_MS, type Workshop } from '../../lake/workshop.ts'
import { writeAppend } from './http/engine-client.ts'

/** For as many, each of the two loops takes several times as long as a turn may. */
const FILES = 100_000

/** What the metadata of a table without snapshots says. */
const NEW = { 'last-sequence-number': 0, 'last-updated-ms': START_MS }

let shop: Workshop
beforeAll(async () => {
  shop = await openWorkshop()
})
afterAll(() => shop.close())

/** Number of times that others have had a turn while it worked. */
async function turnsWhile(work: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let isOver = false
  const count = () => {
    turns += 1
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  await work()
  isOver = true
  return turns
}

test('a commit and a registration of very many files let others have turns', async () => {
  const { deps } = shop
  const columns = [{ name: 'n', type: 'long' }]
  const base = await createTable(deps, { name: 'many', columns })
  const { location, schemas } = base.definition
  const metadata = { location, schemas: schemas.map(schemaToJson), ...NEW }
  const names = Array.from({ length: FILES }, (_, i) => `${location}/data/${i}.parquet`)
  const half = FILES / 2
  for (const [snapshotId, status] of [
    [1n, 'added'],
    [2n, 'existing'],
  ] as const) {
    const files = snapshotId === 1n ? names.slice(0, half) : names.slice(half)
    const { json } = await writeAppend(metadata, { snapshotId, files, status })
    const newSnapshots = [snapshotFromJson(json)]
    const change = { state: base, newSnapshots }
    const paths = () => pathsOfNewSnapshots(deps, { base, change, requirePaths: READS_ALL })
    const { added } = await paths()
    expect(added).toHaveLength(half + 2)
    // What was read stays in memory, so that all is work of the loop.
    expect(await turnsWhile(paths)).toBeGreaterThan(2)
    const imported = () => pathsOfImported({ ...deps, requirePaths: READS_ALL }, base, newSnapshots)
    await imported()
    expect(await turnsWhile(imported)).toBeGreaterThan(1)
  }
})

test('so does looking for links among them', async () => {
  // Nothing is looked up for files that are elsewhere: all is work of the loop.
  const elsewhere = Array.from({ length: FILES }, (_, i) => `file:///elsewhere/${i}.parquet`)
  const { objects } = shop.deps
  expect(await turnsWhile(() => objects.findLinked(elsewhere))).toBeGreaterThan(2)
  expect(await turnsWhile(() => requireOwnNames(objects, elsewhere))).toBeGreaterThan(4)
})
