import type { DuckDBConnection } from '@duckdb/node-api'
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

export async function openParquetFile(
  connection: DuckDBConnection,
  fileName: string,
): Promise<ParquetFile> {
  return await openAlike(connection, [fileName], await schemaRows(connection, fileName))
}

/** Files of one schema, as one scan of all, one after the other. */
export async function openAlike(
  connection: DuckDBConnection,
  fileNames: readonly string[],
  schema: readonly SchemaRow[],
): Promise<ParquetFile> {
  const listed = `[${fileNames.map(quoteConstant).join(', ')}]`
  const read = `read_parquet(${listed}, hive_partitioning = false`
  const nodes = treeOf(schema) ?? []
  const types = (await boundColumns(connection, `${read})`)).map(({ type }) => type)
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
