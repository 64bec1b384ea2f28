import {
  copyFileSync,
  createReadStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sweepUnfinished } from '../../../src/lake/deletion/sweep-unfinished.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { asNulls } from '../../formats/parquet/edited-footer.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { oldFile } from '../../lake/deletion/old-file.ts'
import { testOfFiles } from '../../objects/stores/test-store.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'

const TWO_DAYS_MS = 2 * 86_400_000
let folder: string
let service: TestService

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moraine-types-'))
  service = await startTestService({ allowedLocations: [folder] })
})
afterAll(async () => {
  await service.close()
  rmSync(folder, { recursive: true })
})

let files = 0
/** A file of the query's rows, whose columns of these names have the type NULL, as of pandas. */
async function write(query: string, nullNames: readonly string[] = []): Promise<string> {
  const path = await writeParquet(join(folder, `f${++files}.parquet`), query)
  asNulls(path, nullNames)
  return path
}

let tables = 0
async function newTable(columns: readonly object[], more: object = {}): Promise<string> {
  const name = `t${++tables}`
  await must(post(service, '/v1/tables', { name, schema: { columns }, ...more }), 201)
  return name
}

function upload(table: string, path: string) {
  const headers = { 'Content-Type': 'application/vnd.apache.parquet' }
  return ask(service, `/v1/tables/${table}/files`, { raw: readFileSync(path), headers })
}

function add(table: string, path: string) {
  return post(service, `/v1/tables/${table}/files`, { files: [{ path }] })
}

