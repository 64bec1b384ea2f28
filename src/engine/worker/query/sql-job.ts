import type { DuckDBConnection } from '@duckdb/node-api'
import { CatalogError } from '../../../core/errors.ts'
import type { Schema } from '../../../core/value/type.ts'
import { parseExactJson, stringifyExactJson } from '../../../formats/json/exact-json.ts'
import type { ParsedSql, SqlJob, SqlReference, SqlResult } from '../../engine.ts'
import type { TaskPlace } from '../export/export-job.ts'
import { boundColumns } from '../sql/bound-columns.ts'
import { sqlNames } from '../sql/duckdb-names.ts'
import { isFaultOfQuery, withAnyMaps } from '../sql/failure.ts'
import { withKeptSession } from '../sql/kept-sessions.ts'
import { quoteName } from '../sql/sql-text.ts'
import { typeSql } from '../sql/type-sql.ts'
import { isUnsure, linkTables } from './link-tables.ts'
import { inQueryPlace, withQuerySession } from './query-session.ts'
import { mayRead } from './read-result.ts'
import { type CheckedSql, checkSql, type SqlNode } from './sql-check.ts'
import { withTypedConstants } from './sql-constants.ts'
import { resultSchema } from './sql-types.ts'
import { invalidSql, withoutValues } from './sql-words.ts'
import { type LinkedTable, type RowsOptions, tableRows } from './table-rows.ts'
import { finishResult, queryFailure, writeResult } from './write-result.ts'

const ONE_SELECT = 'a query is one SELECT, and nothing else'
const WHOLE_DOUBLE = /("id":"DOUBLE","type_info":null\},"is_null":false,"value":-?\d+)(?=[,}])/g
const TOO_LARGE = 'a number of the query is too large for a DOUBLE'

/** The tables that a text names. `query-invalid` if it is more than one query of them. */
export async function runParse(
  { sql }: { readonly sql: string },
  place: TaskPlace,
): Promise<ParsedSql> {
  return await parsing(place, async (connection) => {
    const tree = await parsed(connection, sql)
    const { references } = checkSql(selectOf(tree))
    return { references, canonical: await textOf(connection, withTypedConstants(tree)) }
  })
}

/** Works with a DuckDB that reads no file. */
async function parsing<T>(
  { memoryBytes }: TaskPlace,
  work: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const options = { memoryBytes, trust: 'values', directories: [], paths: [] } as const
  return await withKeptSession(options, work)
}

/** Runs a text of a user, of which nothing is left but what `checkSql` knows. */
export async function runSql(job: SqlJob, place: TaskPlace): Promise<SqlResult> {
  const linkedPaths: string[] = []
  try {
    const { mayTakeNone, ...text } = await parsing(place, (connection) => ownSql(connection, job))
    return await inQueryPlace(job, { ...place, linkedPaths }, async (own) => {
      const tables = await linkTables(job.tables, own, linkedPaths)
      // DuckDB #24794: the first no rows of an order end the process at times.
      const trust = mayTakeNone || tables.some(isUnsure) ? 'nothing' : 'values'
      const session = { trust, statements: "user's" } as const
      return await withQuerySession(own, session, async (connection) => {
        const running = { job, tables, isKept: own.isKept, ...text }
        return await withAnyMaps((hasRepeatedKeys) => query(connection, running, hasRepeatedKeys))
      })
    })
  } catch (error) {
    throw queryFailure(error, linkedPaths)
  }
}

interface OwnSql {
  readonly sql: string
  /** Gives the result's columns the names that they have in the text as it was written. */
  readonly naming: string
}

/** The text with names of our own. */
async function ownSql(
  connection: DuckDBConnection,
  { sql, tables }: SqlJob,
): Promise<OwnSql & Pick<CheckedSql, 'mayTakeNone'>> {
  const tree = await parsed(connection, sql)
  const { references, mayTakeNone } = checkSql(selectOf(tree))
  if (references.length !== tables.length) throw new Error('each reference has a table')
  const own = await textOf(connection, withTypedConstants(tree))
  const naming = await textOf(connection, tree)
  // What is run is looked at, too: DuckDB writes some things in another way.
  for (const text of new Set([own, naming])) {
    const { references: left } = checkSql(selectOf(await parsed(connection, text)))
    if (left.every((reference) => isOwn(reference, tables.length))) continue
    throw invalid('the query is written in a way that cannot be checked: write it in another')
  }
  return { sql: own, naming, mayTakeNone }
}

async function textOf(connection: DuckDBConnection, tree: SqlNode): Promise<string> {
  // DuckDB takes no `1` for a DOUBLE, as `1.0` was written.
  const json = stringifyExactJson(tree).replaceAll(WHOLE_DOUBLE, '$1.0')
  const [text] = await valuesOf(connection, 'json_deserialize_sql(CAST($1 AS JSON))', json)
  return String(text)
}

