import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dateText, timestampText } from '../../../src/core/value/date-time.ts'
import { withFields, withoutFields } from '../../../src/formats/parquet/stitch/thrift-edit.ts'
import { THRIFT } from '../../../src/formats/parquet/thrift/thrift.ts'
import { annotate, editColumns, editElements, rename } from '../../formats/parquet/edited-footer.ts'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { forgetFooter } from '../../lake/forget-footer.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'

let folder: string
let service: TestService

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moraine-unsupported-'))
  service = await startTestService({ allowedLocations: [folder] })
})
afterAll(async () => {
  await service.close()
  rmSync(folder, { recursive: true })
})

/** Converted types of parquet.thrift. */
const DATE = 6
const TIME_MILLIS = 7
const TIME_MICROS = 8
const TIMESTAMP_MILLIS = 9
const TIMESTAMP_MICROS = 10
/** Fields of ColumnMetaData. */
const ENCODINGS = 2
const CODEC = 4
const STATISTICS = 12

let files = 0
function write(query: string): Promise<string> {
  files++
  return writeParquet(join(folder, `f${files}.parquet`), query)
}

/** A file with the numbers as a column `v` of the converted type. */
async function writeAs(
  convertedType: number,
  values: readonly (number | bigint)[],
  sqlType = 'BIGINT',
): Promise<string> {
  const rows = values.map((value) => `(CAST('${value}' AS ${sqlType}))`).join(', ')
  const path = await write(`SELECT v FROM (VALUES ${rows}) AS t(v)`)
  annotate(path, 'v', convertedType)
  return path
}

function withoutStatistics(path: string): void {
  editColumns(path, (column) => withoutFields(column, new Set([STATISTICS])))
}

let tables = 0
async function newTable(path: string): Promise<string> {
  tables++
  await must(post(service, '/v1/tables', { name: `t${tables}`, infer_from: path }), 201)
  return `t${tables}`
}

function add(table: string, path: string) {
  return post(service, `/v1/tables/${table}/files`, { files: [{ path }] })
}

function dump(table: string, format: string) {
  return ask(service, `/v1/tables/${table}/dump?format=${format}`)
}

function rowsOf(table: string): Promise<string[]> {
  return rowsOfColumn(table, 'v') as Promise<string[]>
}

async function rowsOfColumn(table: string, column: string): Promise<unknown[]> {
  const answer = await dump(table, 'ndjson')
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line)[column])
}

describe('pages that the engine cannot read are refused when the file is added', () => {
  test.each([
    [5, 'LZ4 in its legacy form'],
    [3, 'LZO'],
    [8, 'codec 8'],
  ])('codec %d', async (codec, told) => {
    const path = await write('SELECT 1::BIGINT AS v, 2 AS w')
    const table = await newTable(path)
    const field = { id: CODEC, type: THRIFT.I32, value: codec }
    editColumns(path, (column, i) => (i === 0 ? withFields(column, [field]) : column))
    const refused = await add(table, path)
    expect(refused).toMatchObject({ status: 422, body: { type: '/problems/file-unsupported' } })
    expect(refused.body.columns).toEqual([
      { column: 'v', problem: expect.stringContaining(`${told}: write the file again`) },
    ])
    expect(await must(ask(service, `/v1/tables/${table}`))).toMatchObject({ snapshot: null })
  })

  test.each([
    [9, 'BIGINT', 'INT64 in BYTE_STREAM_SPLIT'],
    [9, 'VARCHAR', 'BYTE_ARRAY in BYTE_STREAM_SPLIT'],
    [10, 'DOUBLE', 'DOUBLE in encoding 10'],
  ])('encoding %d of %s', async (encoding, type, told) => {
    const path = await write(`SELECT CAST(1 AS ${type}) AS v`)
    const table = await newTable(path)
    const value = { elementType: THRIFT.I32, values: [0, encoding] }
    const field = { id: ENCODINGS, type: THRIFT.LIST, value }
    editColumns(path, (column) => withFields(column, [field]))
    const refused = await add(table, path)
    expect(refused).toMatchObject({ status: 422, body: { type: '/problems/file-unsupported' } })
    expect(refused.body.columns[0].problem).toContain(told)
  })

  test.each(['snappy', 'gzip', 'brotli', 'zstd', 'lz4_raw', 'uncompressed'])(
    '%s is read',
    async (codec) => {
      const path = join(folder, `codec-${codec}.parquet`)
      await querySql(
        `COPY (SELECT 'aaaaaaaaaaaaaaaaaaaaaaaa' AS v) ` +
          `TO '${path}' (FORMAT parquet, CODEC '${codec}')`,
      )
      const table = await newTable(path)
      await must(add(table, path))
      expect(await rowsOf(table)).toEqual(['aaaaaaaaaaaaaaaaaaaaaaaa'])
    },
  )

  test('the dump of a file that was in the table before calls it unsupported', async () => {
    const path = await write("SELECT 'a' AS v")
    const table = await newTable(path)
    await must(add(table, path))
    const field = { id: CODEC, type: THRIFT.I32, value: 5 }
    editColumns(path, (column) => withFields(column, [field]))
    await forgetFooter(service.deps.catalog, table, `file://${path}`)
    for (const format of ['csv', 'ndjson', 'arrow']) {
      const refused = await dump(table, format)
      expect(refused).toMatchObject({ status: 422, body: { type: '/problems/file-unsupported' } })
      expect(refused.body.detail).toContain('LZ4 in its legacy form')
    }
  })
})

