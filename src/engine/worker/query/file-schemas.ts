import { open } from 'node:fs/promises'
import type { DuckDBConnection } from '@duckdb/node-api'
import { BoundedMap } from '../../../core/bounded-map.ts'
import { FOOTER_TAIL_BYTES } from '../../../core/limits.ts'
import { readParquetFooter } from '../../../formats/parquet/footer/footer.ts'
import { schemaShape } from '../../../formats/parquet/schema/schema-shape.ts'
import type { SchemaRow, TimeUnit } from '../sql/file-column.ts'
import { IS_NULL_SQL, type KnownSchema, typesOf, UNIT_SQL } from '../sql/parquet-file.ts'
import { quoteConstant } from '../sql/sql-text.ts'

/** The physical schema of a Parquet file; files with one key have the same. */
export interface FileSchema extends KnownSchema {
  readonly key: string
}

/** Files that one query looks at: its answer is held in memory. */
const FILES_AT_ONCE = 200
const KNOWN_MAX = 200
const PARTS =
  'file_name, name, num_children, field_id, ' +
  `${UNIT_SQL} AS unit, ${IS_NULL_SQL} AS is_null, ` +
  `concat_ws(' ', type, type_length, repetition_type, converted_type, ` +
  'scale, precision, logical_type) AS rest'

/** Schemas by shape, of whatever queries there were. */
const known = new BoundedMap<string, FileSchema>(KNOWN_MAX)

/** A file of the task's folder, and its shape if it is known. */
interface ShapedFile {
  readonly name: string
  readonly shape: string | undefined
}

/** The schemas of files, in their order. Of those of one shape a single one is looked at. */
export async function readFileSchemas(
  connection: DuckDBConnection,
  files: readonly ShapedFile[],
): Promise<readonly FileSchema[]> {
  const found = new Map<string, FileSchema>()
  const unknown = new Map<string, string>()
  for (const { name, shape } of files) {
    if (shape === undefined) continue
    const schema = known.get(shape)
    if (schema === undefined) unknown.set(shape, name)
    else found.set(shape, schema)
  }
  const shapeless = files.filter(({ shape }) => shape === undefined).map(({ name }) => name)
  const read = await readByName(connection, [...unknown.values(), ...shapeless])
  for (const [shape, name] of unknown) {
    const { rows } = read.get(name) as FileSchema
    const schema = { key: shape, rows, types: await typesOf(connection, [name]) }
    found.set(shape, schema)
    // Looked at afterwards: a file that was replaced in between tells nothing of others.
    if ((await shapeOfFile(name)) === shape) known.set(shape, schema)
  }
  return files.map(({ name, shape }) => {
    return (shape === undefined ? read.get(name) : found.get(shape)) as FileSchema
  })
}

async function shapeOfFile(name: string): Promise<string | undefined> {
  const file = await open(name)
  try {
    const { size: sizeBytes } = await file.stat()
    const readRange = async (offset: number, bytesMax: number) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(bytesMax), 0, bytesMax, offset)
      return new Uint8Array(buffer.buffer, buffer.byteOffset, bytesRead)
    }
    const tailBytes = Math.min(sizeBytes, FOOTER_TAIL_BYTES)
    const bytes = await readRange(sizeBytes - tailBytes, tailBytes)
    return schemaShape(await readParquetFooter({ bytes, sizeBytes }, readRange))
  } finally {
    await file.close()
  }
}

async function readByName(
  connection: DuckDBConnection,
  names: readonly string[],
): Promise<ReadonlyMap<string, FileSchema>> {
  const byKey = new Map<string, FileSchema>()
  const found = new Map<string, FileSchema>()
  for (let first = 0; first < names.length; first += FILES_AT_ONCE) {
    const slice = names.slice(first, first + FILES_AT_ONCE)
    const rowsOf = await rowsByFile(connection, slice)
    for (const name of slice) {
      const rows = rowsOf.get(name) ?? []
      const key = JSON.stringify(rows)
      const schema = byKey.get(key) ?? { key: String(byKey.size), rows: rows.map(toSchemaRow) }
      byKey.set(key, schema)
      found.set(name, schema)
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
