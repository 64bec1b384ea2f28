import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBConnection } from '@duckdb/node-api'
import { jest } from '@jest/globals'
import { bindQuery } from '../../../src/core/query/bind-query.ts'
import type { QueryRequest } from '../../../src/core/query/bound-query.ts'
import type { ResultPart } from '../../../src/engine/engine.ts'
import { runQuery } from '../../../src/engine/worker/query/query-job.ts'
import { checkSql } from '../../../src/engine/worker/query/sql-check.ts'
import { runSql } from '../../../src/engine/worker/query/sql-job.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'
import { field, schemaOf, sourceOf } from '../engine-samples.ts'

/** DuckDB #24794: those that may take none are run without the part of it that ends at them. */
test.each([
  ['SELECT a FROM t ORDER BY a LIMIT 1', false],
  ['SELECT a FROM t ORDER BY a LIMIT 10 OFFSET 3', false],
  ['SELECT a FROM t ORDER BY a OFFSET 3', false],
  ['SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS ONLY', false],
  ['SELECT a FROM t ORDER BY a LIMIT 99999999999999999', false],
  ['SELECT a FROM t ORDER BY a LIMIT 0', true],
  ['SELECT a FROM t ORDER BY a LIMIT 0.4', true],
  ['SELECT a FROM t ORDER BY a LIMIT 1.5', true],
  ['SELECT a FROM t ORDER BY a LIMIT NULL', true],
  ["SELECT a FROM t ORDER BY a LIMIT '0'", true],
  ['SELECT a FROM t ORDER BY a LIMIT 1 - 1', true],
  ['SELECT a FROM t ORDER BY a LIMIT CAST(0 AS BIGINT)', true],
  ['SELECT a FROM t ORDER BY a LIMIT (SELECT 0)', true],
  ['SELECT a FROM t ORDER BY a FETCH FIRST 0 ROWS ONLY', true],
  ['SELECT a FROM t WHERE a IN (SELECT b FROM t ORDER BY b LIMIT 0) LIMIT 5', true],
  ['WITH q AS (SELECT a FROM t ORDER BY a LIMIT 0) SELECT a FROM q LIMIT 5', true],
  ['(SELECT a FROM t ORDER BY a LIMIT 0) UNION ALL SELECT a FROM t', true],
])('whether %s may take no rows', async (sql, mayTakeNone) => {
  const [row] = await querySql(`SELECT json_serialize_sql('${sql.replaceAll("'", "''")}') AS tree`)
  const { statements } = JSON.parse(String((row as { tree: string }).tree))
  expect(checkSql(statements[0].node).mayTakeNone).toBe(mayTakeNone)
})

const SCHEMA = schemaOf(field(1, 'id', 'long'), field(2, 'x', 'double'), field(3, 's', 'string'))
const TARGET = { path: 'unused', format: 'ndjson', compression: 'none' } as const
const before = process.cwd()
let folder = ''
/** Statements that were run, each with the optimizers that its DuckDB goes without. */
const run: string[][] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-none-'))
  const rows = `SELECT i AS id, i / 7 AS x, 's' || i AS s FROM range(30) t(i)`
  await writeParquet(join(folder, 'a.parquet'), rows)
  await mkdir(join(folder, 'task'))
  process.chdir(join(folder, 'task'))
  run.length = 0
  for (const name of ['run', 'runAndReadAll'] as const) {
    const own = DuckDBConnection.prototype[name] as (...given: unknown[]) => Promise<never>
    jest.spyOn(DuckDBConnection.prototype, name).mockImplementation(async function spied(
      this: DuckDBConnection,
      ...given: unknown[]
    ) {
      const set = await this.stream(`SELECT current_setting('disabled_optimizers')`)
      const [[disabled] = []] = await set.getRowsJS()
      run.push([String(given[0]), ...String(disabled).split(',')])
      return await own.apply(this, given)
    })
  }
})
afterEach(async () => {
  jest.restoreAllMocks()
  process.chdir(before)
  await rm(folder, { recursive: true })
})

const place = () => ({ folder: process.cwd(), memoryBytes: 256_000_000 })
const table = () => ({ schema: SCHEMA, sources: [sourceOf(join(folder, 'a.parquet'), SCHEMA)] })

/** Statements that might end the process. */
function unsafe(): readonly string[] {
  return run
    .filter(([text = '', ...disabled]) => {
      const isEmptied = !disabled.includes('filter_pushdown') || disabled.includes('top_n')
      return /\bLIMIT 0\b/.test(text) && !isEmptied
    })
    .map(([text = '']) => text)
}

const PART = { rowsMax: 10, bytesMax: 10_000 }
const ORDERED: QueryRequest = { columns: ['id'], orderBy: [{ column: 'x' }] }
const GROUPED: QueryRequest = { groupBy: ['s'], aggregates: [{ function: 'count' }] }

test.each<[string, QueryRequest, ResultPart | undefined, number]>([
  ['a whole result in order', ORDERED, undefined, 30],
  ['a part of one', ORDERED, PART, 10],
  ['groups, which are in order', GROUPED, undefined, 30],
  ['none of an order', { ...ORDERED, limit: 0 }, undefined, 0],
  ['none of it as a part', { ...ORDERED, limit: 0 }, PART, 0],
  ['none that are left', { ...ORDERED, limit: 5 }, { ...PART, offset: 5 }, 0],
  ['none of groups', { ...GROUPED, limit: 0 }, PART, 0],
  ['none of one group', { aggregates: [{ function: 'count' }], limit: 0 }, PART, 0],
])('the first no rows of an order are never looked for: %s', async (_, request, part, rows) => {
  const query = bindQuery(request, SCHEMA)
  const job = { table: table(), query, target: TARGET, ...(part && { part }) }
  expect((await runQuery(job, place())).rows).toBe(rows)
  expect(unsafe()).toEqual([])
  expect(run.length).toBeGreaterThan(0)
})

test.each([
  ['SELECT id FROM t ORDER BY x', 30],
  ["SELECT s || ' and more than fits beside its length' AS a FROM t ORDER BY 1", 30],
  ['SELECT id FROM t ORDER BY x LIMIT 0', 0],
])('nor by a whole result of SQL: %s', async (sql, rows) => {
  expect((await runSql({ sql, tables: [table()], target: TARGET }, place())).rows).toBe(rows)
  expect(unsafe()).toEqual([])
  expect(run.length).toBeGreaterThan(0)
})

test('of what has no rows, no file is read', async () => {
  const query = bindQuery({ ...ORDERED, limit: 0 }, SCHEMA)
  const sources = [sourceOf(join(folder, 'gone.parquet'), SCHEMA)]
  const job = { table: { schema: SCHEMA, sources }, query, part: PART, target: TARGET }
  expect(await runQuery(job, place())).toMatchObject({ rows: 0, hasMore: false })
})