test('times in milliseconds are read, and told as what other engines refuse', async () => {
  const path = await writeAs(TIME_MILLIS, [1_500], 'INTEGER')
  const table = await newTable(path)
  const { files: added } = await must(add(table, path))
  expect(added).toMatchObject([{ notes: ['v: TIME_MILLIS: PyIceberg refuses it'] }])
  expect((await dump(table, 'ndjson')).text).toContain('00:00:01.5')
})

describe('times that a table cannot hold are refused when the file is added', () => {
  const day = 86_400_000
  test.each([
    ['24:00 in milliseconds', TIME_MILLIS, [0, day], 'INTEGER'],
    ['a negative time in milliseconds', TIME_MILLIS, [-1], 'INTEGER'],
    ['24:00 in microseconds', TIME_MICROS, [0, day * 1000], 'BIGINT'],
    ['a negative time in microseconds', TIME_MICROS, [-1], 'BIGINT'],
    ['milliseconds that overflow', TIMESTAMP_MILLIS, [0, 9_223_372_036_854_776n], 'BIGINT'],
    ['negative ones', TIMESTAMP_MILLIS, [-9_223_372_036_854_776n], 'BIGINT'],
    ['those that DuckDB calls infinite', TIMESTAMP_MILLIS, [2n ** 63n - 1n], 'BIGINT'],
  ])('%s', async (_, convertedType, values, sqlType) => {
    const path = await writeAs(convertedType, values, sqlType)
    const table = await newTable(path)
    const refused = await add(table, path)
    expect(refused).toMatchObject({ status: 422, body: { type: '/problems/file-unsupported' } })
    expect(refused.body.columns).toEqual([{ column: 'v', problem: expect.any(String) }])

    // Where the footer does not tell, no text says another time than the file holds.
    withoutStatistics(path)
    await must(add(table, path))
    const answer = await dump(table, 'ndjson')
    expect(answer).toMatchObject({ status: 422, body: { type: '/problems/file-unsupported' } })
    // The header line of CSV may be sent before the refusal, which then breaks the answer off.
    expect(await dump(table, 'csv').catch(() => ({ status: 422 }))).toMatchObject({ status: 422 })
  })

  /** DuckDB writes none: its intervals have the same twelve bytes. */
  async function writeInt96(days: readonly number[]): Promise<string> {
    const rows = days.map((day) => `(to_milliseconds(${day}))`).join(', ')
    const path = await write(`SELECT v FROM (VALUES ${rows}) AS t(v)`)
    const type = { id: 1, type: THRIFT.I32, value: 3 }
    editElements(path, (element, i) =>
      i === 0 ? element : withFields(withoutFields(element, new Set([2, 6, 10])), [type]),
    )
    editColumns(path, (column) => withFields(withoutFields(column, new Set([STATISTICS])), [type]))
    return path
  }
  const julianEpoch = 2_440_588

  test.each([106_751_991, 2 ** 31 - 1 - julianEpoch, -106_751_992])(
    'INT96 of the day %d, where its statistics tell',
    async (day) => {
      const path = await writeInt96([julianEpoch])
      const table = await newTable(path)
      editColumns(path, (column) => {
        const bound = new Uint8Array(12)
        new DataView(bound.buffer).setInt32(8, julianEpoch + day, true)
        const value = { fields: [{ id: day > 0 ? 5 : 6, type: THRIFT.BINARY, value: bound }] }
        return withFields(column, [{ id: STATISTICS, type: THRIFT.STRUCT, value }])
      })
      const refused = await add(table, path)
      expect(refused).toMatchObject({ status: 422, body: { type: '/problems/file-unsupported' } })
      expect(refused.body.columns).toEqual([{ column: 'v', problem: expect.any(String) }])
    },
  )

  test('INT96 beyond 64 bits of nanoseconds is taken, and right in text', async () => {
    const days = [0, 106_752, 2_932_896, -719_162]
    const path = await writeInt96(days.map((day) => julianEpoch + day))
    const table = await newTable(path)
    await must(add(table, path))
    expect(await rowsOf(table)).toEqual(days.map((day) => `${dateText(day)}T00:00:00.000000`))
  })

  test('inside a list, too', async () => {
    const path = await write(`SELECT [TIME '24:00:00'] AS v`)
    expect(await add(await newTable(path), path)).toMatchObject({ status: 422 })
  })

  test('the last microsecond of a day, and the last whole milliseconds, are taken', async () => {
    const time = await writeAs(TIME_MICROS, [day * 1000 - 1])
    const table = await newTable(time)
    await must(add(table, time))
    expect(await rowsOf(table)).toEqual(['23:59:59.999999'])
    const ends = [9_223_372_036_854_775n, -9_223_372_036_854_775n]
    const moments = await writeAs(TIMESTAMP_MILLIS, ends)
    const other = await newTable(moments)
    await must(add(other, moments))
    const texts = ends.map((millis) => `${timestampText(millis * 1000n, 6)}+00:00`)
    expect(await rowsOf(other)).toEqual(texts)
  })
})

