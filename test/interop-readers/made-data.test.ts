import { evolveTable } from '../../src/modules/tables/evolve-table.ts'
import { createTable, readTable } from '../../src/modules/tables/tables.ts'
import { append, Lake, liveNames } from '../lake/lake.ts'
import { givenFile } from '../lake/trusted-caller.ts'
import { openWorkshop, type Workshop } from '../lake/workshop.ts'
import { refusal } from '../refusal.ts'
import { type Row, readMetadata, readRows, serveFilesToFetch } from './icebird.ts'
import { canonical, readParquetRows } from './rows.ts'

let lake: Lake
let shop: Workshop
let restoreFetch: () => void
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  restoreFetch = serveFilesToFetch()
})
afterEach(async () => {
  restoreFetch()
  await shop.close()
})

async function rowsOf(table: string, snapshotId: bigint): Promise<Row[]> {
  const { metadataLocation } = await readTable(shop.deps, { table })
  return readRows(await readMetadata(metadataLocation ?? ''), snapshotId)
}

async function expectSameRows(table: string, snapshotId: bigint, paths: readonly string[]) {
  const expected = (await Promise.all(paths.map(readParquetRows))).flat()
  expect(expected.length).toBeGreaterThan(0)
  expect(canonical(await rowsOf(table, snapshotId))).toEqual(canonical(expected))
}

/**
 * Each file's rows lie in one partition of the transform; together they lie in several. Partitions
 * of decimals are PyIceberg's to read: icebird's Avro reader knows no `fixed`
 * (src/avro/avro.read.js).
 */
const PARTITIONINGS = [
  ['month', 'at', (i: number) => `TIMESTAMP '2023-0${i + 1}-03' + INTERVAL (range) HOUR`, 'at'],
  ['day', 'at', (i: number) => `TIMESTAMP '1969-12-3${i % 2}' + INTERVAL (range) SECOND`, 'at'],
  [
    'hour',
    'at',
    (i: number) => `TIMESTAMP '2024-02-29 0${i}:00:00' + INTERVAL (range) SECOND`,
    'at',
  ],
  ['year', 'day', (i: number) => `(DATE '19${68 + i}-01-01' + range::INTEGER)`, 'day'],
  ['identity', 'region', (i: number) => `['north', 'sud/ouest', 'öst', NULL][${i + 1}]`, 'region'],
  ['bucket[16]', 'id', (i: number) => `${2 ** 53 + i}::BIGINT`, 'id'],
  ['truncate[4]', 'code', (i: number) => `'abc${i}' || range`, 'code'],
] as const

test.each(PARTITIONINGS)(
  'icebird reads a table partitioned by %s of %s',
  async (transform, column, sql) => {
    const paths = await Promise.all(
      [0, 1, 2, 3].map((i) => {
        const query = `SELECT range AS n, ${sql(i)} AS "${column}" FROM range(40)`
        return lake.write(`${shop.dataFolder}/part-${i}.parquet`, query)
      }),
    )
    const partitioning = [{ column, transform }]
    await createTable(shop.deps, { name: 'parts', inferFrom: givenFile(paths[0]), partitioning })
    const first = await append(shop, 'parts', ...paths.slice(0, 3))
    const second = await append(shop, 'parts', ...paths.slice(3))
    await expectSameRows('parts', first, paths.slice(0, 3))
    await expectSameRows('parts', second, paths)
  },
)

test('64-bit ids, decimals and extreme times survive the way to another reader', async () => {
  const query = `
    SELECT
      unnest([9223372036854775807, -9223372036854775808, 9007199254740993, 0, NULL])::BIGINT AS id,
      unnest([99999999999999999.99, -0.01, 0, NULL, 1234.5])::DECIMAL(19, 2) AS price,
      unnest([TIMESTAMP '1677-09-22', TIMESTAMP '2262-04-11 23:47:16.854775', NULL,
        TIMESTAMP '1969-12-31 23:59:59.999999', TIMESTAMP '1970-01-01']) AS at,
      unnest(['NaN', 'Infinity', '-0.0', NULL, '5e-324'])::DOUBLE AS size`
  const path = await lake.write(`${shop.dataFolder}/extremes.parquet`, query)
  await createTable(shop.deps, { name: 'extremes', inferFrom: givenFile(path) })
  await expectSameRows('extremes', await append(shop, 'extremes', path), [path])
})

test('an added column is null in files from before, and has its values in later ones', async () => {
  const before = await lake.write(`${shop.dataFolder}/before.parquet`, 'SELECT 1::BIGINT AS a')
  const after = await lake.write(
    `${shop.dataFolder}/after.parquet`,
    `SELECT 2::BIGINT AS a, 'x' AS b`,
  )
  await createTable(shop.deps, { name: 'grown', inferFrom: givenFile(before) })
  const first = await append(shop, 'grown', before)
  expect((await refusal(append(shop, 'grown', after))).code).toBe('file-schema-mismatch')
  await evolveTable(shop.deps, 'grown', {
    changes: [{ op: 'add', column: { name: 'b', type: 'string' } }],
  })
  const second = await append(shop, 'grown', after)
  await expectSameRows('grown', second, [before, after])
  await expectSameRows('grown', first, [before])
  expect(await liveNames(shop, 'grown')).toEqual(['after', 'before'])
})
