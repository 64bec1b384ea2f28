import { readdir } from 'node:fs/promises'
import { commitTransaction, startTransaction } from '../../../src/lake/commit/transactions.ts'
import { uploadText } from '../../../src/modules/files/upload.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { changed, withEngine } from '../../lake/failing-disk.ts'
import { Lake, liveNames } from '../../lake/lake.ts'
import { openWorkshop, START_MS, type Workshop } from '../../lake/workshop.ts'
import { refusal } from '../../refusal.ts'

let lake: Lake
let shop: Workshop
/** A new one for each test; the engine's children are shared, as they take a second to start. */
let table: string
let tables = 0
beforeAll(async () => {
  lake = await Lake.open()
  shop = await openWorkshop()
})
afterAll(async () => {
  await shop.close()
  lake.close()
})
beforeEach(async () => {
  shop.setClock(START_MS)
  table = `t${++tables}`
  await createTable(shop.deps, {
    name: table,
    columns: [
      { name: 'n', type: 'long', nullable: false },
      { name: 'price', type: 'decimal(9,2)' },
      { name: 'at', type: 'timestamp' },
      { name: 'note', type: 'string', default: 'none' },
    ],
  })
})

const CSV = `n,price,at,note
9007199254740993,1.10,1969-12-31T23:59:59.999999,"a ""b"", c"
-2,,,""
3,-0.01,2024-02-29 12:00:00,
`
const FIRST_MEMBERS = '"n":9007199254740993,"price":"1.10","at":"1969-12-31T23:59:59.999999"'
const NDJSON = `{${FIRST_MEMBERS},"note":"a \\"b\\", c"}
{"n": -2, "price": null, "note": ""}
{"n": 3, "price": "-0.01", "at": "2024-02-29T12:00:00", "note": null}
`
const EXPECTED = [
  { n: '9007199254740993', price: '1.10', at: '1969-12-31 23:59:59.999999', note: 'a "b", c' },
  { n: '-2', price: null, at: null, note: '' },
  { n: '3', price: '-0.01', at: '2024-02-29 12:00:00', note: null },
]

/** In small pieces, which cut lines and characters. */
async function* chunksOf(text: string | Uint8Array): AsyncGenerator<Uint8Array> {
  const body = Buffer.from(text)
  for (let at = 0; at < body.length; at += 7) yield body.subarray(at, at + 7)
}

function upload(format: 'csv' | 'ndjson', text: string | Uint8Array, rest: object = {}) {
  return uploadText(shop.deps, { table, format, chunks: chunksOf(text), ...rest })
}

async function rows(): Promise<Record<string, unknown>[]> {
  const { plan } = await readTable(shop.deps, { table })
  const paths = [...plan.plannedFiles()].map(({ dataFile }) => `'${dataFile.path.slice(7)}'`)
  return lake.query(
    `SELECT n::VARCHAR AS n, price::VARCHAR AS price, "at"::VARCHAR AS "at", note
     FROM read_parquet([${paths}])`,
  )
}

/** Files of the table, and those on their way to it. */
async function filesLeft(): Promise<string[]> {
  const { state } = await readTable(shop.deps, { table })
  const found: string[] = []
  for await (const { location } of shop.deps.objects.list(`${state.definition.location}/data`)) {
    found.push(location)
  }
  return [...found, ...(await readdir(shop.deps.converter.options.folder))]
}

test.each([
  ['csv', CSV],
  ['ndjson', NDJSON],
] as const)(
  'rows of %s become a Parquet file of the table’s types and field ids',
  async (format, text) => {
    const report = await upload(format, text)
    expect(report.results?.[0]).toMatchObject({ addedDataFiles: 1, addedRecords: 3 })
    expect(await rows()).toEqual(EXPECTED)
    expect(report.files[0]?.hasFieldIds).toBe(true)
    expect(report.files[0]?.dataFile.path).toMatch(
      /\/data\/as_at_20240317T000000Z\/data-0000-[0-9a-f-]{36}\.parquet$/,
    )
    const { state } = await readTable(shop.deps, { table })
    expect(state.definition.properties).toEqual({})
    expect(await filesLeft()).toEqual([report.files[0]?.dataFile.path])
  },
)

