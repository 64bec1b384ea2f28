import { type DuckDBType, DuckDBTypeId } from '@duckdb/node-api'
import type { PrimitiveType } from '../../core/type.ts'
import { typeSql } from './type-sql.ts'

/** A value as the file has it, as a value of the table's type: widened where the schema was. */
export function castSql(
  from: DuckDBType,
  to: PrimitiveType,
  { sql, column }: { readonly sql: string; readonly column: string },
): string {
  const target = typeSql(to, column)
  if (from.toString() === target && from.alias === undefined) return sql
  if (from.typeId === DuckDBTypeId.BLOB) {
    // Writers that annotate nothing: bytes mean what the table says.
    if (to.kind === 'string') return `decode(${sql})`
    if (to.kind === 'uuid') return `CAST(lower(hex(${sql})) AS UUID)`
  }
  if (target === 'BLOB' && from.typeId === DuckDBTypeId.VARCHAR) return `encode(${sql})`
  return `CAST(${sql} AS ${target})`
}
