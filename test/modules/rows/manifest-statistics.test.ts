import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import type { Lake } from '../../lake/lake.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'
import { openChangedTables } from './changed-tables.ts'

const CHEAP = ['rows', 'nulls', 'least', 'greatest']

let service: TestService
let plain: Lake

beforeAll(async () => {
  service = await startTestService()
  plain = await openChangedTables(service)
}, 60_000)
afterAll(async () => {
  plain.close()
  await service.close()
})

function statisticsOf(table: string, column: string, parameters = ''): Promise<Json> {
  return must(ask(service, `/v1/tables/${table}/columns/${column}/statistics?${parameters}`))
}

function cheapOf(table: string, column: string, more = ''): Promise<Json> {
  return statisticsOf(table, column, `only=${CHEAP.join()}${more}`)
}

function picked(statistics: Json, names = CHEAP): Json {
  return Object.fromEntries(names.map((name) => [name, statistics[name]]))
}

async function makeTable(name: string, columns: object[], more: object = {}): Promise<void> {
  await must(post(service, '/v1/tables', { name, schema: { columns }, ...more }), 201)
}

async function addFile(table: string, sql: string, options = ''): Promise<string> {
  const path = join(service.dataFolder, `${table}-${crypto.randomUUID()}.parquet`)
  await writeParquet(path, sql, options)
  await must(post(service, `/v1/tables/${table}/files`, { files: [{ path }] }))
  return path
}

const COLUMNS = [
  { name: 'id', type: 'long' },
  { name: 'small', type: 'int' },
  { name: 'price', type: 'decimal(9,2)' },
  { name: 'day', type: 'date' },
  { name: 'ok', type: 'boolean' },
  { name: 'text', type: 'string' },
  { name: 'ratio', type: 'double' },
  { name: 'at', type: 'timestamp' },
  { name: 'none', type: 'int' },
]

function rowsSql(first: number, end: number): string {
  return (
    `SELECT i - 20 AS id, CASE WHEN i % 3 > 0 THEN CAST(i AS INTEGER) END AS small, ` +
    `CAST((i - 30) / 4 AS DECIMAL(9,2)) AS price, DATE '1999-12-25' + CAST(i AS INTEGER) AS day, ` +
    `i > 10 AS ok, repeat('a', 20) || i AS text, ` +
    `CASE WHEN i % 7 = 0 THEN 'NaN'::DOUBLE ELSE (i - 5) / 8 END AS ratio, ` +
    `TIMESTAMP_NS '2024-01-01 00:00:00.000000001' + to_seconds(i) AS at, NULL::INTEGER AS none ` +
    `FROM range(${first}, ${end}) t(i)`
  )
}

test('what manifests tell is what DuckDB finds in the files, none of which is read', async () => {
  await makeTable('told', COLUMNS)
  const paths = [await addFile('told', rowsSql(0, 40)), await addFile('told', rowsSql(40, 90))]
  const list = `read_parquet([${paths.map((path) => `'${path}'`)}])`
  const expected = await Promise.all(
    COLUMNS.slice(0, 5).map(async ({ name }) => {
      const [row] = await querySql(
        `SELECT count(*)::INTEGER AS rows, count_if(${name} IS NULL)::INTEGER AS nulls, ` +
          `min(${name})::VARCHAR AS least, max(${name})::VARCHAR AS greatest FROM ${list}`,
      )
      return [name, row]
    }),
  )
  for (const path of paths) await rm(path)
  for (const [name, row] of expected) {
    const { from, least, greatest, ...found } = await cheapOf('told', String(name))
    const told = { ...picked(found, ['rows', 'nulls']), least: `${least}`, greatest: `${greatest}` }
    expect([name, from, told]).toEqual([name, 'manifests', row])
  }
  const id = await cheapOf('told', 'id')
  expect(Object.keys(id).sort()).toEqual(
    [...CHEAP, 'column', 'from', 'snapshot_id', 'table_uuid'].sort(),
  )
  expect(await statisticsOf('told', 'text', 'only=nulls')).toMatchObject({ from: 'manifests' })
  // Texts are cut in manifests, NaN and zeros are not told apart, and nanoseconds rounded up.
  for (const name of ['text', 'ratio', 'at']) {
    const { status } = await ask(service, `/v1/tables/told/columns/${name}/statistics?only=least`)
    expect([name, status]).toEqual([name, 410])
  }
})

