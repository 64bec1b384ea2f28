import { mkdir } from 'node:fs/promises'
import type { Lake } from '../../lake/lake.ts'
import { type DumpShop, type MadeDump, saved } from './dump-shop.ts'

interface Column {
  readonly name: string
  readonly type: string
}

/**
 * Holds the rows of a dump against those of a query, in order: DuckDB reads the dump back, by the
 * types of the query. Answers how many rows there are.
 */
export async function expectRows(
  shop: DumpShop,
  lake: Lake,
  { dump, query }: { readonly dump: MadeDump; readonly query: string },
): Promise<number> {
  await mkdir(shop.dataFolder, { recursive: true })
  const described = await lake.query(`DESCRIBE ${query}`)
  const columns = described.map((row) => ({
    name: String(row['column_name']),
    type: String(row['column_type']),
  }))
  const isJson = dump.index.format === 'ndjson'
  const expected = await textRows(lake, isJson ? asJsonCanSay(query, columns) : query)
  const found = await textRows(lake, readBack(dump, await saved(shop, dump), columns))
  expect(found).toEqual(expected)
  expect(dump.index.rowCount).toBe(expected.length)
  return expected.length
}

async function textRows(lake: Lake, query: string): Promise<string[]> {
  const rows = await lake.query(`SELECT CAST(t AS VARCHAR) AS row FROM (${query}) AS t`)
  return rows.map(({ row }) => String(row))
}

/** JSON has no NaN and no infinities. */
function asJsonCanSay(query: string, columns: readonly Column[]): string {
  const values = columns.map(({ name, type }) => {
    const column = quoted(name)
    const isFloat = type === 'DOUBLE' || type === 'FLOAT'
    return isFloat ? `CASE WHEN isfinite(${column}) THEN ${column} END AS ${column}` : column
  })
  return `SELECT ${values.join(', ')} FROM (${query})`
}

function readBack({ index }: MadeDump, path: string, columns: readonly Column[]): string {
  if (index.format === 'parquet') return `SELECT * FROM read_parquet('${path}')`
  if (index.format === 'csv') {
    const values = columns.map((column) => typed(column, quoted(column.name)))
    return `SELECT ${values.join(', ')} FROM read_csv('${path}', header = true, all_varchar = true,
      delim = ',', quote = '"', escape = '"', new_line = '\\n', auto_detect = false,
      allow_quoted_nulls = false, strict_mode = true, max_line_size = 10000000,
      columns = {${columns.map(({ name }) => `${literal(name)}: 'VARCHAR'`).join(', ')}})`
  }
  const values = columns.map((column) => {
    const member = `json ->> ${literal(`$."${column.name}"`)}`
    return typed(column, `(${member})`)
  })
  return `SELECT ${values.join(', ')}
    FROM read_ndjson_objects('${path}', maximum_object_size = 10000000)`
}

/** From the text that a dump has for a value. */
function typed({ name, type }: Column, text: string): string {
  if (type === 'BLOB') return `from_base64(${text}) AS ${quoted(name)}`
  const isNested = /[[(]/.test(type) && !type.startsWith('DECIMAL')
  const value = isNested ? `CAST(${text} AS JSON)` : text
  return `CAST(${value} AS ${type}) AS ${quoted(name)}`
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
