import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DataFile } from '../../../src/core/file/data-file.ts'
import { stageRemoval } from '../../../src/lake/commit/staging.ts'
import { commitRemoval, startTransaction } from '../../../src/lake/commit/transactions.ts'
import { createTable, readTable, type TableReading } from '../../../src/modules/tables/tables.ts'
import { refusal } from '../../refusal.ts'
import { commitDeletes } from '../commit/commit-deletes.ts'
import { append, Lake, nameOf } from '../lake.ts'
import { givenFile } from '../trusted-caller.ts'
import { openWorkshop, SHARED_DATA, START_MS, type Workshop } from '../workshop.ts'

const testWithShared = existsSync(SHARED_DATA) ? test : test.skip
let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

function plannedNames({ plan }: TableReading): string[] {
  return [...plan.plannedFiles()].map((file) => nameOf(file.dataFile.path)).sort()
}

testWithShared(
  'of 100 files of security findings one can hold id 4242, and 99 are skipped',
  async () => {
    const folder = join(SHARED_DATA, 'security_findings')
    const paths = (await readdir(folder)).map((name) => join(folder, name)).sort()
    await createTable(shop.deps, { name: 'findings', inferFrom: givenFile(paths[0]) })
    await append(shop, 'findings', ...paths.slice(0, 50))
    await append(shop, 'findings', ...paths.slice(50))
    const reading = await readTable(shop.deps, { table: 'findings', filter: 'id = 4242' })
    expect(reading.plan.files).toEqual({ total: 100, skipped: 99, kept: 1 })
    const holders = await lake.query(
      `SELECT filename FROM read_parquet('${folder}/*.parquet', filename = true) WHERE id = 4242`,
    )
    expect(holders.map(({ filename }) => nameOf(String(filename)))).toEqual(plannedNames(reading))
    const none = await readTable(shop.deps, { table: 'findings', filter: 'id < -1' })
    expect(none.plan).toMatchObject({
      files: { kept: 0 },
      totals: { dataFiles: 0, liveRecords: 0, records: 0, bytes: 0 },
    })
  },
)

describe('a table partitioned by month', () => {
  beforeEach(async () => {
    await createTable(shop.deps, {
      name: 'months',
      columns: [
        { name: 'at', type: 'timestamp' },
        { name: 'n', type: 'long' },
      ],
      partitioning: [{ column: 'at', transform: 'month' }],
    })
    for (let month = 1; month <= 6; month++) {
      shop.setClock(START_MS + month * 1000)
      const query = `SELECT TIMESTAMP '2024-0${month}-10' + INTERVAL (range) HOUR AS at,
        (${month} * 100 + range)::BIGINT AS n FROM range(10)`
      await append(shop, 'months', await lake.write(`${shop.dataFolder}/m${month}.parquet`, query))
    }
  })

  test.each([
    [`at >= '2024-05-01'`, ['m5', 'm6'], 4],
    [`at < '2024-02-01'`, ['m1'], 5],
    [`at = '2024-03-10T03:00:00'`, ['m3'], 5],
    [`at >= '2024-03-10' AND at < '2024-03-11', n = 305`, ['m3'], 5],
    [`n = 402`, ['m4'], 0],
    [`at IS NULL`, [], 6],
    [`NOT (at < '2024-06-01')`, ['m6'], 5],
    [`at < '2024-02-01' OR n > 600`, ['m1', 'm6'], 0],
  ])('%s keeps %p', async (filter, names, manifestsSkipped) => {
    const reading = await readTable(shop.deps, { table: 'months', filter })
    expect(plannedNames(reading)).toEqual(names)
    expect(reading.plan.manifests).toEqual({
      total: 6,
      skipped: manifestsSkipped,
      kept: 6 - manifestsSkipped,
    })
    expect(reading.plan.totals.records).toBe(names.length * 10)
    expect(reading.plan.files).toEqual({ total: 6, skipped: 6 - names.length, kept: names.length })
  })

  test('manifests that are skipped are not read', async () => {
    const fresh = await shop.another()
    const before = shop.meter.counts['miss'] ?? 0
    await readTable(fresh, { table: 'months', filter: `at >= '2024-06-01'` })
    // The manifest list and one of six manifests.
    expect((shop.meter.counts['miss'] ?? 0) - before).toBe(2)
  })

  test('as_at and a filter go together', async () => {
    const asAtMs = START_MS + 3500
    const reading = await readTable(shop.deps, { table: 'months', asAtMs, filter: 'n >= 200' })
    expect(plannedNames(reading)).toEqual(['m2', 'm3'])
  })

  test('a bad filter points at the character', async () => {
    const error = await refusal(readTable(shop.deps, { table: 'months', filter: 'n = = 3' }))
    expect(error.code).toBe('filter-invalid')
    expect(error.facts).toMatchObject({ position: 4 })
  })
})

