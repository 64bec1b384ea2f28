import type { DuckDBConnection } from '@duckdb/node-api'
import { CatalogError } from '../../../core/errors.ts'
import type { ColumnKnowledge } from '../../../core/schema/column-projection.ts'
import type { Field } from '../../../core/value/type.ts'
import type { EqualityColumn, EqualityDelete, PositionDelete, SourceFile } from '../../engine.ts'
import { columnSql, knownBelow } from '../sql/column-sql.ts'
import { blaming } from '../sql/failure.ts'
import { columnNamed, openParquetFile, type ParquetFile } from '../sql/parquet-file.ts'
import { quoteConstant } from '../sql/sql-text.ts'
import { TYPED } from '../sql/text-dialect.ts'
import { knowledgeOf } from './output-column.ts'
import { ROWS_MAX, RowSet } from './row-set.ts'
import type { LinkedFiles } from './source-files.ts'

/** Field ids of position delete files (Iceberg spec, "Reserved Field IDs"). */
const FILE_PATH_ID = 2_147_483_546
const POSITION_ID = 2_147_483_545

export interface DeleteTask {
  readonly source: SourceFile
  readonly linked: LinkedFiles
}

/**
 * Positions of the deleted rows of a file. Equality deletes are converted to positions first: then
 * the remaining rows are filtered one by one, so that their order never depends on a join.
 */
export async function deletedRows(
  connection: DuckDBConnection,
  { source, linked }: DeleteTask,
): Promise<RowSet> {
  const deleted = new RowSet(await rowCount(connection, { source, linked }))
  if (source.deletedRows !== undefined) deleted.addBits(source.deletedRows)
  for (const [i, file] of (source.positionDeletes ?? []).entries()) {
    const name = linked.positionDeletes[i] ?? ''
    await blaming(file.path, () => addPositions(connection, { file, name, deleted }))
  }
  for (const [i, file] of (source.equalityDeletes ?? []).entries()) {
    const deletes = await blaming(file.path, () =>
      openParquetFile(connection, linked.equalityDeletes[i] ?? ''),
    )
    const data = await openParquetFile(connection, linked.source)
    // Either file may be corrupt; the smaller one is read completely in any case.
    await blaming(file.path, () => connection.run(`SELECT count(*) FROM ${deletes.scan}`))
    const match = { file, deletes, data, known: knowledgeOf(source) }
    const sql = `SELECT CAST(row AS BIGINT) FROM ${semiJoinSql(match)}`
    await addRows(connection, sql, deleted)
  }
  return deleted
}

async function rowCount(
  connection: DuckDBConnection,
  { source, linked }: Pick<DeleteTask, 'source' | 'linked'>,
): Promise<number> {
  const result = await connection.runAndReadAll(
    `SELECT CAST(num_rows AS BIGINT) FROM parquet_file_metadata(${quoteConstant(linked.source)})`,
  )
  const rows = Number(result.getRowsJS()[0]?.[0])
  if (rows >= 0 && rows <= ROWS_MAX) return rows
  throw new CatalogError(
    'not-implemented',
    `${source.path} has too many rows to apply its delete files.`,
    {
      facts: { file: source.path },
    },
  )
}

async function addPositions(
  connection: DuckDBConnection,
  { file, name, deleted }: { file: PositionDelete; name: string; deleted: RowSet },
): Promise<void> {
  const deletes = await openParquetFile(connection, name)
  const path = reservedColumn(deletes, { id: FILE_PATH_ID, name: 'file_path' })
  const position = reservedColumn(deletes, { id: POSITION_ID, name: 'pos' })
  const prepared = await connection.prepare(
    `SELECT CAST(c${position} AS BIGINT) FROM ${deletes.scan} ` +
      `WHERE CAST(c${path} AS VARCHAR) = $1`,
  )
  prepared.bindVarchar(1, file.dataFile)
  await addChunks(await prepared.run(), deleted)
}

function reservedColumn(
  file: ParquetFile,
  { id, name }: { readonly id: number; readonly name: string },
): number {
  const byId = file.columns.findIndex((column) => column?.fieldId === id)
  const index = byId >= 0 ? byId : file.names.indexOf(name)
  if (index < 0) throw new Error(`Invalid Input Error: a file of position deletes without ${name}`)
  return index
}

interface Match {
  readonly file: EqualityDelete
  readonly deletes: ParquetFile
  readonly data: ParquetFile
  /** What is known about the columns of the data file. */
  readonly known: ColumnKnowledge
}

/**
 * An explicit join: for a subquery, without the distrusted optimizers, every row would be compared
 * with every other.
 */
function semiJoinSql(match: Match): string {
  const { file, deletes, data } = match
  const conditions = file.columns.map((column) => equalSql(column, match))
  const aliases = deletes.names.map((_, i) => `d${i}`).join(', ')
  const keys = `(SELECT * FROM ${deletes.scan}) AS d(${aliases})`
  return `${data.numberedScan} SEMI JOIN ${keys} ON (${conditions.join(' AND ')})`
}

function equalSql(
  { field, nameInFile, nameInDeletes }: EqualityColumn,
  { file, deletes, data, known }: Match,
): string {
  const { path } = file
  const deleted = sourceOf(deletes, { name: nameInDeletes, of: 'd.d', path })
  const value = sourceOf(data, { name: nameInFile, of: 't.c', path })
  return (
    `${comparedSql(field, value, known)} IS NOT DISTINCT FROM ` +
    comparedSql(field, deleted, knowledgeOf(file))
  )
}

/** The value as the table's type, of the only member if the column is a struct. */
function comparedSql(
  field: Field,
  source: Parameters<typeof columnSql>[1],
  known: ColumnKnowledge,
): string {
  const place = { column: field.name, depth: 0, known: knownBelow(known, field.id) }
  let sql = columnSql(field, source, { dialect: TYPED, place })
  for (let { type }: Pick<Field, 'type'> = field; type.kind === 'struct'; ) {
    sql = `struct_extract_at(${sql}, 1)`
    type = type.fields[0]?.type ?? { kind: 'unknown' }
  }
  return sql
}

/** A column of either file; `of` is what its alias begins with. */
function sourceOf(
  opened: ParquetFile,
  { name, of, path }: { name: string | undefined; of: string; path: string },
): Parameters<typeof columnSql>[1] {
  if (name === undefined) return undefined
  const index = columnNamed(opened, name)
  const file = opened.columns[index]
  if (file === undefined) throw missing(path, name)
  return { file, sql: `${of}${index}` }
}

function missing(path: string, name: string): CatalogError {
  return new CatalogError('file-corrupt', `${path} has no column ${name}.`, {
    facts: { file: path, column: name },
  })
}

async function addRows(connection: DuckDBConnection, sql: string, deleted: RowSet): Promise<void> {
  await addChunks(await connection.run(sql), deleted)
}

async function addChunks(
  result: Awaited<ReturnType<DuckDBConnection['run']>>,
  deleted: RowSet,
): Promise<void> {
  for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
    if (chunk.rowCount === 0) return
    for (const position of chunk.getColumnValues(0)) {
      if (typeof position === 'bigint') deleted.add(position)
    }
  }
}
