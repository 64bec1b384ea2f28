import { jest } from '@jest/globals'
import type { DataFile } from '../../../src/core/file/data-file.ts'
import { NAME_MAPPING_PROPERTY } from '../../../src/core/table-properties.ts'
import type { Value } from '../../../src/core/value/value.ts'
import { changeTable } from '../../../src/lake/commit/change-table.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { commitDeletes, commitForeign } from '../../lake/commit/commit-deletes.ts'
import { append, Lake } from '../../lake/lake.ts'
import { type DumpShop, openDumpShop } from './dump-shop.ts'
import { expectRowsInEveryFormat } from './every-format.ts'

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

let lake: Lake
let shop: DumpShop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openDumpShop()
})
afterEach(() => shop.close())

function path(name: string): string {
  return `${shop.dataFolder}/${name}.parquet`
}

/** A file as another writer registers it: the partition is said, and no metrics. */
async function foreign(
  name: string,
  query: string,
  { options = '', ...rest }: Partial<DataFile> & { readonly options?: string },
): Promise<DataFile> {
  const location = await lake.write(path(name), query, options)
  const [row] = await lake.query(`SELECT count(*)::INTEGER AS n FROM read_parquet('${location}')`)
  return {
    ...{ content: 'data', path: `file://${location}`, format: 'parquet', specId: 0 },
    ...{ partition: [], recordCount: Number(row?.['n']), fileSizeBytes: 100, ...rest },
  }
}

async function createHive(): Promise<void> {
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'v', type: 'long' },
      { name: 'dt', type: 'date' },
      { name: 'region', type: 'string' },
    ],
    partitioning: [
      { column: 'dt', transform: 'identity' },
      { column: 'region', transform: 'identity' },
    ],
  })
}

/** Partitions of a Hive layout: the folders have what the files lack. */
const PARTITIONS: readonly (readonly [string, Value | null, Value | null])[] = [
  ['one', 19_723, 'north'],
  ['two', 19_724, 'o\'b\u0000, "x"'],
  ['three', null, ''],
  ['four', -719_162, null],
]

async function commitHive(options = ''): Promise<void> {
  const files: DataFile[] = []
  for (const [i, [name, dt, region]] of PARTITIONS.entries()) {
    const query = `SELECT (range + ${i * 10})::BIGINT AS v FROM range(3)`
    files.push(await foreign(name, query, { partition: [dt, region], options }))
  }
  await commitForeign(shop, 't', { content: 'data', files })
}

function hiveQuery(): string {
  const values = [
    [0, "DATE '2024-01-01'", "'north'"],
    [10, "DATE '2024-01-02'", "'o''b' || chr(0) || ', \"x\"'"],
    [20, 'NULL', "''"],
    [30, "DATE '0001-01-01'", 'NULL'],
  ] as const
  // Of one commit the files come in the order of their paths.
  return [3, 0, 2, 1]
    .map((i) => values[i] ?? values[0])
    .map(([first, dt, region]) => {
      const columns = `(range + ${first})::BIGINT AS v, ${dt}::DATE AS dt`
      return `SELECT ${columns}, ${region}::VARCHAR AS region FROM range(3)`
    })
    .join(' UNION ALL ')
}

describe.each([
  ['with field ids', ', FIELD_IDS {v: 1}'],
  ['without field ids', ''],
])('files %s that lack the columns of their partition', (_, options) => {
  beforeEach(async () => {
    await createHive()
    await commitHive(options)
  })

  test('have its values in every format', async () => {
    expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query: hiveQuery() })).toBe(12)
    const arrow = await shop.make('t', { format: 'arrow' })
    expect(arrow.bytes.toString('latin1')).toContain('north')
  })

  test('keep them when a column is widened, and in the files rewritten for it', async () => {
    await evolveTable(shop.deps, 't', { changes: [{ op: 'type', name: 'v', type: 'double' }] })
    const { bytes } = await shop.make('t')
    const lines = bytes.toString('utf8').trimEnd().split('\n').slice(1).sort()
    const expected = [
      ...[0, 1, 2].map((v) => `${v}.0,2024-01-01,north`),
      ...[10, 11, 12].map((v) => `${v}.0,2024-01-02,"o'b\0, ""x"""`),
      ...[20, 21, 22].map((v) => `${v}.0,,""`),
      ...[30, 31, 32].map((v) => `${v}.0,0001-01-01,`),
    ]
    expect(lines).toEqual(expected.sort())
    const { plan } = await readTable(shop.deps, { table: 't', filter: "region = 'north'" })
    const [file, ...others] = [...plan.plannedFiles()]
    expect(others).toEqual([])
    const local = file?.dataFile.path.replace('file://', '')
    const rows = `SELECT DISTINCT dt::VARCHAR AS dt, region FROM read_parquet('${local}')`
    expect(await lake.query(rows)).toEqual([{ dt: '2024-01-01', region: 'north' }])
  })

  test('are found by a filter on these columns, and only they', async () => {
    const matching = async (filter: string) => {
      const { plan } = await readTable(shop.deps, { table: 't', filter })
      return plan.totals.records
    }
    expect(await matching("dt = '2024-01-01'")).toBe(3)
    expect(await matching('dt is null')).toBe(3)
    expect(await matching("region >= 'north'")).toBe(6)
  })

  test('lose the rows that an equality delete names by these columns', async () => {
    const deletes = await foreign(
      'deletes',
      "SELECT 1::BIGINT AS v, 'north' AS region UNION ALL SELECT 11, 'north'",
      {
        ...{ content: 'equality-deletes', equalityIds: [1, 3] },
        ...{ partition: [19_723, 'north'], options: ', FIELD_IDS {v: 1, region: 3}' },
      },
    )
    await commitDeletes(shop, 't', [deletes])
    const query = `SELECT * FROM (${hiveQuery()}) WHERE v <> 1`
    expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query })).toBe(11)
  })
})

