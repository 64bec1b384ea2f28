import { jest } from '@jest/globals'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { append, Lake } from '../../lake/lake.ts'
import { refusal } from '../../refusal.ts'
import { type DumpShop, type MadeDump, openDumpShop } from './dump-shop.ts'
import { expectRows } from './row-check.ts'

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

/** Several row groups each; `type` of the column `n` decides whether the file can be copied. */
async function file(name: string, type: 'BIGINT' | 'INTEGER'): Promise<string> {
  const query = `SELECT range::${type} AS n, '${name}' || range AS s FROM range(5000)`
  await append(
    shop,
    't',
    await lake.write(`${shop.dataFolder}/${name}.parquet`, query, ', ROW_GROUP_SIZE 2048'),
  )
  return `SELECT n::BIGINT AS n, s FROM read_parquet('${shop.dataFolder}/${name}.parquet')`
}

async function hyparquetRows({ bytes }: MadeDump): Promise<unknown[]> {
  const copy = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
  return parquetReadObjects({ file: copy as ArrayBuffer, compressors })
}

test.each([
  ['all files are copied', ['BIGINT', 'BIGINT', 'BIGINT'], 0],
  ['some files are rewritten', ['BIGINT', 'INTEGER', 'BIGINT', 'INTEGER'], 2],
  ['all files are rewritten', ['INTEGER', 'INTEGER', 'INTEGER'], 3],
] as const)('%s, and every row is there once, in order', async (_, types, exportsMax) => {
  const queries: string[] = []
  for (const [i, type] of types.entries()) queries.push(await file(`f${i}`, type))
  const dump = await shop.make('t', { format: 'parquet' })
  expect(shop.counting.exports).toBe(exportsMax)
  const query = queries.join(' UNION ALL ')
  expect(await expectRows(shop, lake, { dump, query })).toBe(types.length * 5000)
  const rows = await hyparquetRows(dump)
  const expected = types.flatMap((_type, i) =>
    Array.from({ length: 5000 }, (_row, n) => ({ n: BigInt(n), s: `f${i}${n}` })),
  )
  expect(rows).toEqual(expected)
})

test('the next snapshot takes rewritten files over', async () => {
  await file('a', 'INTEGER')
  await file('b', 'BIGINT')
  await shop.make('t', { format: 'parquet' })
  const before = shop.counting.exports
  const query = ['a', 'b'].map(
    (name) => `SELECT n::BIGINT AS n, s FROM read_parquet('${shop.dataFolder}/${name}.parquet')`,
  )
  query.push(await file('c', 'BIGINT'))
  const dump = await shop.make('t', { format: 'parquet' })
  expect(shop.counting.exports - before).toBeLessThanOrEqual(1)
  await expectRows(shop, lake, { dump, query: query.join(' UNION ALL ') })
})

test('compression around a Parquet file is refused', async () => {
  await file('a', 'BIGINT')
  const error = await refusal(shop.make('t', { format: 'parquet', compression: 'gzip' }))
  expect(error.code).toBe('request-invalid')
})
