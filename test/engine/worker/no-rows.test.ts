import { checkSql } from '../../../src/engine/worker/query/sql-check.ts'
import { querySql } from '../../parquet-files.ts'

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
