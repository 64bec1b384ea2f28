import { readFile, writeFile } from 'node:fs/promises'
import { jest } from '@jest/globals'
import { parseFooter } from '../../../src/formats/parquet/footer/footer.ts'
import { withFields, withoutFields } from '../../../src/formats/parquet/stitch/thrift-edit.ts'
import { THRIFT, writeThriftStruct } from '../../../src/formats/parquet/thrift/thrift.ts'
import { getStructs } from '../../../src/formats/parquet/thrift/thrift-fields.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { append, Lake } from '../../lake/lake.ts'
import { type DumpShop, openDumpShop } from './dump-shop.ts'

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

const TRAILER_BYTES = 8
/** Fields of FileMetaData and SchemaElement. */
const SCHEMA = 2
const ANNOTATIONS = new Set([6, 10])

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

function create(columns: readonly { readonly name: string; readonly type: unknown }[]) {
  return createTable(shop.deps, { name: 't', columns })
}

/** A file whose columns of UUIDs are bytes of the same length: DuckDB writes no others. */
async function writeFixed(name: string, query: string): Promise<string> {
  const path = await lake.write(`${shop.dataFolder}/${name}.parquet`, query)
  const bytes = await readFile(path)
  const footerEnd = bytes.length - TRAILER_BYTES
  const footerStart = footerEnd - bytes.readUInt32LE(footerEnd)
  const sizeBytes = bytes.length
  const { thrift } = parseFooter(bytes.subarray(footerStart, footerEnd), { sizeBytes })
  const structs = getStructs(thrift, SCHEMA).map((each) => withoutFields(each, ANNOTATIONS))
  const value = { elementType: THRIFT.STRUCT, values: structs }
  const schema = { id: SCHEMA, type: THRIFT.LIST, value }
  const footer = writeThriftStruct(withFields(thrift, [schema]))
  const trailer = Buffer.from('\0\0\0\0PAR1', 'latin1')
  trailer.writeUInt32LE(footer.length)
  await writeFile(path, Buffer.concat([bytes.subarray(0, footerStart), footer, trailer]))
  return path
}

async function rowsOfDump(): Promise<unknown> {
  const { bytes } = await shop.make('t', { format: 'parquet' })
  const path = `${shop.dataFolder}/dump.parquet`
  await writeFile(path, bytes)
  const types = `SELECT DISTINCT type FROM parquet_schema('${path}') WHERE name = 'x'`
  expect(await lake.query(types)).toEqual([{ type: 'FIXED_LEN_BYTE_ARRAY' }])
  return lake.query(`SELECT i, hex(x::BLOB) AS x FROM '${path}' ORDER BY i`)
}

test('a file that lacks a column of fixed is rewritten, beside one that has it', async () => {
  await create([
    { name: 'i', type: 'long' },
    { name: 'x', type: 'fixed(16)' },
  ])
  const uuid = "'00112233-4455-6677-8899-aabbccddeeff'::UUID"
  await append(shop, 't', await writeFixed('both', `SELECT 1::BIGINT AS i, ${uuid} AS x`))
  const whole = { i: '1', x: '00112233445566778899AABBCCDDEEFF' }
  expect(await rowsOfDump()).toEqual([whole])
  expect(shop.counting.exports).toBe(0)

  const path = `${shop.dataFolder}/lacking.parquet`
  await append(shop, 't', await lake.write(path, 'SELECT 2::BIGINT AS i'))
  expect(await rowsOfDump()).toEqual([whole, { i: '2', x: null }])
})

test('fixed inside of other types is rewritten too', async () => {
  await create([
    { name: 'i', type: 'long' },
    { name: 'x', type: 'fixed(3)' },
    { name: 'l', type: { type: 'list', element: 'fixed(3)' } },
    { name: 'm', type: { type: 'map', key: 'string', value: 'fixed(3)' } },
  ])
  await append(
    shop,
    't',
    await lake.write(`${shop.dataFolder}/lacking.parquet`, 'SELECT 1::BIGINT AS i'),
  )
  expect(await rowsOfDump()).toEqual([{ i: '1', x: null }])
})

test('a table of fixed columns without a row has a dump', async () => {
  await create([
    { name: 'i', type: 'long' },
    { name: 'x', type: 'fixed(3)' },
  ])
  const path = await lake.write(`${shop.dataFolder}/none.parquet`, 'SELECT 1::BIGINT AS i LIMIT 0')
  await append(shop, 't', path)
  expect(await rowsOfDump()).toEqual([])
})

test('a rewrite of the table keeps fixed, which every reader of Iceberg requires', async () => {
  await create([
    { name: 'i', type: 'long' },
    { name: 'x', type: 'fixed(16)' },
  ])
  const uuid = "'00112233-4455-6677-8899-aabbccddeeff'::UUID"
  await append(shop, 't', await writeFixed('long', `SELECT 1::BIGINT AS i, ${uuid} AS x`))
  const changes = [{ op: 'type', name: 'i', type: 'double' }] as const
  await evolveTable(shop.deps, 't', { changes })
  expect(await rowsOfDump()).toEqual([{ i: 1, x: '00112233445566778899AABBCCDDEEFF' }])
  // The row groups of what the table holds now are copied as they are.
  expect(shop.counting.exports).toBe(0)
})