test('a column of one value, or of none, needs no file at all', async () => {
  await makeTable('flat', [
    { name: 'c', type: 'long' },
    { name: 'none', type: 'date' },
  ])
  const path = await addFile('flat', 'SELECT 7::BIGINT AS c, NULL::DATE AS none FROM range(30)')
  const whole = await statisticsOf('flat', 'c')
  expect(whole).toMatchObject({
    ...{ from: 'manifests', rows: 30, nulls: 0, nans: null, least: 7, greatest: 7 },
    ...{ distinct: { count: 1, is_approximate: false }, top_values: [{ value: 7, rows: 30 }] },
    histogram: null,
  })
  expect(await statisticsOf('flat', 'none')).toMatchObject({
    ...{ from: 'manifests', rows: 30, nulls: 30, least: null, greatest: null },
    ...{ distinct: { count: 0, is_approximate: false }, top_values: null, histogram: null },
  })
  // The same as values tell, beside a column that needs them.
  await makeTable('steep', [{ name: 'c', type: 'long', aliases: ['d'] }])
  await addFile('steep', 'SELECT 7::BIGINT AS d FROM range(30)')
  const { from, ...same } = await statisticsOf('steep', 'c')
  expect(from).toBe('files')
  const { from: _, ...told } = whole
  expect({ ...told, table_uuid: '', snapshot_id: '' }).toEqual({
    ...same,
    ...{ table_uuid: '', snapshot_id: '' },
  })
  await rm(path)
})

/** How many columns of snapshots are told by manifests. */
async function compareAll(table: string): Promise<number> {
  const { snapshots } = await must(ask(service, `/v1/tables/${table}/snapshots`))
  let told = 0
  const everyOther = (snapshots as Json[]).filter((_, i) => i % 2 === 0)
  for (const { snapshot_id: id } of everyOther) {
    const at = `snapshot_id=${id}`
    const page = await must(ask(service, `/v1/tables/${table}/rows?limit=1&${at}`))
    const names = [...page.columns.map(({ name }: Json) => name), 'place.zip']
    for (const name of names) {
      const cheap = await cheapOf(table, name, `&${at}`)
      const whole = await statisticsOf(table, name, at)
      const wanted = CHEAP.filter((each) => each in whole)
      expect([table, id, name, picked(cheap, wanted)]).toEqual([
        table,
        id,
        name,
        picked(whole, wanted),
      ])
      if (cheap.from === 'manifests') told++
    }
  }
  return told
}

test.each(['asked', 'others'])(
  'whatever happened to a table, it is what reading the files finds: %s',
  async (table) => {
    expect(await compareAll(table)).toBeGreaterThan(3)
    const [id] = await plain.query(
      'SELECT count(*)::INTEGER AS n, min(id)::INTEGER AS least, max(id)::INTEGER AS most ' +
        `FROM ${table}`,
    )
    const { rows, least, greatest, from } = await cheapOf(table, 'id')
    expect([from, rows, least, greatest]).toEqual(['files', id?.['n'], id?.['least'], id?.['most']])
  },
  120_000,
)

test('an int that became a long is told, and a file of before it counts', async () => {
  await makeTable('wider', [{ name: 'c', type: 'int' }])
  await addFile('wider', 'SELECT CAST(i - 2000000000 AS INTEGER) AS c FROM range(9) t(i)')
  const changes = [{ op: 'widen', name: 'c', type: 'long' }]
  await must(post(service, '/v1/tables/wider/schemas', { changes }))
  await addFile('wider', 'SELECT 9000000000000000000 + i AS c FROM range(9) t(i)')
  const { text } = await ask(service, `/v1/tables/wider/columns/c/statistics?only=${CHEAP}`)
  expect(text).toContain(
    '"from":"manifests","rows":18,"nulls":0,"least":-2000000000,"greatest":9000000000000000008}',
  )
})

async function mapNames(table: string, names: string[]): Promise<void> {
  const mapping = [{ 'field-id': 1, names }]
  const updates = { 'schema.name-mapping.default': JSON.stringify(mapping) }
  const wish = { requirements: [], updates: [{ action: 'set-properties', updates }] }
  await must(post(service, `/iceberg/v1/namespaces/default/tables/${table}`, wish))
}