describe('text that is not UTF-8', () => {
  const STRING = 0
  /** Bytes that are called a text. */
  async function writeText(texts: readonly string[]): Promise<string> {
    const rows = texts.map((text) => `('${text}'::BLOB, 1)`).join(', ')
    const path = await write(`SELECT {n: n, v: v} AS s FROM (VALUES ${rows}) AS t(v, n)`)
    annotate(path, 'v', STRING)
    return path
  }

  test.each([['\\xFFa'], ['a\\xE9b'], ['\\xC3\\xA9', '\\xA0']])(
    'bounds like %s are refused when the file is added',
    async (...texts) => {
      const path = await writeText(texts)
      const refused = await add(await newTable(path), path)
      expect(refused).toMatchObject({ status: 422, body: { type: '/problems/file-unsupported' } })
      const problem = expect.stringContaining('not UTF-8')
      expect(refused.body.columns).toEqual([{ column: 's.v', problem }])
    },
  )

  test('a bound that is cut within a character is none of them', async () => {
    const path = await writeText(['\\xC3\\xA9'])
    const table = await newTable(path)
    editColumns(path, (column, i) => {
      if (i === 0) return column
      const cut = { id: 6, type: THRIFT.BINARY, value: Uint8Array.of(0xc3) }
      const value = { fields: [cut] }
      return withFields(column, [{ id: STATISTICS, type: THRIFT.STRUCT, value }])
    })
    await must(add(table, path))
    expect(await rowsOfColumn(table, 's')).toEqual([{ n: 1, v: 'é' }])
  })

  test('is refused by its dump, which names the file and the column', async () => {
    const path = await writeText(['a', 'a\\xE9b', 'b'])
    const table = await newTable(path)
    withoutStatistics(path)
    await must(add(table, path))
    for (const format of ['csv', 'ndjson', 'arrow']) {
      const refused = await dump(table, format).catch(() => undefined)
      if (format === 'csv' && refused === undefined) continue
      expect(refused).toMatchObject({ status: 422, body: { type: '/problems/file-unsupported' } })
      expect(refused?.body).toMatchObject({ column: 's', path: expect.stringContaining(path) })
      expect(refused?.body.detail).toContain('column s')
    }
  })
})

describe('a map with a key twice', () => {
  /** DuckDB makes none: a name of another length is put in the place of one of the keys. */
  async function writeMap(): Promise<string> {
    files++
    const path = join(folder, `f${files}.parquet`)
    const map = "map(['key-one', 'other', 'key-two'], [10.5, 20.5, 30.5]::DOUBLE[])"
    await querySql(
      `COPY (SELECT ${map} AS m, 1::BIGINT AS n) ` +
        `TO '${path}' (FORMAT parquet, CODEC 'uncompressed')`,
    )
    const bytes = readFileSync(path)
    for (let at = bytes.indexOf('key-two'); at >= 0; at = bytes.indexOf('key-two')) {
      bytes.write('key-one', at)
    }
    writeFileSync(path, bytes)
    return path
  }

  test('has its last value in text, also where other columns are written again', async () => {
    const path = await writeMap()
    const table = await newTable(path)
    await must(add(table, path))
    const last = [{ other: 20.5, 'key-one': 30.5 }]
    expect(await rowsOfColumn(table, 'm')).toEqual(last)
    expect((await dump(table, 'csv')).text).toContain('{""other"":20.5,""key-one"":30.5}')
    // Its entries are elements, in their order.
    expect((await dump(table, 'xml')).text).toContain(
      '<value key="other">20.5</value><value key="key-one">30.5</value></m>',
    )
    for (const format of ['arrow', 'parquet']) expect((await dump(table, format)).status).toBe(200)
    const changes = [{ op: 'type', name: 'n', type: 'double' }]
    await must(post(service, `/v1/tables/${table}/schemas`, { changes }))
    expect(await rowsOfColumn(table, 'm')).toEqual(last)
  })
})

