import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import {
  abortTransaction,
  commitTransaction,
  startTransaction,
} from '../../../src/lake/commit/transactions.ts'
import { unlinkDue } from '../../../src/lake/deletion/unlinker.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { withStore } from '../../lake/failing-disk.ts'
import { Lake, liveNames } from '../../lake/lake.ts'
import { openWorkshop, START_MS, type Workshop } from '../../lake/workshop.ts'
import { refusal } from '../../refusal.ts'

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
})
afterEach(() => shop.close())

/** Paths below the table's `data/`, with uuids blanked. */
async function dataFiles(table = 't'): Promise<string[]> {
  const { state } = await readTable(shop.deps, { table })
  const folder = `${state.definition.location}/data`
  const found: string[] = []
  for await (const { location } of shop.deps.objects.list(folder)) {
    found.push(location.slice(folder.length).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'UUID'))
  }
  return found.sort()
}

test('a body lands in the table, to the byte, and is committed by itself', async () => {
  const path = await lake.numbers(shop, 'a', 0, 1000)
  const report = await uploadFile(shop.deps, { table: 't', chunks: createReadStream(path) })
  expect(report.results?.[0]).toMatchObject({ addedDataFiles: 1, addedRecords: 1000 })
  expect(await dataFiles()).toEqual(['/as_at_20240317T000000Z/data-0000-UUID.parquet'])
  const stored = await readFile(String(report.files[0]?.dataFile.path).slice('file://'.length))
  expect(stored.equals(await readFile(path))).toBe(true)
  expect(report.files[0]?.dataFile.fileSizeBytes).toBe(stored.length)
})

test('uploads of one transaction share a folder and are seen when it commits', async () => {
  const { transactionId } = await startTransaction(shop.deps, {})
  shop.setClock(START_MS + 60_000)
  for (const name of ['a', 'b']) {
    const chunks = createReadStream(await lake.numbers(shop, name))
    const report = await uploadFile(shop.deps, { table: 't', transactionId, chunks })
    expect(report.results).toBeUndefined()
  }
  expect(await liveNames(shop, 't')).toEqual([])
  await commitTransaction(shop.deps, transactionId)
  expect(await liveNames(shop, 't')).toHaveLength(2)
  expect(await dataFiles()).toEqual([
    '/as_at_20240317T000000Z/data-0000-UUID.parquet',
    '/as_at_20240317T000000Z/data-0000-UUID.parquet',
  ])
})

test('a partitioned table has Hive-style folders, whatever the values hold', async () => {
  await createTable(shop.deps, {
    name: 'parts',
    columns: [
      { name: 'at', type: 'timestamp' },
      { name: 'region', type: 'string' },
    ],
    partitioning: [
      { column: 'at', transform: 'day' },
      { column: 'region', transform: 'identity' },
    ],
  })
  for (const region of ["'north'", "'../../up'", 'NULL', "'a=b/c%2F'"]) {
    const query = `SELECT TIMESTAMP '2024-03-17 05:06:07' AS at, ${region}::VARCHAR AS region`
    const path = await lake.write(`${shop.dataFolder}/part.parquet`, query)
    await uploadFile(shop.deps, { table: 'parts', chunks: createReadStream(path) })
  }
  const day = '/year=2024/month=03/day=17'
  const rest = 'as_at_20240317T000000Z/data-0000-UUID.parquet'
  expect(await dataFiles('parts')).toEqual(
    [
      `${day}/region=.._.._up/${rest}`,
      `${day}/region=__HIVE_DEFAULT_PARTITION__/${rest}`,
      `${day}/region=a_b_c_2F/${rest}`,
      `${day}/region=north/${rest}`,
    ].sort(),
  )
  const kept = await readTable(shop.deps, { table: 'parts', filter: `region = '../../up'` })
  expect(kept.plan.files.kept).toBe(1)
})

test('what is no Parquet file of the table is refused and leaves nothing behind', async () => {
  const other = await lake.write(`${shop.dataFolder}/other.parquet`, `SELECT 'x' AS other`)
  const whole = await readFile(await lake.numbers(shop, 'whole'))
  const bodies: [string, Uint8Array][] = [
    ['file-schema-mismatch', await readFile(other)],
    ['file-not-parquet', new TextEncoder().encode('n\n1\n2\n')],
    ['file-not-parquet', new Uint8Array()],
    ['file-not-parquet', whole.subarray(0, whole.length - 10)],
  ]
  for (const [code, body] of bodies) {
    const attempt = uploadFile(shop.deps, { table: 't', chunks: chunksOf(body) })
    expect((await refusal(attempt)).code).toBe(code)
  }
  expect(await dataFiles()).toEqual([])
  expect(await liveNames(shop, 't')).toEqual([])
})