test('where files are read by other names than when they were added, they are read', async () => {
  await makeTable('named', [{ name: 'c', type: 'long' }])
  await addFile('named', 'SELECT i AS c FROM range(9) t(i)')
  expect(await cheapOf('named', 'c')).toMatchObject({ from: 'manifests', nulls: 0, greatest: 8 })
  await mapNames('named', ['other'])
  expect(await cheapOf('named', 'c')).toMatchObject({ from: 'files', nulls: 9, greatest: null })
  await mapNames('named', ['c', 'other'])
  expect(await cheapOf('named', 'c')).toMatchObject({ from: 'files', nulls: 0, greatest: 8 })
})

const send = (table: string, ...updates: object[]) =>
  must(
    post(service, `/iceberg/v1/namespaces/default/tables/${table}`, { requirements: [], updates }),
  )

const MAPPING = 'schema.name-mapping.default'
const ALIASES = 'moraine.column-aliases'

async function changed(table: string, ...changes: object[]): Promise<void> {
  await must(post(service, `/v1/tables/${table}/schemas`, { changes }))
}

test.each<[string, string, (table: string) => Promise<unknown>]>([
  [
    'alias',
    'dep',
    async (table) => {
      await changed(table, { op: 'aliases', name: 'c', aliases: [] })
      await mapNames(table, ['c'])
    },
  ],
  [
    'properties',
    'dep',
    (table) => send(table, { action: 'remove-properties', removals: [ALIASES, MAPPING] }),
  ],
  [
    'mapping',
    'dep',
    async (table) => {
      await changed(table, { op: 'aliases', name: 'c', aliases: [] })
      await send(table, { action: 'remove-properties', removals: [MAPPING] })
    },
  ],
  [
    'schema',
    'c',
    async (table) => {
      await changed(table, { op: 'rename', name: 'c', to: 'd' })
      await changed(table, { op: 'aliases', name: 'd', aliases: [] })
      await addFile(table, 'SELECT NULL::BIGINT AS d')
      await mapNames(table, ['d'])
      const path = `/iceberg/v1/namespaces/default/tables/${table}`
      const { metadata } = await must(ask(service, path))
      const ids = metadata.snapshots
        .map((each: Json) => each['snapshot-id'])
        .filter((id: number) => id !== metadata['current-snapshot-id'])
      await send(table, { action: 'remove-snapshots', 'snapshot-ids': ids })
      await send(table, { action: 'remove-schemas', 'schema-ids': [0] })
    },
  ],
])('a name that files were read by counts when it was taken away: %s', async (table, at, away) => {
  await makeTable(table, [{ name: 'c', type: 'long', aliases: ['dep'] }])
  await addFile(table, `SELECT i AS ${at} FROM range(9) t(i)`)
  await away(table)
  await send(table, { action: 'remove-properties', removals: ['moraine.lost-names'] })
  const { from, ...found } = await cheapOf(table, table === 'schema' ? 'd' : 'c')
  expect([from, picked(found)]).toEqual([
    'files',
    { rows: found['rows'], nulls: found['rows'], least: null, greatest: null },
  ])
})

test('a column whose value a partition or a default says is read', async () => {
  const columns = [
    { name: 'c', type: 'int' },
    { name: 'part', type: 'int' },
  ]
  const partitioning = [{ column: 'part', transform: 'identity' }]
  await makeTable('parted', columns, { partitioning })
  await addFile('parted', 'SELECT 1::INTEGER AS c, 5::INTEGER AS part')
  expect(await cheapOf('parted', 'part')).toMatchObject({ from: 'files', least: 5, greatest: 5 })
  const added = { name: 'more', type: 'int', default: 3 }
  await must(
    post(service, '/v1/tables/parted/schemas', { changes: [{ op: 'add', column: added }] }),
  )
  expect(await cheapOf('parted', 'more')).toMatchObject({ from: 'files', least: 3, nulls: 0 })
  expect(await cheapOf('parted', 'c')).toMatchObject({ from: 'manifests', least: 1, nulls: 0 })
})

test('what is not wanted is not told, and what does not exist is refused', async () => {
  await makeTable('some', [{ name: 'c', type: 'long' }])
  const nothing = await statisticsOf('some', 'c', 'only=distinct,rows')
  expect(nothing).toMatchObject({ rows: 0, distinct: { count: 0, is_approximate: false } })
  expect('nulls' in nothing).toBe(false)
  const { status, body } = await ask(service, '/v1/tables/some/columns/c/statistics?only=median')
  expect([status, body.type]).toEqual([400, '/problems/request-invalid'])
})
