import { readFileSync, writeFileSync } from 'node:fs'
import { withoutArrowSchema } from '../../../../src/formats/parquet/arrow/without-arrow-schema.ts'
import { type DuckDBFolder, openDuckDBFolder } from '../duckdb-file.ts'

let duckdb: DuckDBFolder
beforeAll(async () => {
  duckdb = await openDuckDBFolder()
})
afterAll(() => duckdb.close())

let files = 0

async function write(rows: number, metadata: string): Promise<Buffer> {
  const path = duckdb.path(`f${files++}.parquet`)
  const query = `SELECT range AS n, md5(range::VARCHAR) AS s FROM range(${rows})`
  await duckdb.connection.run(
    `COPY (${query}) TO '${path}' (FORMAT parquet, COMPRESSION uncompressed, ` +
      `ROW_GROUP_SIZE 2048, KV_METADATA {${metadata}})`,
  )
  return readFileSync(path)
}

async function passed(bytes: Buffer, chunkBytes: number): Promise<Buffer> {
  const chunks = (async function* () {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
  })()
  const out: Uint8Array[] = []
  for await (const chunk of withoutArrowSchema(chunks)) out.push(chunk)
  return Buffer.concat(out)
}

async function query(bytes: Buffer, sql: (path: string) => string) {
  const path = duckdb.path(`f${files++}.parquet`)
  writeFileSync(path, bytes)
  const result = await duckdb.connection.runAndReadAll(sql(`'${path}'`))
  return result.getRowsJson()
}

const keys = (path: string) => `SELECT key::VARCHAR FROM parquet_kv_metadata(${path})`
const sums = (path: string) => `SELECT count(*), sum(n), md5(string_agg(s, '')) FROM ${path}`

test.each([
  [10, 1],
  [10, 1_000_000],
  [100_000, 65_536],
  [100_000, 3_000_000],
])(
  '%d rows in chunks of %d bytes lose the schema of Arrow and nothing else',
  async (rows, size) => {
    const bytes = await write(rows, `'ARROW:schema': 'AAAA', pandas: '{}'`)
    const out = await passed(bytes, size)
    expect(await query(out, keys)).toEqual([['pandas']])
    expect(await query(out, sums)).toEqual(await query(bytes, sums))
    expect(out.subarray(0, 100).equals(bytes.subarray(0, 100))).toBe(true)
  },
)

test('the only key goes with its list; a file without it passes unchanged', async () => {
  const only = await write(5, `'ARROW:schema': 'AAAA'`)
  expect(await query(await passed(only, 100), keys)).toEqual([])
  const other = await write(5, `pandas: 'ARROW:schema'`)
  expect((await passed(other, 100)).equals(other)).toBe(true)
})

test.each([
  ['nothing', Buffer.alloc(0)],
  ['a text', Buffer.from('ARROW:schema')],
  ['half a file', Buffer.from('PAR1ARROW:schema\xff\xff\xff\x00PAR1', 'latin1')],
])('%s passes unchanged', async (_, bytes) => {
  expect((await passed(bytes, 3)).equals(bytes)).toBe(true)
})
