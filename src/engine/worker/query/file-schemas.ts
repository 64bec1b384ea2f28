import type { DuckDBConnection } from '@duckdb/node-api'
import type { SchemaRow, TimeUnit } from '../sql/file-column.ts'
import { IS_NULL_SQL, UNIT_SQL } from '../sql/parquet-file.ts'
import { quoteConstant } from '../sql/sql-text.ts'

/** The physical schema of a Parquet file; files with one key have the same. */
export interface FileSchema {
  readonly rows: readonly SchemaRow[]
  readonly key: string
}

/** Files that one query looks at: its answer is held in memory. */
const FILES_AT_ONCE = 200
const PARTS =
  'file_name, name, num_children, field_id, ' +
  `${UNIT_SQL} AS unit, ${IS_NULL_SQL} AS is_null, ` +
  `concat_ws(' ', type, type_length, repetition_type, converted_type, ` +
  'scale, precision, logical_type) AS rest'

/** The schemas of files of the task's folder, in their order. */
export async function readFileSchemas(
  connection: DuckDBConnection,
  names: readonly string[],
): Promise<readonly FileSchema[]> {
  const known = new Map<string, FileSchema>()
  const found: FileSchema[] = []
  for (let first = 0; first < names.length; first += FILES_AT_ONCE) {
    const slice = names.slice(first, first + FILES_AT_ONCE)
    const rowsOf = await rowsByFile(connection, slice)
    for (const name of slice) {
      const rows = rowsOf.get(name) ?? []
      const key = JSON.stringify(rows)
      const schema = known.get(key) ?? { key: String(known.size), rows: rows.map(toSchemaRow) }
      known.set(key, schema)
      found.push(schema)
    }
  }
  return found
}

type Row = readonly [
  name: string,
  children: number,
  id: number | null,
  unit: string,
  isNull: boolean,
  rest: string,
]

async function rowsByFile(
  connection: DuckDBConnection,
  names: readonly string[],
): Promise<ReadonlyMap<string, readonly Row[]>> {
  const list = `[${names.map(quoteConstant).join(', ')}]`
  const result = await connection.runAndReadAll(`SELECT ${PARTS} FROM parquet_schema(${list})`)
  const byFile = new Map<string, Row[]>()
  for (const [file, name, children, id, unit, isNull, rest] of result.getRowsJS()) {
    const fieldId = id === null || id === undefined ? null : Number(id)
    const row: Row = [
      String(name),
      Number(children ?? 0),
      fieldId,
      String(unit ?? ''),
      isNull === true,
      `${rest}`,
    ]
    const rows = byFile.get(String(file))
    if (rows === undefined) byFile.set(String(file), [row])
    else rows.push(row)
  }
  return byFile
}

function toSchemaRow([name, childCount, fieldId, unit, isNull]: Row): SchemaRow {
  return {
    name,
    childCount,
    fieldId: fieldId ?? undefined,
    unit: unit === '' ? undefined : (unit as TimeUnit),
    isNull,
  }
}