async function* chunksOf(body: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += 100) yield body.subarray(at, at + 100)
}

test('a client that goes away in the middle leaves nothing behind', async () => {
  const body = await readFile(await lake.numbers(shop, 'a', 0, 5000))
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield body.subarray(0, 1000)
    throw new Error('aborted')
  }
  const attempt = uploadFile(shop.deps, { table: 't', chunks: broken() })
  await expect(attempt).rejects.toThrow('aborted')
  expect(await dataFiles()).toEqual([])
})

test('an upload to an ended transaction, or to no table, reads nothing of the body', async () => {
  const { transactionId } = await startTransaction(shop.deps, { expiresInSeconds: 1 })
  shop.setClock(START_MS + 2000)
  let chunksRead = 0
  async function* counted(): AsyncGenerator<Uint8Array> {
    chunksRead++
    yield new Uint8Array(10)
  }
  const expired = uploadFile(shop.deps, { table: 't', transactionId, chunks: counted() })
  expect((await refusal(expired)).code).toBe('transaction-expired')
  const nowhere = uploadFile(shop.deps, { table: 'nowhere', chunks: counted() })
  expect((await refusal(nowhere)).code).toBe('table-not-found')
  expect(chunksRead).toBe(0)
})

test('a transaction that ends while the body comes in refuses it, and nothing stays', async () => {
  const { transactionId } = await startTransaction(shop.deps, {})
  const body = await readFile(await lake.numbers(shop, 'a'))
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield body
    await shop.deps.catalog.transactions.abort(transactionId, START_MS)
  }
  const attempt = uploadFile(shop.deps, { table: 't', transactionId, chunks: slow() })
  expect((await refusal(attempt)).code).toBe('transaction-aborted')
  expect(await dataFiles()).toEqual([])
})

test('what is staged while its transaction is aborted is deleted, too', async () => {
  const { transactionId } = await startTransaction(shop.deps, {})
  const upload = async (name: string) => {
    const chunks = createReadStream(await lake.numbers(shop, name))
    await uploadFile(shop.deps, { table: 't', transactionId, chunks })
  }
  await upload('a')
  let isLate = false
  const { transactions } = shop.deps.catalog
  const catalog = withStore(shop.deps.catalog, 'transactions', {
    abort: async (id, endedAtMs, options) => {
      if (!isLate) await upload('b')
      isLate = true
      return transactions.abort(id, endedAtMs, options)
    },
  })
  await abortTransaction({ ...shop.deps, catalog, deleteGraceMs: 0 }, transactionId)
  await unlinkDue({ ...shop.deps, ambient: { ...shop.deps.ambient, nowMs: () => START_MS + 1 } })
  expect(await dataFiles()).toEqual([])
})

test('when the answer of the catalog is lost, a file that it may name stays', async () => {
  const { transactionId } = await startTransaction(shop.deps, {})
  const catalog = withStore(shop.deps.catalog, 'transactions', {
    stage: async (staging) => {
      await shop.deps.catalog.transactions.stage(staging)
      throw new Error('connection terminated')
    },
  })
  const chunks = createReadStream(await lake.numbers(shop, 'a'))
  const attempt = uploadFile({ ...shop.deps, catalog }, { table: 't', transactionId, chunks })
  await expect(attempt).rejects.toThrow('connection terminated')
  await commitTransaction(shop.deps, transactionId)
  expect(await liveNames(shop, 't')).toHaveLength(1)
  expect(await dataFiles()).toHaveLength(1)
})

test('a column that was dropped since is one too many, also by the name of row ids', async () => {
  const columns = ['n', '_row_id'].map((name) => ({ name, type: 'long' }))
  await createTable(shop.deps, { name: 'own', columns })
  const path = await lake.write(
    `${shop.dataFolder}/own.parquet`,
    'SELECT 1::BIGINT AS n, 7::BIGINT AS _row_id',
  )
  const { transactionId } = await startTransaction(shop.deps, {})
  const chunks = createReadStream(path)
  await uploadFile(shop.deps, { table: 'own', transactionId, chunks })
  await evolveTable(shop.deps, 'own', { changes: [{ op: 'drop', name: '_row_id' }] })
  const { code } = await refusal(commitTransaction(shop.deps, transactionId))
  expect(code).toBe('file-schema-mismatch')
})