function isOwn({ table, timestamp, version }: SqlReference, count: number): boolean {
  const number = /^t(\d{1,3})$/.exec(table)?.[1]
  return (
    number !== undefined &&
    Number(number) < count &&
    timestamp === undefined &&
    version === undefined
  )
}

interface Running extends OwnSql {
  readonly job: SqlJob
  readonly tables: readonly LinkedTable[]
  readonly isKept: boolean
}

async function query(
  connection: DuckDBConnection,
  { job, tables, isKept, ...own }: Running,
  hasRepeatedKeys: boolean,
): Promise<SqlResult> {
  for (const [number, table] of tables.entries()) {
    const rows = await rowsOf(connection, table, { number, hasRepeatedKeys })
    const names = sqlNames(table.schema.fields).map(quoteName)
    const columns = names.map((name, i) => `v${i} AS ${name}`).join(', ')
    const view = `CREATE OR REPLACE TEMP VIEW t${number} AS SELECT ${columns} FROM (${rows}) AS s`
    await connection.run(view)
  }
  await connection.run(withoutValues())
  const schema = await blamingQuery(() => describe(connection, own))
  const { part, target } = job
  const all = resultSql(own.sql, schema)
  const limited = part === undefined ? all : `${all} LIMIT ${Math.trunc(part.rowsMax + 1)}`
  // Each column is cast to the type of the schema.
  const result = { schema, target, key: JSON.stringify(schema.fields) }
  const rows = { sql: limited, part, takesText: mayRead(job, isKept) }
  const written = await blamingQuery(() => writeResult(connection, result, rows))
  return { ...finishResult(result, part, written), schema }
}

/**
 * What may be shown of a restricted table is gathered first: DuckDB may else compute what a text
 * asks for of rows that a policy leaves out, and tell of a value at which it failed.
 */
async function rowsOf(
  connection: DuckDBConnection,
  table: LinkedTable,
  options: RowsOptions,
): Promise<string> {
  const rows = await tableRows(connection, table, options)
  if (table.restriction === undefined) return rows
  const name = `shown_${options.number}`
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${name} AS ${rows}`)
  return `SELECT * FROM ${name}`
}

async function describe(connection: DuckDBConnection, { sql, naming }: OwnSql): Promise<Schema> {
  const columns = await boundColumns(connection, `(${sql})`)
  const named = sql === naming ? columns : await boundColumns(connection, `(${naming})`)
  return resultSchema(
    named.map(({ name }) => name),
    columns.map(({ type }) => type),
  )
}

/** The rows of the query, with the table's types. */
function resultSql(sql: string, { fields }: Schema): string {
  const names = fields.map((_, i) => `c${i}`)
  const values = fields.map(({ type, name }, i) => `CAST(c${i} AS ${typeSql(type, name)}) AS o${i}`)
  return `SELECT ${values.join(', ')} FROM (${sql}) AS q(${names.join(', ')})`
}

/** What DuckDB says of the text is the client's to mend. */
async function blamingQuery<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isFaultOfQuery(error)) throw error
    throw invalidSql((error as Error).message)
  }
}

async function parsed(connection: DuckDBConnection, sql: string): Promise<SqlNode> {
  const [text] = await valuesOf(connection, 'json_serialize_sql(CAST($1 AS VARCHAR))', sql)
  // DuckDB writes numbers that JSON has not; in a text its quotes would be escaped.
  if (/"value":-?(?:Infinity|NaN)\b/i.test(String(text))) throw invalid(TOO_LARGE)
  const tree = parseExactJson(String(text), {
    bytesMax: Number.POSITIVE_INFINITY,
    depthMax: Number.POSITIVE_INFINITY,
  }) as SqlNode
  if (tree['error'] !== true) return tree
  // DuckDB tells of its own means here: only a SELECT can be serialized.
  if (tree['error_type'] === 'not implemented') throw invalid(ONE_SELECT)
  const position = Number(tree['position'])
  throw invalidSql(String(tree['error_message']), Number.isNaN(position) ? {} : { position })
}

function selectOf({ statements }: SqlNode): SqlNode {
  const [statement, ...others] = Array.isArray(statements) ? (statements as SqlNode[]) : []
  if (statement === undefined || others.length > 0) throw invalid(ONE_SELECT)
  return statement['node'] as SqlNode
}

async function valuesOf(
  connection: DuckDBConnection,
  expression: string,
  argument: string,
): Promise<readonly unknown[]> {
  const statement = await connection.prepare(`SELECT ${expression}`)
  statement.bindVarchar(1, argument)
  return (await statement.runAndReadAll()).getRowsJS()[0] ?? []
}

function invalid(detail: string): CatalogError {
  return new CatalogError('query-invalid', detail)
}
