import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

let tables = 0

/** As DuckDB writes them: null, escapes, empty texts, and what is not finite. */
const TYPES: Readonly<Record<string, string>> = {
  s: 'string',
  d: 'date',
  b: 'boolean',
  i: 'int',
  l: 'long',
  f: 'double',
  ts: 'timestamp',
  tz: 'timestamptz',
  u: 'uuid',
  dec: 'decimal(5,2)',
  tm: 'time',
}
const DUCKDB_TYPES: Readonly<Record<string, string>> = {
  ...{ string: 'VARCHAR', int: 'INTEGER', long: 'BIGINT', timestamptz: 'TIMESTAMPTZ' },
}
const ROWS = `(VALUES
  (1, 'a/b', DATE '2024-01-01', true, -7, 9007199254740993, 1.5::DOUBLE,
    TIMESTAMP '2024-01-01 00:00:00', TIMESTAMPTZ '2024-01-01 00:00:00+00',
    UUID '00000000-0000-0000-0000-000000000001', (-0.5)::DECIMAL(5,2), TIME '12:30:00'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '', '2024-01-02', false, 0, 1, 'inf', '1969-12-31 23:59:59.999999',
    '2024-06-01 12:34:56.789+00', '00000000-0000-0000-0000-000000000002', 100, '00:00:00.000001'),
  (4, '100% é=ü', '1969-12-31', true, 1, 2, -0.1, '2024-12-31 00:00:01', '1969-12-31 23:59:59+00',
    '00000000-0000-0000-0000-000000000003', 7, '23:59:59')
) AS t(id, ${Object.keys(TYPES)})`

/** Writes a layout, and returns its files. */
async function layout(
  columns: string,
  query = `SELECT * FROM ${ROWS}`,
): Promise<readonly string[]> {
  const folder = join(service.dataFolder, `layout${++tables}`)
  await querySql(
    `SET TimeZone = 'UTC';
     COPY (${query}) TO '${folder}' (FORMAT parquet, PARTITION_BY (${columns}))`,
  )
  const found = readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name)))
  return found.filter((name) => name.endsWith('.parquet'))
}

function list(paths: readonly string[]): string {
  return paths.map((path) => `'${path.replaceAll("'", "''")}'`).join(', ')
}

async function create(columns: readonly object[], partitioning: readonly object[]) {
  const name = `hive${++tables}`
  await must(post(service, '/v1/tables', { name, schema: { columns }, partitioning }), 201)
  return name
}

function add(table: string, ...paths: readonly string[]) {
  return post(service, `/v1/tables/${table}/files`, { files: paths.map((path) => ({ path })) })
}

/** Rows of the Parquet dump, all columns as texts. */
async function dumped(table: string): Promise<Json[]> {
  const response = await fetch(`${service.url}/v1/tables/${table}/dump?format=parquet`)
  const path = join(service.home, `${table}.parquet`)
  await writeFile(path, Buffer.from(await response.arrayBuffer()))
  return texts(`'${path}'`)
}

function texts(from: string): Promise<Json[]> {
  return querySql(
    `SET TimeZone = 'UTC'; SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ${from} ORDER BY 1`,
  )
}

test('values of every type are taken from the folders that DuckDB writes', async () => {
  const names = Object.keys(TYPES)
  const files = await layout(names.join(', '))
  const columns = Object.entries({ id: 'int', ...TYPES }).map(([name, type]) => ({ name, type }))
  const table = await create(
    columns,
    names.map((column) => ({ column, transform: 'identity' })),
  )
  const answer = await must(add(table, ...files))
  expect(answer.files[0].notes).toHaveLength(names.length)
  const cast = Object.entries(TYPES).map(
    ([name, type]) => `CAST(${name} AS ${DUCKDB_TYPES[type] ?? type}) AS ${name}`,
  )
  const options = 'hive_partitioning = true, hive_types_autocast = false'
  const read = `read_parquet([${list(files)}], ${options})`
  expect(await dumped(table)).toEqual(await texts(`(SELECT id, ${cast} FROM ${read})`))
  for (const filter of [`d = '2024-01-01'`, `s = 'a/b'`, 'l = 9007199254740993', 'b is null']) {
    const found = await must(
      ask(service, `/v1/tables/${table}?filter=${encodeURIComponent(filter)}`),
    )
    expect(found.data_files).toHaveLength(1)
  }
})

