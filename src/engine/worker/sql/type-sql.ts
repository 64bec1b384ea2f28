import { type Type, typeName } from '../../../core/value/type.ts'
import { sqlNames } from './duckdb-names.ts'
import { notImplemented, quoteConstant, quoteName } from './sql-text.ts'

/**
 * DuckDB's name of a table's type. Refuses types that DuckDB cannot represent exactly, naming
 * `column`.
 */
export function typeSql(type: Type, column: string): string {
  switch (type.kind) {
    case 'boolean':
    case 'float':
    case 'double':
    case 'date':
    case 'time':
    case 'timestamp':
    case 'timestamp_ns':
    case 'uuid':
      return type.kind.toUpperCase()
    case 'int':
    // No value of it is ever but NULL; `finishParquet` says so in the file.
    case 'unknown':
      return 'INTEGER'
    case 'long':
      return 'BIGINT'
    case 'timestamptz':
      return 'TIMESTAMP WITH TIME ZONE'
    case 'string':
      return 'VARCHAR'
    case 'fixed':
    case 'binary':
      return 'BLOB'
    case 'decimal':
      return `DECIMAL(${type.precision},${type.scale})`
    case 'list':
      return `${typeSql(type.element, column)}[]`
    case 'map':
      return `MAP(${typeSql(type.key, column)}, ${typeSql(type.value, column)})`
    case 'struct': {
      const names = sqlNames(type.fields)
      const members = type.fields.map(
        ({ name, type: member }, i) =>
          `${quoteName(names[i] ?? '')} ${typeSql(member, `${column}.${name}`)}`,
      )
      return `STRUCT(${members.join(', ')})`
    }
    default:
      throw notImplemented(column, `type ${typeName(type)} cannot be converted`)
  }
}

/** The value for COPY's FIELD_IDS for a column. */
export function fieldIdSql(id: number, type: Type): string {
  const nested = (members: readonly string[]): string =>
    `{__duckdb_field_id: ${id}, ${members.join(', ')}}`
  switch (type.kind) {
    case 'list':
      return nested([`element: ${fieldIdSql(type.elementId, type.element)}`])
    case 'map':
      return nested([
        `key: ${fieldIdSql(type.keyId, type.key)}`,
        `value: ${fieldIdSql(type.valueId, type.value)}`,
      ])
    case 'struct': {
      const names = sqlNames(type.fields)
      return nested(
        type.fields.map(
          (field, i) => `${quoteConstant(names[i] ?? '')}: ${fieldIdSql(field.id, field.type)}`,
        ),
      )
    }
    default:
      return String(id)
  }
}
