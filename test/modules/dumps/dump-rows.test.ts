import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { jest } from '@jest/globals'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { append, Lake } from '../../lake/lake.ts'
import { givenFile } from '../../lake/trusted-caller.ts'
import { SHARED_DATA } from '../../lake/workshop.ts'
import { type DumpShop, openDumpShop } from './dump-shop.ts'
import { expectRowsInEveryFormat } from './every-format.ts'

const MISSIONS = 'missions/year_2024/month_03/day_17/as_at_20240317-235146'
const FLIGHTS = new URL(
  '../../../node_modules/vega-datasets/data/flights-20k.json',
  import.meta.url,
).pathname
const testWithShared = existsSync(SHARED_DATA) ? test : test.skip

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

let lake: Lake
let shop: DumpShop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openDumpShop()
})
afterEach(() => shop.close())

function queryOf(paths: readonly string[]): string {
  const files = paths.map((path) => `'${path}'`).join(', ')
  return `SELECT * FROM read_parquet([${files}], hive_partitioning = false)`
}

/** Commits the parts one after the other, and looks at every snapshot in every choice. */
async function checkEverySnapshot(
  table: string,
  parts: readonly (readonly string[])[],
): Promise<void> {
  await createTable(shop.deps, { name: table, inferFrom: givenFile(parts[0]?.[0]) })
  const snapshots: { id: string; paths: string[] }[] = []
  const paths: string[] = []
  for (const part of parts) {
    const id = String(await append(shop, table, ...part.toReversed()))
    // Of one commit the files come in the order of their paths.
    paths.push(...[...part].sort())
    snapshots.push({ id, paths: [...paths] })
  }
  for (const snapshot of snapshots) {
    const wish = { table, query: queryOf(snapshot.paths), snapshotIdentifier: snapshot.id }
    expect(await expectRowsInEveryFormat(shop, lake, wish)).toBeGreaterThan(0)
  }
}

testWithShared.each([['planets'], ['satellites'], ['astronauts'], ['space_missions']])(
  'a dump of %s has the rows of its file, in every format',
  async (name) => {
    await checkEverySnapshot(name, [[join(SHARED_DATA, `${name}.parquet`)]])
  },
)

testWithShared('dumps of the missions have their rows at each of three snapshots', async () => {
  const paths = (await readdir(join(SHARED_DATA, MISSIONS)))
    .filter((name) => name.endsWith('.parquet'))
    .sort()
    .map((name) => join(SHARED_DATA, MISSIONS, name))
  await checkEverySnapshot('missions', [paths.slice(4), paths.slice(0, 2), paths.slice(2, 4)])
})

testWithShared(
  'dumps of a hundred files of security findings have their rows at both snapshots',
  async () => {
    const folder = join(SHARED_DATA, 'security_findings')
    const paths = (await readdir(folder)).sort().map((name) => join(folder, name))
    await checkEverySnapshot('findings', [paths.slice(50), paths.slice(0, 50)])
  },
)

test('dumps of the flights have the rows of the months that were there', async () => {
  const months: string[][] = []
  for (let month = 1; month <= 3; month++) {
    const path = `${shop.dataFolder}/flights-${month}.parquet`
    const query = `SELECT strptime("date", '%Y/%m/%d %H:%M') AS at, * EXCLUDE ("date")
      FROM read_json('${FLIGHTS}', columns = {"date": 'VARCHAR', delay: 'INTEGER',
        distance: 'INTEGER', origin: 'VARCHAR', destination: 'VARCHAR'})`
    months.push([await lake.write(path, `FROM (${query}) WHERE month("at") = ${month}`)])
  }
  await checkEverySnapshot('flights', months)
})
