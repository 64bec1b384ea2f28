import { jest } from '@jest/globals'
import { tableFromIPC } from 'apache-arrow'
import type { SchemaChange } from '../../../src/core/schema/schema-evolution.ts'
import { fieldIdSql } from '../../../src/engine/worker/sql/type-sql.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
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
  const member = (id: number, name: string, type: string) => ({ id, name, type, required: false })
  const spot = (first: number) => ({
    type: 'struct',
    fields: [
      member(first, 'x', 'int'),
      member(first + 1, 'r', 'float'),
      member(first + 2, 'd', 'decimal(5,2)'),
    ],
  })
  const list = (id: number, element: unknown) => ({
    ...{ type: 'list', 'element-id': id, element, 'element-required': false },
  })
  const map = (id: number, value: unknown) => ({
    ...{ type: 'map', 'key-id': id, key: 'string', 'value-id': id + 1, value },
    'value-required': false,
  })
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'n', type: 'long' },
      { name: 's', type: spot(90) },
      { name: 'l', type: list(100, spot(101)) },
      { name: 'm', type: map(110, spot(120)) },
      { name: 'v', type: list(130, list(131, 'int')) },
      {
        name: 'o',
        type: { type: 'struct', fields: [{ ...member(140, 'i', 'int'), type: spot(141) }] },
      },
    ],
  })
})
afterEach(() => shop.close())

function path(name: string): string {
  return `${shop.dataFolder}/${name}.parquet`
}

const SPOT = `{x: range::INTEGER, r: (range / 8)::FLOAT, d: (range / 4)::DECIMAL(5,2)}`
const ROWS = `SELECT range AS n, CASE WHEN range % 7 > 0 THEN ${SPOT} END AS s,
  CASE WHEN range % 5 > 0 THEN [${SPOT}, NULL] END AS l,
  CASE WHEN range % 3 > 0 THEN MAP {'k' || range: ${SPOT}, 'none': NULL} END AS m,
  [[range::INTEGER, NULL], NULL, []] AS v, {i: ${SPOT}} AS o FROM range(300)`
function change(...changes: SchemaChange[]) {
  return evolveTable(shop.deps, 't', { changes })
}

const PLACES = ['s', 'l.element', 'm.value', 'o.i'] as const
const CHANGED = (spot: string) =>
  `{"at": ${spot}.x::BIGINT, d: ${spot}.d::DECIMAL(9,2), r: ${spot}.r::DOUBLE, g: NULL::VARCHAR}`
const orNull = (spot: string) => `CASE WHEN ${spot} IS NOT NULL THEN ${CHANGED(spot)} END`
const AS_NOW = `SELECT n, ${orNull('s')} AS s, list_transform(l, lambda e: ${orNull('e')}) AS l,
  map_from_entries(list_transform(map_entries(m),
    lambda e: {key: e.key, value: ${orNull('e.value')}})) AS m,
  list_transform(v, lambda e: e::BIGINT[]) AS v, {i: ${orNull('o.i')}} AS o`

test.each([true, false])('members at every depth, with field ids: %s', async (hasIds) => {
  const { schema } = await readTable(shop.deps, { table: 't' })
  const ids = schema.fields.map(({ name, id, type }) => `${name}: ${fieldIdSql(id, type)}`)
  const options = hasIds ? `, FIELD_IDS {${ids.join(', ')}}` : ''
  await append(shop, 't', await lake.write(path('a'), ROWS, options))
  for (const place of PLACES) {
    await change(
      { op: 'rename', name: `${place}.x`, to: 'at' },
      { op: 'widen', name: `${place}.at`, type: 'long' },
      { op: 'widen', name: `${place}.r`, type: 'double' },
      { op: 'widen', name: `${place}.d`, type: 'decimal(9,2)' },
      { op: 'move', name: `${place}.r`, after: 'd' },
      { op: 'add', parent: { name: place }, column: { name: 'g', type: 'string' } },
    )
  }
  await change({ op: 'widen', name: 'v.element.element', type: 'long' })
  const query = `${AS_NOW} FROM read_parquet('${path('a')}')`
  expect(await expectRowsInEveryFormat(shop, lake, { table: 't', query })).toBe(300)
  const arrow = tableFromIPC((await shop.make('t', { format: 'arrow' })).bytes)
  expect(arrow.numRows).toBe(300)
  expect(String(arrow.schema.fields[2]?.type)).toBe(
    'List<Struct<{at:Int64, d:Decimal[9e+2], r:Float64, g:Utf8}>>',
  )
})

describe.each([
  ['with field ids', true],
  ['without field ids', false],
])('what is nested is converted, too: files %s', (_, hasIds) => {
  const LONGS = "SELECT range AS n, {x: 9007199254740993, d: DATE '1969-12-31', b: range = 0} AS s"
  const REST = "MAP {'k': [range, NULL]} AS m, [{y: range}, NULL] AS l FROM range(3)"

  test('members of structs, elements and values, at any depth', async () => {
    const struct = (...fields: readonly (readonly [string, string])[]) => ({
      type: 'struct',
      fields: fields.map(([name, type], i) => ({ id: 90 + i, name, type, required: false })),
    })
    const columns = [
      { name: 'n', type: 'long' },
      { name: 's', type: struct(['x', 'long'], ['d', 'date'], ['b', 'boolean']) },
      { name: 'm', type: 'map<string, list<long>>' },
      { name: 'l', type: { type: 'list', element: struct(['y', 'long']) } },
    ]
    await createTable(shop.deps, { name: 'r', columns })
    const { schema } = await readTable(shop.deps, { table: 'r' })
    const ids = schema.fields.map(({ name, id, type }) => `${name}: ${fieldIdSql(id, type)}`)
    const path = `${shop.dataFolder}/nested.parquet`
    const options = hasIds ? `, FIELD_IDS {${ids.join(', ')}}` : ''
    await append(shop, 'r', await lake.write(path, `${LONGS}, ${REST}`, options))
    const changes = [
      { op: 'type', name: 's.x', type: 'double' },
      { op: 'type', name: 's.d', type: 'timestamp' },
      { op: 'type', name: 's.b', type: 'int' },
      { op: 'type', name: 'm.value.element', type: 'double' },
      { op: 'type', name: 'l.element.y', type: 'double' },
      { op: 'rename', name: 'l.element.y', to: 'z' },
    ] as const
    const before = (await shop.target('r')).snapshot.snapshotId
    await evolveTable(shop.deps, 'r', { changes })
    const { bytes } = await shop.make('r', { format: 'ndjson' })
    const rows = bytes
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(rows).toEqual(
      [0, 1, 2].map((n) => ({
        n,
        s: { x: 9007199254740992, d: '1969-12-31T00:00:00.000000', b: n === 0 ? 1 : 0 },
        m: { k: [n, null] },
        l: [{ z: n }, null],
      })),
    )
    expect(bytes.toString()).toContain('"m":{"k":[2.0,null]},"l":[{"z":2.0},null]')
    // The snapshot of before is read by its own schema.
    const then = await shop.make('r', { format: 'ndjson', snapshotIdentifier: String(before) })
    expect(then.bytes.toString()).toContain('"x":9007199254740993,"d":"1969-12-31","b":true')
  })
})
