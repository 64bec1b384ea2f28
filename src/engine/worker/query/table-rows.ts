import type { DuckDBConnection } from '@duckdb/node-api'
import { findPathToField } from '../../../core/schema/schema-lookup.ts'
import { isNested, type Schema } from '../../../core/value/type.ts'
import type { QueryTable, RowPosition, SourceFile } from '../../engine.ts'
import { outputSql } from '../export/output-column.ts'
import type { RowSet } from '../export/row-set.ts'
import type { LinkedFiles } from '../export/source-files.ts'
import { openAlike, type ParquetFile } from '../sql/parquet-file.ts'
import { typeSql } from '../sql/type-sql.ts'
import { readFileSchemas } from './file-schemas.ts'
import { maskSql } from './mask-sql.ts'
import { rowFilterSql } from './row-filter-sql.ts'

/** The sources of a table in the task's folder. */
export interface LinkedTable extends QueryTable {
  readonly linked: readonly LinkedFiles[]
  /** Rows that are deleted, of each source that has any. */
  readonly deleted: readonly (RowSet | undefined)[]
}

export interface RowsOptions {
  /** Number of the table in its query. */
  readonly number: number
  /** Rows up to this one are left out. */
  readonly after?: RowPosition | undefined
  /** Whether maps may have a key twice; without it, those fail. */
  readonly hasRepeatedKeys: boolean
}

/**
 * The rows of a table as SQL: a query with the columns `v0`, `v1`, ... of the schema's fields, with
 * the table's types, `f`, the index of the source, and `r`, the position of the row in it. What is
 * deleted is in variables of the session. Of a restricted table it has what may be shown.
 */
export async function tableRows(
  connection: DuckDBConnection,
  table: LinkedTable,
  options: RowsOptions,
): Promise<string> {
  const { restriction, schema } = table
  if (restriction === undefined) return await allRows(connection, table, options)
  const { readAs, filter, actions, isInverted } = restriction
  const rows = await allRows(connection, { ...table, schema: readAs }, options)
  const shown = schema.fields.map((field, i) => {
    const value = fieldSql(readAs, field.id)
    const action = actions.get(field.id)
    return `${action === undefined ? value : maskSql(action, field, value)} AS v${i}`
  })
  const condition = filter && rowFilterSql(filter, (id) => fieldSql(readAs, id))
  const not = isInverted === true ? 'NOT ' : ''
  const where = condition === undefined ? '' : ` WHERE ${condition} IS ${not}TRUE`
  return `SELECT ${[...shown, 'f', 'r'].join(', ')} FROM (${rows}) AS a${where}`
}

async function allRows(
  connection: DuckDBConnection,
  table: LinkedTable,
  options: RowsOptions,
): Promise<string> {
  if (table.sources.length === 0) return noRows(table.schema)
  for (const [i, rowSet] of table.deleted.entries()) {
    if (rowSet === undefined) continue
    const setting = `SET VARIABLE ${deletedName(options, i)} = CAST($1 AS BIT)`
    const statement = await connection.prepare(setting)
    statement.bindBlob(1, rowSet.bits)
    await statement.run()
  }
  const groups = await groupsOf(connection, table, options)
  return groups.map((group) => groupSql(table, group, options)).join(' UNION ALL ')
}

function deletedName({ number }: RowsOptions, source: number): string {
  return `deleted_${number}_${source}`
}

/** SQL of a field of the schema, in such rows. */
export function fieldSql(schema: Schema, fieldId: number): string {
  const path = findPathToField(schema.fields, fieldId) ?? []
  const [top] = path
  const index = top === undefined ? -1 : schema.fields.indexOf(top)
  if (top === undefined || index < 0) throw new Error(`no column has the field ${fieldId}`)
  let sql = `v${index}`
  for (let { type } = top, depth = 1; depth < path.length; depth++) {
    if (type.kind !== 'struct') throw new Error(`field ${fieldId} is not in a struct`)
    const at = type.fields.findIndex(({ id }) => id === path[depth]?.id)
    sql = `struct_extract_at(${sql}, ${at + 1})`
    type = type.fields[at]?.type ?? { kind: 'unknown' }
  }
  return sql
}

function noRows({ fields }: Schema): string {
  const nulls = fields.map(({ type, name }, i) => `CAST(NULL AS ${typeSql(type, name)}) AS v${i}`)
  return `SELECT ${[...nulls, '0 AS f', 'CAST(0 AS BIGINT) AS r'].join(', ')} FROM range(0)`
}

/** Sources that are read by one scan, one after the other. */
interface Group {
  readonly first: number
  readonly source: SourceFile
  readonly file: ParquetFile
}

/** Neighbours with the same physical schema, in which nothing is deleted or constant. */
async function groupsOf(
  connection: DuckDBConnection,
  { schema, sources, linked, deleted }: LinkedTable,
  { after }: RowsOptions,
): Promise<readonly Group[]> {
  const names = linked.map(({ source }) => source)
  const shaped = sources.map(({ shape }, i) => ({ name: names[i] ?? '', shape }))
  const schemas = await readFileSchemas(connection, shaped)
  const keys = sources.map((source, i) => {
    const isAlone = deleted[i] !== undefined || i === after?.source || source.rowIds !== undefined
    return isAlone ? undefined : groupKey(source, schema, schemas[i]?.key)
  })
  const groups: Group[] = []
  for (let first = 0; first < sources.length; ) {
    let end = first + 1
    while (keys[first] !== undefined && keys[end] === keys[first]) end++
    const file = await openAlike(
      connection,
      names.slice(first, end),
      schemas[first] ?? { rows: [] },
    )
    groups.push({ first, file, source: sources[first] as SourceFile })
    first = end
  }
  return groups
}

/** Names are those of the table, so they are the same for all. */
function groupKey(
  { columns, constants, idsInFile }: SourceFile,
  { fields }: Schema,
  shape: string | undefined,
): string {
  const isPlain = fields.every(({ type }) => !isNested(type))
  const isComplete = isPlain && columns.every(({ nameInFile }) => nameInFile !== undefined)
  const known = isComplete ? [] : [...(constants ?? [])].map(([id, value]) => [id, String(value)])
  const read = columns.map(({ fieldId, nameInFile }) => [fieldId, nameInFile ?? null])
  return JSON.stringify([shape, read, known, [...(idsInFile ?? [])]])
}

function groupSql(
  { schema, deleted }: LinkedTable,
  { first, file, source }: Group,
  options: RowsOptions,
): string {
  const { after, hasRepeatedKeys } = options
  const values = schema.fields.map((field, index) => {
    const from = { index, source, file, hasRepeatedKeys }
    return `${outputSql(field, from, 'parquet')} AS v${index}`
  })
  const conditions: string[] = []
  if (deleted[first] !== undefined) {
    const bits = `getvariable('${deletedName(options, first)}')`
    conditions.push(`get_bit(${bits}, CAST(row AS INTEGER)) = 0`)
  }
  if (after?.source === first) conditions.push(`row > ${Math.trunc(after.row)}`)
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  const index = `CAST(file_index AS INTEGER) + ${first} AS f`
  return `SELECT ${[...values, index, 'row AS r'].join(', ')} FROM ${file.numberedScan}${where}`
}