describe('every day and microsecond of the type has its text', () => {
  const days = [0, 2 ** 31 - 1, 2 ** 31 - 2, 2_932_897, -719_529, -(2 ** 31) + 1, -(2 ** 31)]
  test.each([true, false])('dates, with statistics: %s', async (hasStatistics) => {
    const path = await writeAs(DATE, days, 'INTEGER')
    if (!hasStatistics) withoutStatistics(path)
    const table = await newTable(path)
    await must(add(table, path))
    const texts = days.map(dateText)
    expect(await rowsOf(table)).toEqual(texts)
    expect((await dump(table, 'csv')).text).toBe(`v\n${texts.join('\n')}\n`)
  })

  const last = 2n ** 63n - 1n
  const moments = [
    ...[0n, last, last - 1n, last - 86_400_000_000n, 253_402_300_800_000_000n],
    ...[-1n, -62_135_596_800_000_001n, -last - 1n, -last, -last + 1n, -last + 86_400_000_000n],
  ]
  test.each([true, false])('timestamps, with statistics: %s', async (hasStatistics) => {
    const path = await writeAs(TIMESTAMP_MICROS, moments)
    if (!hasStatistics) withoutStatistics(path)
    const table = await newTable(path)
    await must(add(table, path))
    const texts = moments.map((micros) => timestampText(micros, 6))
    expect(await rowsOf(table)).toEqual(texts.map((text) => `${text}+00:00`))
    const csv = texts.map((text) => `${text.replace('T', ' ').replace(/\.?0+$/, '')}+00:00`)
    const lines = (await dump(table, 'csv')).text.split('\n').slice(1, -1)
    expect(lines.map((line) => line.replace(/(:\d\d(?:\.\d*[1-9])?)\.?0*\+/, '$1+'))).toEqual(
      csv.map((line) => line.replace(/ (\d\d:\d\d)\+/, ' $1:00+')),
    )
  })

  test('timestamps without a zone, as DuckDB writes its infinite ones', async () => {
    const path = await write(
      "SELECT unnest(['infinity', '-infinity', '1969-12-31 23:59:59.999999'])::TIMESTAMP AS v",
    )
    const table = await newTable(path)
    await must(add(table, path))
    expect(await rowsOf(table)).toEqual(
      [last, -last, -1n].map((micros) => timestampText(micros, 6)),
    )
  })

  test('and a rewrite of the file keeps them', async () => {
    const rows = moments.map((micros) => `('${micros}'::BIGINT, 1::BIGINT)`).join(', ')
    const path = await write(`SELECT * FROM (VALUES ${rows}) AS t(v, n)`)
    annotate(path, 'v', TIMESTAMP_MICROS)
    const table = await newTable(path)
    await must(add(table, path))
    const changes = [{ op: 'type', name: 'n', type: 'double' }]
    await must(post(service, `/v1/tables/${table}/schemas`, { changes }))
    const texts = moments.map((micros) => `${timestampText(micros, 6)}+00:00`)
    expect(await rowsOf(table)).toEqual(texts)
    for (const format of ['parquet', 'arrow']) expect((await dump(table, format)).status).toBe(200)
  })
})

describe('names of columns', () => {
  test.each(['', '\u0000', 'a\u0001', 'x'.repeat(256)])(
    'a file with the name %j makes no table',
    async (name) => {
      for (const from of ['v', 'w']) {
        const path = await write('SELECT 1 AS v, {w: 1} AS s')
        rename(path, from, name)
        const refused = await post(service, '/v1/tables', { name: 'never', infer_from: path })
        expect(refused.status).toBe(422)
      }
    },
  )

  test('a byte order mark in front of a name is a part of it', async () => {
    const path = await write('SELECT 1 AS "\ufeffv"')
    const table = await newTable(path)
    await must(add(table, path))
    expect((await dump(table, 'csv')).text).toBe('\ufeffv\n1\n')
    expect((await dump(table, 'ndjson')).text).toBe('{"\ufeffv":1}\n')
  })
})