test('equality deletes that lack such a column have the value of their partition', async () => {
  await createHive()
  await commitHive()
  const deletes = await foreign('deletes', 'SELECT 2::BIGINT AS v', {
    ...{ content: 'equality-deletes', equalityIds: [1, 3] },
    ...{ partition: [19_723, 'north'], options: ', FIELD_IDS {v: 1}' },
  })
  await commitDeletes(shop, 't', [deletes])
  const query = `SELECT * FROM (${hiveQuery()}) WHERE v <> 2`
  expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query })).toBe(11)
})

test('a column of a file without ids counts by its partition; if equal, it is copied', async () => {
  await createHive()
  const query = `SELECT 1::BIGINT AS v, DATE '2024-01-01' AS dt, 'north' AS region`
  const proved = await foreign('proved', query, { partition: [19_723, 'north'] })
  await commitForeign(shop, 't', { content: 'data', files: [proved] })
  await shop.make('t', { format: 'parquet' })
  expect(shop.counting.exports).toBe(0)

  const other = await foreign('said', query.replace('north', 'south'), {
    partition: [19_723, 'north'],
  })
  await commitForeign(shop, 't', { content: 'data', files: [other] })
  const both = { table: 't', query: `${query} UNION ALL ${query}` }
  expect(await expectRowsInEveryFormat(shop, lake, both)).toBe(2)
})

test('a column inside a struct has the value of its partition', async () => {
  const member = (id: number, name: string, type: string) => ({ id, name, type, required: false })
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'v', type: 'int' },
      {
        name: 'place',
        type: { type: 'struct', fields: [member(90, 'zip', 'long'), member(91, 'town', 'string')] },
      },
    ],
    partitioning: [{ column: 'place.town', transform: 'identity' }],
  })
  const rows = `SELECT 1::INTEGER AS v, {'zip': 5::BIGINT} AS place UNION ALL SELECT 2, NULL`
  const options = ', FIELD_IDS {v: 1, place: {__duckdb_field_id: 2, zip: 3}}'
  const file = await foreign('nested', rows, { partition: ['t'], options })
  await commitForeign(shop, 't', { content: 'data', files: [file] })
  const query = `SELECT 1::INTEGER AS v, {'zip': 5::BIGINT, 'town': 't'} AS place
    UNION ALL SELECT 2, NULL`
  expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query })).toBe(2)
})

test('partitions other than by identity are no values of columns', async () => {
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'v', type: 'int' },
      { name: 'n', type: 'int' },
    ],
    partitioning: [{ column: 'n', transform: 'truncate[10]' }],
  })
  const options = ', FIELD_IDS {v: 1}'
  const file = await foreign('a', 'SELECT 1::INTEGER AS v', { partition: [20], options })
  await commitForeign(shop, 't', { content: 'data', files: [file] })
  const query = 'SELECT 1::INTEGER AS v, NULL::INTEGER AS n'
  expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query })).toBe(1)
})

test('a column that the name mapping leaves out is NULL, until a file has it', async () => {
  const member = (id: number, name: string, type: string) => ({ id, name, type, required: false })
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'a', type: 'int' },
      { name: 'b', type: 'int' },
      {
        name: 's',
        type: { type: 'struct', fields: [member(9, 'x', 'int'), member(10, 'y', 'int')] },
      },
    ],
  })
  const rows = `SELECT 1::INTEGER AS a, 2::INTEGER AS b, {'x': 3::INTEGER, 'y': 4::INTEGER} AS s`
  await append(shop, 't', await lake.write(path('f'), rows))
  const mapping = [
    { 'field-id': 1, names: ['a'] },
    { 'field-id': 3, names: ['s'], fields: [{ 'field-id': 5, names: ['y', 'Y'] }] },
  ]
  await changeTable(shop.deps, 't', (state) => {
    const properties = {
      ...state.definition.properties,
      [NAME_MAPPING_PROPERTY]: JSON.stringify(mapping),
    }
    return { definition: { ...state.definition, properties } }
  })
  const query = `SELECT 1::INTEGER AS a, NULL::INTEGER AS b,
    {'x': NULL::INTEGER, 'y': 4::INTEGER} AS s`
  expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query })).toBe(1)

  await append(shop, 't', await lake.write(path('g'), rows))
  const all = `${rows} UNION ALL ${rows}`
  expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query: all })).toBe(2)
})