test('columns in another order, missing ones with defaults, and an evolved schema', async () => {
  await evolveTable(shop.deps, table, {
    changes: [
      { op: 'rename', name: 'note', to: 'remark' },
      { op: 'drop', name: 'price' },
    ],
  })
  const report = await upload('csv', 'at,n\n2024-01-01 00:00:00,5\n')
  const found = await lake.query(
    `SELECT n::VARCHAR AS n, remark FROM '${report.files[0]?.dataFile.path.slice(7)}'`,
  )
  expect(found).toEqual([{ n: '5', remark: 'none' }])
})

test.each([
  ['csv', 'n,price\n1,1.00\n2,cheap\n', 3, 'price'],
  ['csv', 'n,note\n1,a\n"x",b\n', 3, 'n'],
  ['csv', 'n,note\n1,"two\nlines"\n,b\n', 4, 'required'],
  ['csv', 'n,note\n1\n', 2, 'fields'],
  ['csv', 'n,unknown\n1,2\n', 1, 'unknown'],
  ['csv', '', 1, 'header'],
  ['csv', 'n\n9223372036854775808\n', 2, 'n'],
  ['ndjson', '{"n": 1}\n{"n": "one"}\n', 2, 'n'],
  ['ndjson', '{"n": 1}\nnonsense\n', 2, 'JSON'],
  ['ndjson', '{"n": 1, "other": 2}\n', 1, 'other'],
] as const)(
  'a bad row of %s %j is refused with its line, and nothing stays',
  async (format, text, line, word) => {
    const refused = await refusal(upload(format, text))
    expect(refused).toMatchObject({ code: 'row-invalid', facts: { line } })
    expect(refused.message).toContain(word)
    expect(await filesLeft()).toEqual([])
    expect(await liveNames(shop, table)).toEqual([])
  },
)

test.each([
  ['csv', '', 1],
  ['csv', 'n,price,at,note\n', 2],
  ['ndjson', '', 1],
  ['ndjson', '\n \n', 1],
] as const)('a text without rows is refused: %s %j', async (format, text, line) => {
  const refused = await refusal(upload(format, text))
  expect(refused).toMatchObject({ code: 'row-invalid', facts: { line } })
  const { state } = await readTable(shop.deps, { table })
  expect(state.currentSnapshot).toBeUndefined()
  expect(await filesLeft()).toEqual([])
})

test('in a transaction it is staged, and a refused one stages nothing', async () => {
  const { transactionId } = await startTransaction(shop.deps, {})
  await refusal(upload('csv', 'n\nx\n', { transactionId }))
  const report = await upload('csv', CSV, { transactionId })
  expect(report.results).toBeUndefined()
  expect(await liveNames(shop, table)).toEqual([])
  const [result] = await commitTransaction(shop.deps, transactionId)
  expect(result).toMatchObject({ addedDataFiles: 1, addedRecords: 3 })
  expect(await rows()).toEqual(EXPECTED)
})

test('rows of one partition become one file, and rows of several one for each', async () => {
  await createTable(shop.deps, {
    name: 'parts',
    columns: [{ name: 'at', type: 'timestamp' }],
    partitioning: [{ column: 'at', transform: 'day' }],
  })
  const one = await upload('csv', 'at\n1969-12-31 23:00:00\n1969-12-31 00:00:00\n', {
    table: 'parts',
  })
  expect(one.files[0]?.dataFile.partition).toEqual([-1])
  expect(one.files[0]?.dataFile.path).toContain('/year=1969/month=12/day=31/')
  const two = await upload('csv', 'at\n1969-12-31 23:00:00\n1970-01-01 00:00:00\n', {
    table: 'parts',
  })
  expect(two.files.map(({ dataFile }) => dataFile.partition)).toEqual([[-1], [0]])
  const { plan } = await readTable(shop.deps, { table: 'parts' })
  expect(plan.totals.dataFiles).toBe(3)
})