describe('delete files of other writers', () => {
  const DELETES = {
    format: 'parquet',
    specId: 0,
    partition: [],
    recordCount: 1,
    fileSizeBytes: 100,
  } as const

  /**
   * Commits delete files as an Iceberg client would: its own manifest, put before those of the
   * parent.
   */
  async function deletesByFile(): Promise<Record<string, string[]>> {
    const { plan } = await readTable(shop.deps, { table: 't' })
    return Object.fromEntries(
      [...plan.plannedFiles()].map((file) => [
        nameOf(file.dataFile.path),
        file.deleteFiles.map((deleteFile) => nameOf(deleteFile.path)).sort(),
      ]),
    )
  }

  function deleteFile(name: string, rest: Partial<DataFile>): DataFile {
    const path = `file://${shop.dataFolder}/${name}.parquet`
    return { ...DELETES, content: 'position-deletes', path, ...rest }
  }

  beforeEach(async () => {
    await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
    await append(shop, 't', await lake.numbers(shop, 'a'))
    await append(shop, 't', await lake.numbers(shop, 'b'))
  })

  test('apply to the files that the specification says, and to none added later', async () => {
    await commitDeletes(shop, 't', [
      deleteFile('pos', {}),
      deleteFile('pos-of-a', { referencedDataFile: `file://${shop.dataFolder}/a.parquet` }),
      deleteFile('eq', { content: 'equality-deletes', equalityIds: [1] }),
    ])
    const ofA = new TextEncoder().encode(`file://${shop.dataFolder}/a.parquet`)
    // The id of `file_path`, and that of `_file`, which DuckDB 1.5 takes.
    for (const id of [2_147_483_546, 2_147_483_646]) {
      const bounds = { lowerBounds: new Map([[id, ofA]]), upperBounds: new Map([[id, ofA]]) }
      await commitDeletes(shop, 't', [deleteFile(`bound-${id}`, bounds)])
    }
    await append(shop, 't', await lake.numbers(shop, 'later'))
    expect(await deletesByFile()).toEqual({
      a: ['bound-2147483546', 'bound-2147483646', 'eq', 'pos', 'pos-of-a'],
      b: ['eq', 'pos'],
      later: [],
    })
  })

  test('leave live rows, as far as their own counts tell', async () => {
    const totals = async () => (await readTable(shop.deps, { table: 't' })).plan.totals
    const of = (name: string) => `file://${shop.dataFolder}/${name}.parquet`
    const path = 2_147_483_546
    const bound = new Map([[path, new TextEncoder().encode(of('b'))]])
    expect(await totals()).toMatchObject({ liveRecords: 20, records: 20 })
    await commitDeletes(shop, 't', [
      deleteFile('of-a', { recordCount: 2, referencedDataFile: of('a') }),
      deleteFile('of-b', { recordCount: 3, lowerBounds: bound, upperBounds: bound }),
      deleteFile('of-gone', { recordCount: 5, referencedDataFile: of('gone') }),
    ])
    expect(await totals()).toMatchObject({ liveRecords: 15, records: 20 })
    await append(shop, 't', await lake.numbers(shop, 'later'))
    expect(await totals()).toMatchObject({ liveRecords: 25, records: 30 })
    // A vector has what the position deletes before had.
    const vector = { format: 'puffin', recordCount: 4, referencedDataFile: of('a') } as const
    await commitDeletes(shop, 't', [deleteFile('vector', vector)])
    expect(await totals()).toMatchObject({ liveRecords: 23, records: 30 })
    await commitDeletes(shop, 't', [deleteFile('of-partition', { recordCount: 1 })])
    expect(await totals()).toMatchObject({ liveRecords: undefined, records: 30 })
  })

  test('by equality do not tell how many rows are live', async () => {
    const equality = { content: 'equality-deletes', equalityIds: [1] } as const
    await commitDeletes(shop, 't', [deleteFile('eq', equality)])
    const { plan } = await readTable(shop.deps, { table: 't' })
    expect(plan.totals).toMatchObject({ liveRecords: undefined, records: 20 })
  })

  test('are counted and carried on by commits, and go with a truncation', async () => {
    await commitDeletes(shop, 't', [
      deleteFile('eq', { content: 'equality-deletes', equalityIds: [1] }),
    ])
    await append(shop, 't', await lake.numbers(shop, 'later'))
    const { snapshot } = await readTable(shop.deps, { table: 't' })
    expect(snapshot?.summary).toMatchObject({
      'total-data-files': '3',
      'total-records': '30',
      'total-delete-files': '1',
      'total-equality-deletes': '1',
    })
    const change = { removedPaths: [], truncate: true }
    const { results } = await commitRemoval(shop.deps, { table: 't', change })
    expect(results[0]).toMatchObject({ removedDataFiles: 3, removedRecords: 30 })
    const after = await readTable(shop.deps, { table: 't' })
    expect(after.snapshot?.summary).toMatchObject({
      'removed-delete-files': '1',
      'total-delete-files': '0',
      'total-data-files': '0',
      'total-records': '0',
    })
  })

  test('cannot be removed by path: rows would come back', async () => {
    await commitDeletes(shop, 't', [deleteFile('pos', {})])
    const { transactionId } = await startTransaction(shop.deps, {})
    const paths = [`${shop.dataFolder}/pos.parquet`]
    const attempt = stageRemoval(shop.deps, { table: 't', transactionId, paths })
    expect((await refusal(attempt)).code).toBe('file-not-in-table')
    const withData = [`${shop.dataFolder}/a.parquet`, ...paths]
    for (const removedPaths of [paths, withData]) {
      const change = { removedPaths, truncate: false }
      const { code, facts } = await refusal(commitRemoval(shop.deps, { table: 't', change }))
      expect([code, facts['missing']]).toEqual(['file-not-in-table', 1])
    }
    expect(await deletesByFile()).toEqual({ a: ['pos'], b: ['pos'] })
  })
})
