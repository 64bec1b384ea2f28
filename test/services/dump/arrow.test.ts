import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { jest } from '@jest/globals'
import { type Table, tableFromIPC } from 'apache-arrow'
import { createTable } from '../../../src/services/tables.ts'
import { commitRemoval } from '../../../src/services/transactions.ts'
import { append, Lake } from '../lake.ts'
import { SHARED_DATA } from '../workshop.ts'
import { type DumpShop, openDumpShop } from './dump-shop.ts'

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

const testWithShared = existsSync(SHARED_DATA) ? test : test.skip
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

async function createNumbers(): Promise<void> {
  const columns = [
    { name: 'n', type: 'long' },
    { name: 's', type: 'string' },
  ]
  await createTable(shop.deps, { name: 't', columns })
}

function write(name: string, rows: number): Promise<string> {
  const text = `CASE WHEN range % 3 > 0 THEN '${name}' || range END AS s`
  const query = `SELECT range AS n, ${text} FROM range(${rows})`
  return lake.write(`${shop.dataFolder}/${name}.parquet`, query)
}

async function makeArrow(table = 't'): Promise<Table> {
  const { bytes, index } = await shop.make(table, { format: 'arrow' })
  const read = tableFromIPC(bytes)
  expect(read.numRows).toBe(index.rowCount)
  return read
}

test('an Arrow dump is one stream of the batches of all files, in order', async () => {
  await createNumbers()
  await append(shop, 't', await write('b', 300_000), await write('a', 10))
  await append(shop, 't', await write('0', 5))
  const found = await makeArrow()
  const paths = ['a', 'b', '0'].map((name) => `'${shop.dataFolder}/${name}.parquet'`)
  const expected = await lake.query(`FROM read_parquet([${paths.join(', ')}])`)
  expect(found.schema.names).toEqual(['n', 's'])
  const rows = found.toArray().map((row) => ({ n: String(row.n), s: row.s }))
  expect(rows).toEqual(expected.map(({ n, s }) => ({ n: String(n), s })))
  await append(shop, 't', await write('c', 7))
  expect((await makeArrow()).numRows).toBe(300_022)
  expect(shop.counting.exports).toBe(4)
})

test('an Arrow dump of a table without rows has its columns', async () => {
  await createNumbers()
  await append(shop, 't', await write('a', 0))
  expect((await makeArrow()).schema.names).toEqual(['n', 's'])
  await commitRemoval(shop.deps, { table: 't', change: { removedPaths: [], truncate: true } })
  const empty = await makeArrow()
  expect([empty.numRows, empty.schema.names]).toEqual([0, ['n', 's']])
})

testWithShared('an Arrow dump of the security findings has the ids of all its files', async () => {
  const folder = join(SHARED_DATA, 'security_findings')
  const paths = (await readdir(folder)).sort().map((name) => join(folder, name))
  await createTable(shop.deps, { name: 'findings', inferFrom: paths[0] })
  await append(shop, 'findings', ...paths)
  const found = await makeArrow('findings')
  const expected = await lake.query(`SELECT id FROM read_parquet('${folder}/*.parquet')`)
  const ids = found.toArray().map(({ id }) => String(id))
  expect(ids).toEqual(expected.map(({ id }) => String(id)))
})
