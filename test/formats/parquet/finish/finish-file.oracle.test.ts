import { readFileSync, writeFileSync } from 'node:fs'
import type { Field, Type } from '../../../../src/core/value/type.ts'
import { finishFile } from '../../../../src/formats/parquet/finish/finish-file.ts'
import { parseFooter } from '../../../../src/formats/parquet/footer/footer.ts'
import {
  getNumber,
  getStruct,
  getStructs,
} from '../../../../src/formats/parquet/thrift/thrift-fields.ts'
import { type DuckDBFolder, openDuckDBFolder } from '../duckdb-file.ts'

let duckdb: DuckDBFolder
beforeAll(async () => {
  duckdb = await openDuckDBFolder()
})
afterAll(() => duckdb.close())

const field = (id: number, name: string, type: Type): Field => ({ id, name, required: false, type })
const FIXED = { kind: 'fixed', length: 4 } as const
const LIST = { kind: 'list', elementId: 4, elementRequired: false, element: FIXED } as const
const FIELDS = [
  field(1, 'I', { kind: 'long' }),
  field(2, 'i', FIXED),
  field(3, 'Lists', LIST),
  field(5, '', { kind: 'string' }),
]
const IDS = 'FIELD_IDS {a: 1, b: 2, c: {__duckdb_field_id: 3, element: 4}, d: 5}'
const bytesOf = (value: string) => `unhex(printf('%08x', CAST(${value} AS BIGINT)))`

async function finished(name: string, value: string, codec: string, fields = FIELDS) {
  const [from, to] = [duckdb.path(`${name}-from.parquet`), duckdb.path(`${name}-to.parquet`)]
  await duckdb.connection.run(
    `COPY (SELECT range AS a, CASE WHEN range % 3 > 0 THEN ${bytesOf(value)} END AS b,
       CASE WHEN range % 5 > 0 THEN [NULL, ${bytesOf(value)}] END AS c, 's' || (${value}) AS d
       FROM range(5000)) TO '${from}'
     (FORMAT parquet, COMPRESSION ${codec}, ROW_GROUP_SIZE 2048, ${IDS})`,
  )
  const source = readFileSync(from)
  const written: Uint8Array[] = []
  const read = (offset: number, lengthBytes: number) =>
    source.subarray(offset, offset + lengthBytes)
  const write = (bytes: Uint8Array) => written.push(Uint8Array.from(bytes))
  finishFile({ sizeBytes: source.length, read, write }, { fields })
  writeFileSync(to, Buffer.concat(written))
  return { from, to }
}

function footerOf(path: string) {
  const bytes = readFileSync(path)
  const end = bytes.length - 8
  const start = end - bytes.readUInt32LE(end)
  return parseFooter(bytes.subarray(start, end), { sizeBytes: bytes.length })
}

describe.each(['zstd', 'uncompressed'])('a file of %s', (codec) => {
  test.each([
    ['pages of values', 'range'],
    ['dictionaries', 'range % 7'],
  ])('with %s is fixed and renamed, and has its rows', async (name, value) => {
    const { from, to } = await finished(`${codec}-${name}`, value, codec)
    const rows = (path: string) =>
      duckdb.rows(`SELECT a, hex(b), list_transform(c, lambda x: hex(x)), d
        FROM read_parquet('${path}') AS t(a, b, c, d)`)
    expect(await rows(to)).toEqual(await rows(from))
    const footer = footerOf(to)
    expect(
      footer.leaves.map(({ path, physicalType, typeLength }) => [path, physicalType, typeLength]),
    ).toEqual([
      [['I'], 'INT64', undefined],
      [['i'], 'FIXED_LEN_BYTE_ARRAY', 4],
      [['Lists', 'list', 'element'], 'FIXED_LEN_BYTE_ARRAY', 4],
      [[''], 'BYTE_ARRAY', undefined],
    ])
    expect(footer.rowGroups).toHaveLength(3)
  })

  test.each(['range', 'range % 7'])('of %s says where everything is', async (value) => {
    const { to } = await finished(`${codec}-places`, value, codec)
    const { rowGroups, thrift, footerOffset } = footerOf(to)
    let at = 4
    for (const [i, group] of rowGroups.entries()) {
      const struct = getStructs(thrift, 4)[i]
      if (struct === undefined) throw new Error('no row group')
      expect(getNumber(struct, 5)).toBe(at)
      for (const { dictionaryPageOffset, dataPageOffset, compressedBytes } of group.columns) {
        expect(dictionaryPageOffset ?? dataPageOffset).toBe(at)
        at += compressedBytes
      }
      const sum = (of: 'compressedBytes' | 'uncompressedBytes') =>
        group.columns.reduce((total, column) => total + column[of], 0)
      expect([getNumber(struct, 2), getNumber(struct, 6)]).toEqual([
        sum('uncompressedBytes'),
        sum('compressedBytes'),
      ])
      // Headers count, too.
      const isSame = sum('uncompressedBytes') === sum('compressedBytes')
      expect(isSame).toBe(codec === 'uncompressed')
      const types = getStructs(struct, 1).map((chunk) => getNumber(getStruct(chunk, 3), 1))
      expect(types).toEqual([2, 7, 7, 6])
    }
    expect(at).toBe(footerOffset)
  })
})

test('a codec that is not the engine’s own is an error', async () => {
  await expect(finished('snappy', 'range', 'snappy')).rejects.toThrow('codec')
})
