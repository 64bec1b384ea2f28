import type { DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import { boundColumns } from './bound-columns.ts'
import { columnOf, type FileColumn, type SchemaRow, type TimeUnit, treeOf } from './file-column.ts'
import { quoteConstant } from './sql-text.ts'

/** The unit of a column of times; older writers say it by another name. */
export const UNIT_SQL =
  `CASE converted_type WHEN 'TIMESTAMP_MILLIS' THEN 'MilliSeconds' ` +
  `ELSE regexp_extract(logical_type, '(Milli|Micro|Nano)Seconds') END`

/** Whether a column has no value of any type. */
export const IS_NULL_SQL = `logical_type = 'NullType()'`

/**
 * A Parquet file in the task's folder. Its columns are `c0`, `c1`, ... in SQL, so that no name of
 * the file gets there.
 */
export interface ParquetFile {
  /** A scan as a table named `t`. */
  readonly scan: string
  /** The same scan, with the position of each row as `row`. */
  readonly numberedScan: string
  /** Columns in the order of the file; `undefined` for one with unknown nesting. */
  readonly columns: readonly (FileColumn | undefined)[]
  readonly names: readonly string[]
}

/** The schema of a file as DuckDB tells it, and the types that it gives to its columns if known. */
export interface KnownSchema {
  readonly rows: readonly SchemaRow[]
  readonly types?: readonly DuckDBType[]
}

export async function openParquetFile(
  connection: DuckDBConnection,
  fileName: string,
): Promise<ParquetFile> {
  return await openAlike(connection, [fileName], { rows: await schemaRows(connection, fileName) })
}

/** Files of one schema, as one scan of all, one after the other. */
export async function openAlike(
  connection: DuckDBConnection,
  fileNames: readonly string[],
  { rows, types: known }: KnownSchema,
): Promise<ParquetFile> {
  const read = scanOf(fileNames)
  const nodes = treeOf(rows) ?? []
  const types = known ?? (await typesOf(connection, fileNames))
  if (nodes.length !== types.length) throw new Error('Invalid Input Error: no tree of columns')
  const aliases = types.map((_, i) => `c${i}`).join(', ')
  return {
    scan: `${read}) AS t(${aliases})`,
    numberedScan: `${read}, file_row_number = true) AS t(${aliases}, row)`,
    columns: types.map((type, i) => {
      const node = nodes[i]
      return node === undefined ? undefined : columnOf(node.name, type, node)
    }),
    names: nodes.map((node) => node.name),
  }
}

/** The types that DuckDB gives to the columns of files of one schema. */
export async function typesOf(
  connection: DuckDBConnection,
  fileNames: readonly string[],
): Promise<readonly DuckDBType[]> {
  return (await boundColumns(connection, `${scanOf(fileNames)})`)).map(({ type }) => type)
}

function scanOf(fileNames: readonly string[]): string {
  return `read_parquet([${fileNames.map(quoteConstant).join(', ')}], hive_partitioning = false`
}

async function schemaRows(
  connection: DuckDBConnection,
  fileName: string,
): Promise<readonly SchemaRow[]> {
  const result = await connection.runAndReadAll(
    `SELECT name, num_children, field_id, ${UNIT_SQL}, ${IS_NULL_SQL} ` +
      `FROM parquet_schema(${quoteConstant(fileName)})`,
  )
  return result.getRowsJS().map(([name, childCount, fieldId, unit, isNull]) => ({
    name: String(name),
    childCount: Number(childCount ?? 0),
    fieldId: fieldId === null || fieldId === undefined ? undefined : Number(fieldId),
    unit: unit === '' || unit === null ? undefined : (unit as TimeUnit),
    isNull: isNull === true,
  }))
}

/** A byte order mark at its beginning is lost in texts that DuckDB gives. */
export function columnNamed({ names }: Pick<ParquetFile, 'names'>, name: string): number {
  const index = names.indexOf(name)
  return index >= 0 ? index : names.indexOf(name.replace(/^\ufeff/, ''))
}
