import { type DuckDBConnection, type DuckDBType, DuckDBTypeId } from '@duckdb/node-api'
import { BoundedMap } from '../../../core/bounded-map.ts'
import { childFields } from '../../../core/schema/schema-lookup.ts'
import type { Field, Schema } from '../../../core/value/type.ts'
import type { ExportFormat, SourceFile } from '../../engine.ts'
import { outputSql } from '../export/output-column.ts'
import { boundColumns } from '../sql/bound-columns.ts'
import type { FileColumn } from '../sql/file-column.ts'
import type { ParquetFile } from '../sql/parquet-file.ts'

const KNOWN_MAX = 200
const KEY_LENGTH_MAX = 4_000

/** DuckDB's types of results, by what decides them. */
const known = new BoundedMap<string, readonly DuckDBType[]>(KNOWN_MAX)

/**
 * The result of a query as if it were a file with the columns `c0`, `c1`, ... With a key, results
 * with the same one have the same types.
 */
export async function describeResult(
  connection: DuckDBConnection,
  { fields }: Schema,
  { from, key }: { readonly from: string; readonly key: string | undefined },
): Promise<ParquetFile> {
  const columns = fields.map((_, i) => `o${i}`)
  const aliases = fields.map((_, i) => `c${i}`)
  const inner = `(SELECT ${columns.join(', ')} FROM ${from})`
  const scan = `${inner} AS t(${aliases.join(', ')})`
  const types =
    (key !== undefined && known.get(key)) ||
    (await boundColumns(connection, scan)).map(({ type }) => type)
  if (key !== undefined && key.length <= KEY_LENGTH_MAX) known.set(key, types)
  return {
    scan,
    numberedScan: scan,
    columns: fields.map((field, i) => columnOfResult(field, types[i])),
    names: aliases,
  }
}

/** SQL for the columns of the result, as the format represents them. */
export function resultValues(
  { fields }: Schema,
  file: ParquetFile,
  format: ExportFormat,
): readonly string[] {
  const columns = fields.map(({ id }, i) => ({ fieldId: id, nameInFile: file.names[i] }))
  const source: SourceFile = { path: 'the result', columns }
  return fields.map((field, index) => outputSql(field, { index, source, file }, format))
}

function columnOfResult(field: Field, type: DuckDBType | undefined): FileColumn | undefined {
  if (type === undefined) return undefined
  const below = childFields(field.type)
  const children = typesBelow(type).map((child, i) => {
    const inner = below[i]
    return inner === undefined ? undefined : columnOfResult(inner, child)
  })
  const { id: fieldId, name } = field
  const known = children.filter((child) => child !== undefined)
  if (known.length !== children.length) return undefined
  return { name, fieldId, type, unit: undefined, children: known }
}

function typesBelow(type: DuckDBType): readonly DuckDBType[] {
  if (type.typeId === DuckDBTypeId.STRUCT) return type.entryTypes
  if (type.typeId === DuckDBTypeId.LIST) return [type.valueType]
  return type.typeId === DuckDBTypeId.MAP ? [type.keyType, type.valueType] : []
}
