import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { commitRemoval } from '../../src/lake/commit/transactions.ts'
import { cloneTable } from '../../src/modules/tables/clone-table.ts'
import { evolveTable } from '../../src/modules/tables/evolve-table.ts'
import { createTable, readTable, rollbackTable } from '../../src/modules/tables/tables.ts'
import { append, Lake } from '../lake/lake.ts'
import { givenFile } from '../lake/trusted-caller.ts'
import { openWorkshop, SHARED_DATA, type Workshop } from '../lake/workshop.ts'
import { hasPyIceberg, readWithPyIceberg } from './pyiceberg.ts'

const testPy = hasPyIceberg ? test : test.skip
const testPyWithShared = hasPyIceberg && existsSync(SHARED_DATA) ? test : test.skip
const TIMEOUT_MS = 60_000

let lake: Lake
let shop: Workshop
let outputs = 0
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

interface Expectation {
  readonly snapshotId?: bigint
  readonly filter?: string
  /** SQL of the rows that must come. */
  readonly rows: string
}

/** DuckDB compares what PyIceberg read with what the Parquet files hold. */
async function expectRows(table: string, { rows, ...read }: Expectation): Promise<void> {
  const { metadataLocation = '' } = await readTable(shop.deps, { table })
  const output = `${shop.dataFolder}/read-${++outputs}.parquet`
  await readWithPyIceberg({ ...read, metadataLocation, output })
  const count = (sql: string) => lake.query(`SELECT count(*)::INTEGER AS rows FROM (${sql})`)
  const found = `SELECT * FROM '${output}'`
  expect(await count(`(${rows}) EXCEPT ALL (${found})`)).toEqual([{ rows: 0 }])
  expect(await count(`(${found}) EXCEPT ALL (${rows})`)).toEqual([{ rows: 0 }])
  expect(await count(rows)).not.toEqual([{ rows: 0 }])
}

function fromFiles(...paths: string[]): string {
  return `SELECT * FROM read_parquet([${paths.map((path) => `'${path}'`).join(', ')}])`
}

async function parquetFiles(folder: string): Promise<string[]> {
  const names = await readdir(join(SHARED_DATA, folder), { recursive: true })
  const files = names.filter((name) => name.endsWith('.parquet'))
  return files.map((name) => join(SHARED_DATA, folder, name)).sort()
}

testPyWithShared.each(['planets', 'satellites', 'astronauts', 'space_missions'])(
  'PyIceberg reads %s as its file has it',
  async (name) => {
    const path = join(SHARED_DATA, `${name}.parquet`)
    await createTable(shop.deps, { name, inferFrom: givenFile(path) })
    await append(shop, name, path)
    await expectRows(name, { rows: fromFiles(path) })
  },
  TIMEOUT_MS,
)

testPyWithShared.each(['missions', 'security_findings'])(
  'PyIceberg reads %s at each of its snapshots',
  async (name) => {
    const files = await parquetFiles(name)
    const [first = '', ...others] = files
    await createTable(shop.deps, { name, inferFrom: givenFile(first) })
    const one = await append(shop, name, first)
    const all = await append(shop, name, ...others)
    const change = { removedPaths: [first], truncate: false }
    await commitRemoval(shop.deps, { table: name, change })
    await expectRows(name, { rows: fromFiles(...others) })
    await expectRows(name, { snapshotId: one, rows: fromFiles(first) })
    await expectRows(name, { snapshotId: all, rows: fromFiles(...files) })
  },
  TIMEOUT_MS,
)

