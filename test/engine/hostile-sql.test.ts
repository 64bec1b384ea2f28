import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDuckDbEngine } from '../../src/engine/duckdb.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { HOSTILE } from '../modules/rows/hostile-sql.ts'

let engine: Engine
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-hostile-'))
  engine = await openDuckDbEngine({
    ...{ processes: 1, memoryBytes: 256_000_000, temporaryFolder: folder },
    ...{ jobTimeoutMs: 60_000, queueMax: 9 },
  })
}, 60_000)
afterAll(async () => {
  await engine.close()
  await rm(folder, { recursive: true })
})

/** What these name is no table of ours, or none: it is refused before anything is bound, too. */
const NAMING: Readonly<Record<string, readonly string[]>> = {
  "SELECT * FROM '/etc/passwd.parquet'": ['/etc/passwd.parquet'],
  "SELECT * FROM 'source-1.parquet'": ['source-1.parquet'],
  'SELECT * FROM duckdb_tables': ['duckdb_tables'],
  'SELECT * FROM information_schema.tables': ['information_schema.tables'],
  'SELECT * FROM pg_catalog.pg_class': ['pg_catalog.pg_class'],
  'SELECT * FROM sqlite_master': ['sqlite_master'],
  'SELECT * FROM t0': ['t0'],
  'SELECT * FROM result': ['result'],
  'WITH duckdb_settings AS (SELECT * FROM duckdb_settings) SELECT * FROM duckdb_settings': [
    'duckdb_settings',
  ],
  'SELECT * FROM asked, (SELECT * FROM duckdb_views) AS v': ['asked', 'duckdb_views'],
  'SELECT 1': [],
  'VALUES (1)': [],
  // A column that is not there: DuckDB would tell the date.
  'SELECT current_date FROM asked': ['asked'],
}

/** `parseSql` binds nothing and knows no table: what it refuses was not looked up, nor folded. */
test.each(HOSTILE)('who parses a hostile text refuses it, or finds only names: %#', async (sql) => {
  const outcome = await engine.parseSql(sql).then(
    ({ references }) => references.map(({ table }) => table),
    (error) => error.code,
  )
  const expected = NAMING[sql] ?? 'query-invalid'
  expect([sql.slice(0, 100), outcome]).toEqual([sql.slice(0, 100), expected])
})
