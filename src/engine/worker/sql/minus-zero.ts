import { type DuckDBConnection, DuckDBTypeId } from '@duckdb/node-api'
import type { FileColumn } from './file-column.ts'
import type { ParquetFile } from './parquet-file.ts'

/**
 * Whether a file has minus zero, or a NaN of other bits than the usual ones, in a column of
 * floating point. DuckDB's dictionaries take what is equal for one value, so such rows are written
 * without them. Read once more for this are the columns of floating point alone, and only as far as
 * one is found.
 */
export async function hasMinusZero(
  connection: DuckDBConnection,
  { columns, scan }: ParquetFile,
): Promise<boolean> {
  const tests = columns.flatMap((column, i) => minusZeroSql(column, `t.c${i}`, 0) ?? [])
  if (tests.length === 0) return false
  const sql = `SELECT 1 FROM ${scan} WHERE ${tests.map((test) => `(${test})`).join(' OR ')} LIMIT 1`
  return (await connection.runAndReadAll(sql)).currentRowCount > 0
}

/** By order, not by equality: foreign Bloom filters may miss one of the zeros. */
function minusZeroSql(
  column: FileColumn | undefined,
  sql: string,
  depth: number,
): string | undefined {
  if (column === undefined) return undefined
  const { type, children } = column
  const variable = `z${depth}`
  const [first, second] = children
  switch (type.typeId) {
    case DuckDBTypeId.FLOAT:
    case DuckDBTypeId.DOUBLE:
      // Not by order: foreign statistics leave NaN out, and would leave out its row group.
      return (
        `(signbit(${sql}) AND ${sql} >= 0) OR ` +
        `(isnan(${sql}) AND CAST(${sql} AS BIT) <> CAST(CAST('NaN' AS ${type}) AS BIT))`
      )
    case DuckDBTypeId.STRUCT: {
      const tests = children.flatMap(
        (member, i) => minusZeroSql(member, `struct_extract_at(${sql}, ${i + 1})`, depth) ?? [],
      )
      return tests.length === 0 ? undefined : tests.map((test) => `(${test})`).join(' OR ')
    }
    case DuckDBTypeId.LIST:
      return anySql(sql, variable, minusZeroSql(first, variable, depth + 1))
    case DuckDBTypeId.MAP: {
      const key = minusZeroSql(first, `${variable}.key`, depth + 1)
      const value = minusZeroSql(second, `${variable}.value`, depth + 1)
      const either = [key, value].filter((test) => test !== undefined).map((test) => `(${test})`)
      return anySql(`map_entries(${sql})`, variable, either.join(' OR ') || undefined)
    }
    default:
      return undefined
  }
}

function anySql(list: string, variable: string, test: string | undefined): string | undefined {
  if (test === undefined) return undefined
  return `len(list_filter(${list}, lambda ${variable}: ${test})) > 0`
}