async function rowsOf(table: string): Promise<Json[]> {
  const { text } = await ask(service, `/v1/tables/${table}/dump?format=ndjson`)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

const NESTED = {
  list: { type: 'list', element: 'string', 'element-id': 90, 'element-required': false },
  struct: {
    type: 'struct',
    fields: [{ id: 91, name: 'x', type: 'long', required: false }],
  },
}

test.each<[unknown]>(
  [
    ...['boolean', 'int', 'long', 'float', 'double', 'date', 'time', 'timestamp', 'timestamptz'],
    ...['string', 'uuid', 'binary', 'fixed[4]', 'decimal(9,2)', NESTED.list, NESTED.struct],
  ].map((type) => [type] as [unknown]),
)('a column without any value is uploaded into one of type %j', async (type) => {
  const table = await newTable([
    { name: 'n', type: 'long' },
    { name: 'v', type },
  ])
  const path = await write('SELECT range AS n, CAST(NULL AS INTEGER) AS v FROM range(3)', ['v'])
  const { files: made } = await must(upload(table, path), 201)
  expect(made).toMatchObject([
    {
      record_count: 3,
      notes: [expect.stringContaining('v: NULL (INT32) in the file, written as')],
    },
  ])
  expect(await rowsOf(table)).toEqual([0, 1, 2].map((n) => ({ n, v: null })))
  const { data_files } = await must(ask(service, `/v1/tables/${table}`))
  const written = await service.deps.objects.read(data_files[0].path, { bytesMax: 1_000_000 })
  const copy = join(folder, 'written.parquet')
  writeFileSync(copy, written)
  const fieldIds = `SELECT field_id FROM parquet_schema('${copy}') WHERE name IN ('n', 'v')`
  expect(await querySql(fieldIds)).toEqual([{ field_id: '1' }, { field_id: '2' }])
})

test('elements without any value, and members, are as well', async () => {
  const table = await newTable([
    { name: 'tags', type: NESTED.list },
    { name: 'at', type: NESTED.struct },
  ])
  const query = "SELECT CAST([NULL] AS INTEGER[]) AS tags, {'x': CAST(NULL AS INTEGER)} AS at"
  await must(upload(table, await write(query, ['element', 'x'])), 201)
  expect(await rowsOf(table)).toEqual([{ tags: [null], at: { x: null } }])
})

test('a column that must have values is not', async () => {
  const table = await newTable([{ name: 'v', type: 'string', nullable: false }])
  const path = await write('SELECT CAST(NULL AS INTEGER) AS v', ['v'])
  const { status, body } = await upload(table, path)
  expect(status).toBe(422)
  expect(body).toMatchObject({
    problems: [{ column: 'v', rule: 'null-in-required-column' }],
  })
})

test('a default stands for a missing column, not for one of nulls', async () => {
  const table = await newTable([
    { name: 'n', type: 'long' },
    { name: 'v', type: 'string', default: 'none' },
  ])
  await must(upload(table, await write('SELECT 1 AS n, NULL AS v', ['v'])), 201)
  expect(await rowsOf(table)).toEqual([{ n: 1, v: null }])
})

test('the rows of such a file are split by partition', async () => {
  const table = await newTable(
    [
      { name: 'n', type: 'long' },
      { name: 'v', type: 'string' },
    ],
    { partitioning: [{ column: 'n', transform: 'identity' }] },
  )
  const path = await write('SELECT range AS n, NULL AS v FROM range(3)', ['v'])
  const { files: made } = await must(upload(table, path), 201)
  expect(made).toHaveLength(3)
  expect(await rowsOf(table)).toEqual([0, 1, 2].map((n) => ({ n, v: null })))
})

test('by path it is refused, with the way out', async () => {
  const table = await newTable([{ name: 'v', type: 'string' }])
  const { status, body } = await add(table, await write('SELECT NULL AS v', ['v']))
  expect(status).toBe(422)
  expect(body.detail).toContain('upload the file')
})

test('columns without values, empty lists and half floats of pyarrow are uploaded', async () => {
  const path = join(folder, 'frame.parquet')
  copyFileSync(new URL('frame.parquet', import.meta.url), path)
  const made = await must(post(service, '/v1/tables', { name: 'frame', infer_from: path }), 201)
  expect(made.schema.columns.map(({ type }: Json) => type.element ?? type)).toEqual([
    ...['float', 'string', 'string'],
  ])
  expect(made.notes).toHaveLength(3)
  await must(upload('frame', path), 201)
  expect(await rowsOf('frame')).toEqual([
    { h: 0.5, none: null, tags: [] },
    { h: null, none: null, tags: null },
    { h: -65504, none: null, tags: [] },
  ])
})

test('inferred, it is text, which the answer says', async () => {
  const path = await write('SELECT 1::BIGINT AS n, NULL AS v', ['v'])
  const name = `t${++tables}`
  const made = await must(post(service, '/v1/tables', { name, infer_from: path }), 201)
  expect(made.schema.columns).toMatchObject([{ type: 'long' }, { type: 'string' }])
  expect(made.notes).toEqual([expect.stringMatching(/^v: .*string is a guess.*upload/)])
  await must(upload(name, path), 201)
  expect(await rowsOf(name)).toEqual([{ n: 1, v: null }])
})

test.each([
  ['BIGINT', 'int', ['1', '-2147483648'], [1, -2147483648]],
  ['UBIGINT', 'long', ['1', '9007199254740991'], [1, 9007199254740991]],
  ['UINTEGER', 'int', ['1', '2147483647'], [1, 2147483647]],
  ['DOUBLE', 'long', ['1.0', 'NULL', '-3'], [1, null, -3]],
  ['FLOAT', 'int', ['1.0', 'NULL', '-3'], [1, null, -3]],
  ['BIGINT', 'double', ['1', '-9007199254740992'], [1, -9007199254740992]],
  ['INTEGER', 'double', ['1', 'NULL', '2147483647'], [1, null, 2147483647]],
  ['INTEGER', 'decimal(9,2)', ['1', '-9999999'], ['1.00', '-9999999.00']],
  ['DECIMAL(9,2)', 'decimal(12,4)', ['1.25', '-3'], ['1.2500', '-3.0000']],
  ['DATE', 'timestamp', ["'2024-02-29'"], ['2024-02-29T00:00:00.000000']],
  ['BOOLEAN', 'int', ['true', 'false', 'NULL'], [1, 0, null]],
])('%s is uploaded into %s, each value as it is', async (inFile, type, values, expected) => {
  const table = await newTable([{ name: 'v', type }])
  const rows = values.map((value, i) => `(${i}, CAST(${value} AS ${inFile}))`).join(', ')
  const path = await write(`SELECT v FROM (VALUES ${rows}) AS t(i, v) ORDER BY i`)
  expect((await add(table, path)).body.detail).toContain('upload the file')
  await must(upload(table, path), 201)
  const shown = (await rowsOf(table)).map(({ v }) => v)
  expect(shown.map(String)).toEqual(expected.map(String))
})

test.each([
  ['BIGINT', 'int', '2147483648'],
  ['UBIGINT', 'long', '9223372036854775808'],
  ['UINTEGER', 'int', '4294967295'],
  ['DOUBLE', 'long', '1.5'],
  ['DOUBLE', 'long', "'nan'"],
  ['DOUBLE', 'int', '3e9'],
  ['DOUBLE', 'long', '9223372036854775808'],
  ['BIGINT', 'decimal(9,2)', '10000000'],
  ['DECIMAL(9,2)', 'decimal(9,4)', '123456.78'],
  ['DECIMAL(9,4)', 'decimal(9,2)', '1.0001'],
])('%s into %s refuses %s, and leaves nothing', async (inFile, type, value) => {
  const table = await newTable([{ name: 'v', type }])
  const path = await write(
    `SELECT v FROM (VALUES (CAST(1 AS ${inFile})), (CAST(${value} AS ${inFile}))) AS t(v)`,
  )
  const { status, body } = await upload(table, path)
  expect([status, body.type]).toEqual([422, '/problems/file-unsupported'])
  expect(body.detail).toContain(`column v has values that are no ${type}`)
  const { snapshot } = await must(ask(service, `/v1/tables/${table}`))
  expect(snapshot).toBeNull()
})

test('nanoseconds that are cut on the way are told', async () => {
  const table = await newTable([
    { name: 'v', type: 'long' },
    { name: 'us', type: 'timestamp' },
  ])
  const at = "TIMESTAMP_NS '2024-01-01 00:00:00.123456789'"
  const query = `SELECT 1::DOUBLE AS v, ${at} AS us`
  const answer = await must(upload(table, await write(query)), 201)
  expect(answer.files[0].notes).toEqual([
    'v: double in the file, written as long',
    'us: nanoseconds in the file, cut to microseconds',
  ])
  expect(await rowsOf(table)).toEqual([{ v: 1, us: '2024-01-01T00:00:00.123456' }])
})

test('whole numbers that a double would round are no conversion', async () => {
  const table = await newTable([{ name: 'v', type: 'double' }])
  const { status, body } = await upload(table, await write('SELECT 9007199254740993::BIGINT AS v'))
  expect([status, body.type]).toEqual([422, '/problems/file-schema-mismatch'])
})

test('what cannot be converted is told alone', async () => {
  const table = await newTable([
    { name: 'a', type: 'string' },
    { name: 'b', type: 'long' },
  ])
  const { status, body } = await upload(table, await write("SELECT NULL AS a, 'x' AS b", ['a']))
  expect(status).toBe(422)
  expect(body.problems).toMatchObject([{ column: 'b', rule: 'column-type' }])
})

testOfFiles('what a killed upload leaves where uploads arrive is swept', async () => {
  const table = await newTable([{ name: 'n', type: 'int' }])
  const arrived: string[] = []
  const objects = new Proxy(service.deps.objects, {
    get: (store, name: keyof ObjectStore) => {
      return (...given: readonly unknown[]) => {
        const [location] = given
        const isPut = name.startsWith('put') && typeof location === 'string'
        if (isPut && location.includes('/incoming/')) arrived.push(location)
        return Reflect.apply(store[name] as () => unknown, store, given)
      }
    },
  })
  const chunks = createReadStream(await write('SELECT 1::BIGINT AS n'))
  await uploadFile({ ...service.deps, objects }, { table, chunks })
  expect(arrived).toHaveLength(2)
  const paths = arrived.map((location) => location.replace('file://', ''))
  for (const path of paths) await oldFile(path, TWO_DAYS_MS)
  await sweepUnfinished(service.deps, new AbortController().signal)
  expect(paths.map((path) => existsSync(path))).toEqual([false, false])
})
