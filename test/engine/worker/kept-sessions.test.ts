import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { CatalogError } from '../../../src/core/errors.ts'
import { withKeptSession } from '../../../src/engine/worker/sql/kept-sessions.ts'

let base = ''
let folder = ''

beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-kept-')))
  folder = `${base}/work`
  await mkdir(folder)
  await mkdir(`${base}/data`)
  for (const name of ['one', 'two']) await writeFile(`${base}/data/${name}.csv`, `a\n${name}\n`)
  await writeFile(`${base}/secret.csv`, 'a\n1\n')
  await symlink(`${base}/secret.csv`, `${folder}/link.csv`)
})
afterAll(() => rm(base, { recursive: true }))

function use<T>(
  work: (connection: DuckDBConnection) => Promise<T>,
  { directories = [folder], paths = [] }: { directories?: string[]; paths?: string[] } = {},
): Promise<T> {
  const options = { memoryBytes: 256_000_000, trust: 'values', directories, paths } as const
  return withKeptSession(options, work)
}

async function rowsOf(connection: DuckDBConnection, sql: string): Promise<unknown> {
  return (await connection.runAndReadAll(sql)).getRowsJson()
}

/** What tells one DuckDB from another: a table that only a connection of ours could make. */
function mark(): Promise<unknown> {
  return use((connection) => connection.run('CREATE OR REPLACE TABLE memory.main.mark AS SELECT 7'))
}

function isMarked(options?: Parameters<typeof use>[1]): Promise<boolean> {
  return use(async (connection) => {
    const sql = "SELECT count(*)::INTEGER FROM duckdb_tables() WHERE table_name = 'mark'"
    return JSON.stringify(await rowsOf(connection, sql)) === '[[1]]'
  }, options)
}

test('it is kept for who has the very same options, in whatever order', async () => {
  await mark()
  expect(await isMarked()).toBe(true)
  const others = { directories: [folder, `${base}/data`], paths: [`${base}/secret.csv`] }
  expect(await isMarked(others)).toBe(false)
  expect(await isMarked({ ...others, paths: [] })).toBe(false)
  await use((connection) => connection.run('CREATE TABLE memory.main.mark AS SELECT 7'), others)
  const turned = { ...others, directories: others.directories.toReversed() }
  expect(await isMarked(turned)).toBe(true)
})

/** What a query could leave, and how the next would see it. */
const LEFT = [
  ['a table', 'CREATE TEMP TABLE left_t AS SELECT 1 AS a', 'SELECT * FROM left_t'],
  ['a view', 'CREATE TEMP VIEW left_v AS SELECT 1 AS a', 'SELECT * FROM left_v'],
  ['a macro', 'CREATE TEMP MACRO left_m() AS 1', 'SELECT left_m()'],
  ['a sequence', 'CREATE TEMP SEQUENCE left_s', "SELECT nextval('left_s')"],
  ['a type', "CREATE TEMP TYPE left_e AS ENUM ('a')", "SELECT 'a'::left_e"],
  ['a statement', 'PREPARE left_p AS SELECT 1', 'EXECUTE left_p'],
] as const

test.each(LEFT)('the next query has nothing of the one before: %s', async (_, left, seen) => {
  await mark()
  await use(async (connection) => {
    await connection.run(left)
    await connection.run(seen)
  })
  expect(await isMarked()).toBe(true)
  await expect(use((connection) => connection.run(seen))).rejects.toThrow()
})

test('variables, seeds and open transactions end with their connection', async () => {
  await mark()
  const random = 'SELECT random()'
  const first = await use(async (connection) => {
    await connection.run('SET VARIABLE left_over = 3')
    await connection.run('SELECT setseed(0.5)')
    const drawn = await rowsOf(connection, random)
    await connection.run('BEGIN')
    await connection.run('CREATE TABLE memory.main.uncommitted AS SELECT 1')
    return drawn
  })
  await use(async (connection) => {
    expect(await rowsOf(connection, "SELECT getvariable('left_over')")).toEqual([[null]])
    await connection.run('SELECT setseed(0.5)')
    expect(await rowsOf(connection, random)).toEqual(first)
    await expect(connection.run('FROM memory.main.uncommitted')).rejects.toThrow('does not exist')
  })
  const [drawn, again] = [
    await use((connection) => rowsOf(connection, random)),
    await use((connection) => rowsOf(connection, random)),
  ]
  expect(again).not.toEqual(drawn)
})

test.each([
  'SET threads = 4',
  `SET TimeZone = 'Asia/Tokyo'`,
  `SET SESSION TimeZone = 'Asia/Tokyo'`,
  `SET disabled_optimizers = ''`,
  `SET temp_directory = '/tmp'`,
  'SET lock_configuration = false',
  'RESET memory_limit',
])('nobody changes its settings: %s', async (sql) => {
  await mark()
  await expect(use((connection) => connection.run(sql))).rejects.toThrow('has been locked')
})

test('its settings are those of every other session', async () => {
  const names = ['TimeZone', 'threads', 'disabled_optimizers', 'enable_geoparquet_conversion']
  const sql = `SELECT ${names.map((name) => `current_setting('${name}')::VARCHAR`)}`
  const distrusted = 'filter_pushdown,join_filter_pushdown,statistics_propagation'
  for (let i = 0; i < 2; i++) {
    const [row] = (await use((connection) => rowsOf(connection, sql))) as string[][]
    expect([row?.[0], row?.[1], row?.[3]]).toEqual(['UTC', '1', 'false'])
    expect(row?.[2]?.split(',').sort()).toEqual(distrusted.split(',').sort())
  }
})

test('it reads its folders and files, and nothing to which a link leads', async () => {
  const read = (path: string, options?: Parameters<typeof use>[1]) =>
    use((connection) => rowsOf(connection, `SELECT a FROM read_csv('${path}')`), options)
  const whole = { directories: [folder, `${base}/data`] }
  expect(await read(`${base}/data/one.csv`, whole)).toEqual([['one']])
  expect(await read(`${base}/data/two.csv`, whole)).toEqual([['two']])
  const one = { paths: [`${base}/data/one.csv`] }
  expect(await read(`${base}/data/one.csv`, one)).toEqual([['one']])
  for (const path of [`${base}/data/two.csv`, `${base}/secret.csv`, `${folder}/link.csv`]) {
    await expect(read(path, one)).rejects.toThrow('disabled by configuration')
  }
  await expect(read(`${base}/secret.csv`, whole)).rejects.toThrow('disabled by configuration')
})

test('what takes more memory than there is fails, and leaves no DuckDB behind', async () => {
  await mark()
  const sql = "SELECT list(i::VARCHAR || repeat('x', 1000)) FROM range(1000000) t(i)"
  await expect(use((connection) => connection.run(sql))).rejects.toThrow('Out of Memory')
  expect(await isMarked()).toBe(false)
})

test('a refusal of ours leaves it as it was, any other failure ends it', async () => {
  await mark()
  const refused = use(() => Promise.reject(new CatalogError('query-invalid', 'no')))
  await expect(refused).rejects.toThrow('no')
  expect(await isMarked()).toBe(true)
  await expect(use((connection) => connection.run('SELECT nothing'))).rejects.toThrow()
  expect(await isMarked()).toBe(false)
})
