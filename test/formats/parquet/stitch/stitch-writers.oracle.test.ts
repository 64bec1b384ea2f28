import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  ownStitchSchema,
  physicalSchemaKey,
} from '../../../../src/formats/parquet/stitch/stitch-schema.ts'
import { findField } from '../../../../src/formats/parquet/thrift/thrift.ts'
import { getStruct, getStructs } from '../../../../src/formats/parquet/thrift/thrift-fields.ts'
import { type DuckDBFolder, openDuckDBFolder } from '../duckdb-file.ts'
import { footerOf } from '../sample-file.ts'
import { hyparquetRows, stitch } from './stitched-file.ts'

const FOLDER = resolve(fileURLToPath(import.meta.url), '../stitch-files')
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.parquet'))
const WRITERS = [...new Set(FILES.map((name) => name.replace(/-\d\.parquet$/, '')))]

let duckdb: DuckDBFolder
beforeAll(async () => {
  duckdb = await openDuckDBFolder()
})
afterAll(() => duckdb.close())

/** One on each column: what a page index or Bloom filter with old offsets would get wrong. */
const PREDICATES = [
  'id = 133',
  'id BETWEEN 118 AND 242',
  "name = 'name-3'",
  'name IS NULL',
  'price > 300 AND price <= 375.5',
  `"at" >= TIMESTAMP '2024-03-25 00:00:00'`,
  'small = 4',
  'flag',
  "id = 250 AND name = 'name-8'",
  "name = 'nobody'",
]

function pathsOf(writer: string): readonly string[] {
  return [0, 1, 2].map((part) => join(FOLDER, `${writer}-${part}.parquet`))
}
function read(paths: readonly string[]): readonly Uint8Array[] {
  return paths.map((path) => new Uint8Array(readFileSync(path)))
}
async function expectEqualRows(stitched: Uint8Array, paths: readonly string[]): Promise<void> {
  const path = duckdb.path('stitched.parquet')
  writeFileSync(path, stitched)
  const list = paths.map((part) => `'${part}'`).join(', ')
  for (const predicate of ['true', ...PREDICATES]) {
    const select = `SELECT id, name, price, "at"::TIMESTAMP, small, flag`
    const expected = await duckdb.rows(
      `${select} FROM read_parquet([${list}]) WHERE ${predicate} ORDER BY id`,
    )
    const found = await duckdb.rows(`${select} FROM '${path}' WHERE ${predicate}`)
    expect({ predicate, rows: found }).toEqual({ predicate, rows: expected })
  }
}

test('there are files of every writer', () => {
  expect(WRITERS.length).toBeGreaterThanOrEqual(6)
})

for (const writer of WRITERS) {
  describe(`files of ${writer}`, () => {
    const paths = pathsOf(writer)
    const parts = read(paths)

    test('stitched, DuckDB finds the rows of all of them under every predicate', async () => {
      await expectEqualRows(await stitch(parts), paths)
    })

    test('stitched, hyparquet reads the rows of all of them', async () => {
      const expected = (await Promise.all(parts.map(hyparquetRows))).flat()
      expect(expected.length).toBe(360)
      expect(await hyparquetRows(await stitch(parts))).toEqual(expected)
    })

    test('statistics stand as they were, indexes of pages are gone', async () => {
      const stitched = await footerOf(await stitch(parts))
      const footers = await Promise.all(parts.map((part) => footerOf(part)))
      const expected = footers.flatMap((footer) =>
        footer.rowGroups.flatMap((group) => group.columns.map((column) => column.statistics)),
      )
      const found = stitched.rowGroups.flatMap((group) => group.columns.map((c) => c.statistics))
      expect(found).toEqual(expected)
      for (const chunk of getStructs(stitched.thrift, 4).flatMap((group) => getStructs(group, 1))) {
        expect([4, 5, 6, 7].map((id) => findField(chunk, id))).toEqual(Array(4).fill(undefined))
        expect([14, 15].map((id) => findField(getStruct(chunk, 3), id))).toEqual([
          undefined,
          undefined,
        ])
      }
    })
  })
}

test('files of writers with one physical schema stand in one file', async () => {
  const byKey = new Map<string, string[]>()
  for (const writer of WRITERS) {
    const path = join(FOLDER, `${writer}-1.parquet`)
    const footer = await footerOf(new Uint8Array(readFileSync(path)))
    const key = physicalSchemaKey(ownStitchSchema(footer))
    byKey.set(key, [...(byKey.get(key) ?? []), writer])
  }
  const largest = [...byKey.values()].sort((a, b) => b.length - a.length)[0] ?? []
  expect(largest).toEqual(expect.arrayContaining(['polars', 'pyarrow-plain']))
  const paths = largest.map((writer, i) => join(FOLDER, `${writer}-${i % 3}.parquet`))
  const stitched = await stitch(read(paths))
  const path = duckdb.path('mixed.parquet')
  writeFileSync(path, stitched)
  const list = paths.map((part) => `'${part}'`).join(', ')
  const sql = 'SELECT count(*), sum(id), count(DISTINCT name), sum(price), max("at") FROM'
  expect(await duckdb.rows(`${sql} '${path}'`)).toEqual(
    await duckdb.rows(`${sql} read_parquet([${list}])`),
  )
})
