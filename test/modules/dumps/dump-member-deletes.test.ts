import { jest } from '@jest/globals'
import type { DataFile } from '../../../src/core/file/data-file.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { commitDeletes } from '../../lake/commit/commit-deletes.ts'
import { append, Lake } from '../../lake/lake.ts'
import { refusal } from '../../refusal.ts'
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
  const member = (id: number, name: string, type: unknown) => ({ id, name, type, required: false })
  const spot = { type: 'struct', fields: [member(93, 'x', 'int')] }
  const place = {
    type: 'struct',
    fields: [member(90, 'zip', 'int'), member(91, 'town', 'string'), member(92, 'spot', spot)],
  }
  const list = { type: 'list', 'element-id': 94, element: 'int', 'element-required': false }
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'n', type: 'long' },
      { name: 'place', type: place },
      { name: 'list', type: list },
    ],
  })
})
afterEach(() => shop.close())

function path(name: string): string {
  return `${shop.dataFolder}/${name}.parquet`
}

/** Ids as the table gives them: top-level columns first. */
const PLACE = '{__duckdb_field_id: 2, zip: 4, town: 5, spot: {__duckdb_field_id: 6, x: 7}}'

/** Every seventh row has no place, every fifth no town, every third no spot. */
function rowsFrom(first: number): string {
  return `SELECT ${first} + range AS n, CASE WHEN range % 7 > 0 THEN {'zip': range::INTEGER,
      'town': CASE WHEN range % 5 > 0 THEN 't' || range % 5 END,
      'spot': CASE WHEN range % 3 > 0 THEN {'x': (range % 3)::INTEGER} END} END AS place,
    [range::INTEGER] AS list FROM range(210)`
}

async function deletes(name: string, query: string, ids: string, rest: Partial<DataFile>) {
  const location = await lake.write(path(name), query, `, FIELD_IDS {${ids}}`)
  const file: DataFile = {
    ...{ content: 'equality-deletes', format: 'parquet', specId: 0, partition: [] },
    ...{ recordCount: 1, fileSizeBytes: 100, path: `file://${location}`, ...rest },
  }
  await commitDeletes(shop, 't', [file])
}

function expectLive(where: string): Promise<number> {
  const query = `SELECT n, place, list FROM read_parquet('${path('a')}') WHERE ${where}`
  return expectRowsInEveryFormat(shop, lake, { table: 't', query })
}

describe.each([
  ['with', `, FIELD_IDS {n: 1, place: ${PLACE}, list: {__duckdb_field_id: 3, element: 8}}`],
  ['without', ''],
])('rows of a file %s field ids that are deleted by equality of members', (_, options) => {
  beforeEach(async () => {
    await append(shop, 't', await lake.write(path('a'), rowsFrom(0), options))
  })

  test('are left out, and a member of no struct is NULL', async () => {
    const town = 'place: {__duckdb_field_id: 2, town: 5}'
    const towns = `SELECT {'town': t} AS place FROM (VALUES ('t1'), (NULL)) AS v(t)`
    await deletes('eq', towns, town, { equalityIds: [5] })
    expect(await expectLive(`place.town NOT IN ('t1')`)).toBe(108)
    const both = 'place: {__duckdb_field_id: 2, zip: 4, spot: {__duckdb_field_id: 6, x: 7}}, n: 1'
    const keys = `SELECT {'zip': range::INTEGER, 'spot': {'x': 1}} AS place, range AS n
      FROM range(100)`
    await deletes('deep', keys, both, { equalityIds: [7, 1] })
    const isDeep = 'n < 100 AND place.spot.x IS NOT DISTINCT FROM 1'
    expect(await expectLive(`place.town NOT IN ('t1') AND NOT (${isDeep})`)).toBe(91)
  })

  test('are found after members were renamed, widened, added and dropped', async () => {
    const keys = `SELECT {'zip': 8, 'town': 't3'} AS place`
    const ids = 'place: {__duckdb_field_id: 2, zip: 4, town: 5}'
    await deletes('old', keys, ids, { equalityIds: [4, 5] })
    await evolveTable(shop.deps, 't', {
      changes: [
        { op: 'rename', name: 'place.zip', to: 'code' },
        { op: 'widen', name: 'place.code', type: 'long' },
        { op: 'drop', name: 'place.town' },
        { op: 'add', parent: { name: 'place' }, column: { name: 'village', type: 'long' } },
      ],
    })
    await deletes(
      'new',
      `SELECT {'zip': 9::BIGINT, 'town': NULL::BIGINT} AS place`,
      ids.replace('5', '9'),
      {
        equalityIds: [4, 9],
      },
    )
    const query = `SELECT n, CASE WHEN place IS NOT NULL THEN {'code': place.zip::BIGINT,
        'spot': place.spot, 'village': NULL::BIGINT} END AS place, list
      FROM read_parquet('${path('a')}') WHERE n NOT IN (8, 9)`
    expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query })).toBe(208)
  })

  test('are refused where the member is of a list', async () => {
    const ids = 'list: {__duckdb_field_id: 3, element: 8}'
    await deletes('eq', 'SELECT [1::INTEGER] AS list', ids, { equalityIds: [8] })
    const error = await refusal(shop.make('t'))
    expect([error.code, error.message]).toEqual([
      'file-corrupt',
      expect.stringContaining('inside list, which is no struct'),
    ])
  })
})