test('a client that leaves, a failing engine and a full disk leave nothing behind', async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('n\n1\n')
    throw new Error('aborted')
  }
  await expect(upload('csv', '', { chunks: broken() })).rejects.toThrow('aborted')
  const failing = withEngine(shop.deps, { ingest: () => Promise.reject(new Error('died')) })
  const chunks = () => ({ table, format: 'csv' as const, chunks: chunksOf(CSV) })
  await expect(uploadText(failing, chunks())).rejects.toThrow('died')
  const objects = changed(shop.deps.objects, {
    putFileIfAbsent: () => Promise.reject(new Error('full')),
  })
  await expect(uploadText({ ...shop.deps, objects }, chunks())).rejects.toThrow('full')
  const aborted = upload('csv', CSV, { signal: AbortSignal.abort(new Error('gone')) })
  await expect(aborted).rejects.toThrow('gone')
  expect(await filesLeft()).toEqual([])
  expect(await liveNames(shop, table)).toEqual([])
})

test('a body that is too large is cut off, and its file gone', async () => {
  const path = `${shop.deps.converter.options.folder}/large`
  const written = shop.deps.converter.options.writeLocalFile(path, chunksOf('x'.repeat(100)), {
    bytesMax: 50,
  })
  expect((await refusal(written)).code).toBe('body-too-large')
  expect(await filesLeft()).toEqual([])
})

test('an upload to a transaction that has ended reads nothing of the body', async () => {
  const { transactionId } = await startTransaction(shop.deps, { expiresInSeconds: 1 })
  shop.setClock(START_MS + 2000)
  let isRead = false
  async function* watched(): AsyncGenerator<Uint8Array> {
    isRead = true
    yield Buffer.from(CSV)
  }
  const attempt = upload('csv', '', { transactionId, chunks: watched() })
  expect((await refusal(attempt)).code).toBe('transaction-expired')
  expect(isRead).toBe(false)
})

test('every type of an upload fits the table, required and nested ones included', async () => {
  const types = [
    ...['boolean', 'int', 'long', 'float', 'double', 'decimal(38,10)', 'date', 'time'],
    ...['timestamp', 'timestamptz', 'string', 'uuid', 'binary', 'list<int>', 'map<string, date>'],
  ]
  const point = {
    type: 'struct',
    fields: [
      { id: 1, name: 'x', required: true, type: 'double' },
      { id: 2, name: 'y', required: false, type: 'double' },
    ],
  }
  await createTable(shop.deps, {
    name: `${table}all`,
    columns: [...types, point].map((type, i) => ({ name: `c${i}`, type, nullable: false })),
  })
  const values = [
    ...[true, 1, 2, 0.5, 0.25, '1.5', '1969-12-31', '12:00:00.000001'],
    ...['1969-12-31T23:59:59.999999', '1969-12-31T23:59:59Z', 's'],
    ...['f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 'AAE=', [1, null], { a: '2024-02-29' }],
    { x: 1, y: null },
  ]
  const row = Object.fromEntries(values.map((value, i) => [`c${i}`, value]))
  const text = `${JSON.stringify(row)}\n`
  const { files } = await upload('ndjson', text, { table: `${table}all` })
  expect(files[0]?.dataFile).toMatchObject({ recordCount: 1 })
  const missing = await refusal(upload('ndjson', '{}\n', { table: `${table}all` }))
  expect(missing).toMatchObject({ code: 'row-invalid', facts: { line: 1 } })
})

test('a table with a fixed column takes it as base64', async () => {
  await createTable(shop.deps, { name: `${table}f`, columns: [{ name: 'f', type: 'fixed(2)' }] })
  const { files } = await upload('ndjson', '{"f": "AAE="}\n', { table: `${table}f` })
  const { recordCount, lowerBounds } = files[0]?.dataFile ?? {}
  expect({ recordCount, bound: lowerBounds?.get(1) }).toEqual({
    recordCount: 1,
    bound: Uint8Array.of(0, 1),
  })
})
