import { jest } from '@jest/globals'
import { tableFromIPC } from 'apache-arrow'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { append, Lake } from '../../lake/lake.ts'
import { type DumpShop, openDumpShop } from './dump-shop.ts'

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
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'n', type: 'long' },
      { name: 's', type: 'string' },
    ],
  })
})
afterEach(() => shop.close())

async function appendRows(name: string, type: 'BIGINT' | 'INTEGER', rows: number): Promise<void> {
  const query = `SELECT range::${type} AS n, '${name}' || range AS s FROM range(${rows})`
  await append(shop, 't', await lake.write(`${shop.dataFolder}/${name}.parquet`, query))
}

async function rowsOfDump(): Promise<unknown[]> {
  const { bytes, index } = await shop.make('t', { format: 'arrow' })
  const table = tableFromIPC(bytes)
  expect(index.rowCount).toBe(table.numRows)
  return table.toArray().map(({ n, s }) => [n, s])
}

function rowsOf(name: string, rows: number): unknown[] {
  return Array.from({ length: rows }, (_, i) => [BigInt(i), `${name}${i}`])
}

test('an Arrow dump is one stream of all files’ rows, whatever their types', async () => {
  await appendRows('none', 'BIGINT', 0)
  await appendRows('a', 'INTEGER', 3)
  await appendRows('b', 'BIGINT', 9_000)
  expect(await rowsOfDump()).toEqual([...rowsOf('a', 3), ...rowsOf('b', 9_000)])
})

test('the next Arrow dump of a growing table converts only what is new', async () => {
  await appendRows('a', 'BIGINT', 3)
  await rowsOfDump()
  await appendRows('b', 'BIGINT', 2)
  const { exports } = shop.counting
  expect(await rowsOfDump()).toEqual([...rowsOf('a', 3), ...rowsOf('b', 2)])
  expect(shop.counting.exports).toBe(exports + 1)
})