testPy(
  'PyIceberg finds renamed, widened and added columns of files without field ids by name',
  async () => {
    const old = `SELECT range::INTEGER AS i, 'o' || range AS s, range AS gone FROM range(5)`
    const oldPath = await lake.write(`${shop.dataFolder}/old.parquet`, old)
    await createTable(shop.deps, { name: 't', inferFrom: givenFile(oldPath) })
    const first = await append(shop, 't', oldPath)
    await evolveTable(shop.deps, 't', {
      changes: [
        { op: 'rename', name: 's', to: 'label' },
        { op: 'widen', name: 'i', type: 'long' },
        { op: 'drop', name: 'gone' },
        { op: 'add', column: { name: 'extra', type: 'double' }, first: true },
      ],
    })
    const fresh = `SELECT 0.5::DOUBLE AS extra, (2 ** 40)::BIGINT + range AS i, 'n' AS label
      FROM range(3)`
    const freshPath = await lake.write(`${shop.dataFolder}/fresh.parquet`, fresh)
    await append(shop, 't', freshPath)
    const now = `SELECT NULL::DOUBLE AS extra, i::BIGINT AS i, s AS label FROM (${old})
      UNION ALL ${fresh}`
    await expectRows('t', { rows: now })
    await expectRows('t', { snapshotId: first, rows: old })
    await expectRows('t', {
      filter: `label = 'o3'`,
      rows: `SELECT * FROM (${now}) WHERE label = 'o3'`,
    })
    await expectRows('t', { filter: 'i > 100', rows: `SELECT * FROM (${now}) WHERE i > 100` })
  },
  TIMEOUT_MS,
)

testPy(
  'PyIceberg prunes by partitions and bounds and still finds every row',
  async () => {
    await createTable(shop.deps, {
      name: 'parts',
      columns: [
        { name: 'price', type: 'decimal(9,2)' },
        { name: 'seen', type: 'timestamp' },
        { name: 'id', type: 'long' },
      ],
      partitioning: [
        { column: 'price', transform: 'identity' },
        { column: 'price', transform: 'truncate[100]' },
        { column: 'seen', transform: 'month' },
        { column: 'id', transform: 'bucket[4]' },
      ],
    })
    const paths: string[] = []
    for (const i of [0, 1, 2, 3, 4, 5]) {
      const query = `SELECT (${i} - 2.5)::DECIMAL(9, 2) AS price, ${i * 1e10}::BIGINT AS id,
        TIMESTAMP '2023-0${i + 1}-28' + INTERVAL (range) MINUTE AS seen FROM range(20)`
      paths.push(await lake.write(`${shop.dataFolder}/p${i}.parquet`, query))
      await append(shop, 'parts', paths[i] as string)
    }
    const all = `SELECT price, seen, id FROM (${fromFiles(...paths)})`
    await expectRows('parts', { rows: all })
    await expectRows('parts', { filter: 'price < -0.75', rows: `${all} WHERE price < -0.75` })
    await expectRows('parts', { filter: 'id = 30000000000', rows: `${all} WHERE id = 30000000000` })
    const march = `seen >= '2023-03-28T00:05:00'`
    await expectRows('parts', { filter: march, rows: `${all} WHERE ${march}` })
  },
  TIMEOUT_MS,
)

testPy(
  'PyIceberg reads a clone, a table that was rolled back, and merged manifests',
  async () => {
    const paths = await Promise.all(
      Array.from({ length: 13 }, (_, i) => lake.numbers(shop, `f${i}`, i * 10)),
    )
    await createTable(shop.deps, { name: 'source', columns: [{ name: 'n', type: 'long' }] })
    const snapshots: bigint[] = []
    for (const path of paths) snapshots.push(await append(shop, 'source', path))
    await cloneTable(shop.deps, {
      table: 'source',
      name: 'copy',
      snapshotIdentifier: String(snapshots[11]),
    })
    const own = await lake.numbers(shop, 'own', 1000)
    await append(shop, 'copy', own)
    await rollbackTable(shop.deps, 'source', { snapshotIdentifier: String(snapshots[4]) })
    await expectRows('source', { rows: fromFiles(...paths.slice(0, 5)) })
    await expectRows('source', { snapshotId: snapshots[12] as bigint, rows: fromFiles(...paths) })
    await expectRows('copy', { rows: fromFiles(...paths.slice(0, 12), own) })
  },
  TIMEOUT_MS,
)