test('a table made from such a file has its columns, as DuckDB guesses them', async () => {
  const query = `SELECT range AS v, DATE '2024-01-01' + (range % 3)::INTEGER AS dt,
    range % 2 AS n, ['x', 'y'][range % 2 + 1] AS kind FROM range(12)`
  const files = await layout('dt, n, kind', query)
  const table = `hive${++tables}`
  const made = await must(post(service, '/v1/tables', { name: table, infer_from: files[0] }), 201)
  const found = made.schema.columns.map(({ name, type }: Json) => [name, type])
  expect(found).toEqual([
    ['v', 'long'],
    ['dt', 'date'],
    ['n', 'long'],
    ['kind', 'string'],
  ])
  expect(made.partitioning).toMatchObject([
    { column: 'dt', transform: 'identity' },
    { column: 'n', transform: 'identity' },
    { column: 'kind', transform: 'identity' },
  ])
  const { transaction_id: id } = await must(post(service, '/v1/transactions/start', {}), 201)
  const body = { transaction_id: id, files: files.map((path) => ({ path })) }
  await must(post(service, `/v1/tables/${table}/files`, body))
  // Staged under another schema than it is committed to.
  const change = { changes: [{ op: 'rename', name: 'kind', to: 'sort' }] }
  await must(post(service, `/v1/tables/${table}/schemas`, change))
  await must(post(service, '/v1/transactions/commit', { transaction_id: id }))
  const read = `read_parquet([${list(files)}], hive_partitioning = true)`
  const expected = await texts(`(SELECT v, dt, n, kind AS sort FROM ${read})`)
  expect(await dumped(table)).toEqual(expected)
})

test('without hive_partitioning a table has the columns of the file only', async () => {
  const [file] = await layout('dt', `SELECT 1 AS v, DATE '2024-01-01' AS dt`)
  const body = { name: `hive${++tables}`, infer_from: file, hive_partitioning: false }
  const made = await must(post(service, '/v1/tables', body), 201)
  expect(made.schema.columns).toHaveLength(1)
  expect(made.partitioning).toEqual([])
})

const V = { name: 'v', type: 'long' }
const BY_DT = [{ column: 'dt', transform: 'identity' }]

async function fileIn(folders: string): Promise<string> {
  const path = join(service.dataFolder, `in${++tables}`, folders, 'part-0.parquet')
  return writeParquet(path, 'SELECT range AS v FROM range(2)')
}

test.each([
  ['dt=2024-13-01', 'date', undefined],
  ['dt=', 'date', undefined],
  ['dt=1.5', 'long', undefined],
  ['dt=3000000000', 'int', undefined],
  ['dt=yes', 'boolean', undefined],
  ['dt=00', 'binary', undefined],
  ['dt=2024-01-01/dt=2024-01-02', 'date', undefined],
  ['dt=__HIVE_DEFAULT_PARTITION__', 'date', false],
])('%s is refused by name where the column is %s', async (folders, type, nullable) => {
  const dt = { name: 'dt', type, ...(nullable === false && { nullable }) }
  const table = await create([V, dt], BY_DT)
  const refused = await add(table, await fileIn(folders))
  expect(refused.status).toBe(422)
  expect(refused.body).toMatchObject({
    type: '/problems/file-schema-mismatch',
    problems: [{ column: 'dt', rule: 'path-value' }],
  })
  expect(refused.body.detail).toContain(folders.split('/').at(-1))
  expect((await must(ask(service, `/v1/tables/${table}`))).totals.data_files).toBe(0)
})

test('a required column is taken from the path, and another transform of it, too', async () => {
  const dt = { name: 'dt', type: 'date', nullable: false }
  const table = await create([V, dt], [...BY_DT, { column: 'dt', transform: 'month' }])
  await must(add(table, await fileIn('dt=2024-02-29')))
  const { data_files } = await must(ask(service, `/v1/tables/${table}`))
  expect(data_files[0].partition).toEqual({ dt: '2024-02-29', dt_month: 649 })
  expect(await dumped(table)).toEqual([0, 1].map((v) => ({ v: `${v}`, dt: '2024-02-29' })))
})

test('a column that neither the file nor its path has is told, and what to do', async () => {
  const table = await create([V, { name: 'dt', type: 'date' }], BY_DT)
  const path = await fileIn('day=2024-01-01')
  const refused = await add(table, path)
  expect(refused.status).toBe(422)
  expect(refused.body.type).toBe('/problems/file-spans-partitions')
  expect(refused.body.detail).toContain('lacks the column of the partition field dt')
  const headers = { 'Content-Type': 'application/vnd.apache.parquet' }
  const raw = readFileSync(path)
  const uploaded = await ask(service, `/v1/tables/${table}/files`, { raw, headers })
  expect(uploaded.status).toBe(422)
  expect(uploaded.body.type).toBe('/problems/file-spans-partitions')
})

test('a folder of a column that the table is not partitioned by is told in a note', async () => {
  const table = await create([V, { name: 'dt', type: 'date' }], [])
  const { files } = await must(add(table, await fileIn('dt=2024-01-01')))
  expect(files[0].notes).toEqual([
    expect.stringContaining('not taken from its folder dt=2024-01-01'),
  ])
})

test('what the file has counts, whatever its folders are called', async () => {
  const path = join(service.dataFolder, `own${++tables}`, 'dt=2024-01-01', 'x.parquet')
  await writeParquet(path, `SELECT 1::BIGINT AS v, DATE '2023-05-06' AS dt`)
  const table = await create([V, { name: 'dt', type: 'date' }], BY_DT)
  await must(add(table, path))
  expect(await dumped(table)).toEqual([{ v: '1', dt: '2023-05-06' }])
})
