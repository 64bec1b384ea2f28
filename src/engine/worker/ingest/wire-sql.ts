import {
  isNested,
  type NestedType,
  type PrimitiveType,
  type Type,
} from '../../../core/value/type.ts'
import { sqlNames } from '../sql/duckdb-names.ts'
import { quoteConstant, quoteName } from '../sql/sql-text.ts'
import { typeSql } from '../sql/type-sql.ts'

/**
 * SQL that converts a text column to a value of the table's type. Nested values are JSON of texts.
 */
export function wireSql(type: Type, sql: string, column: string): string {
  if (!isNested(type)) return primitiveSql(type, sql, column)
  const json = `from_json(${sql}, ${quoteConstant(JSON.stringify(wireStructure(type)))})`
  // A lambda, so that the JSON is parsed only once.
  const value = valueSql(type, { sql: 'w', column, depth: 0 })
  const whole = `list_transform([${json}], lambda w: ${value})`
  return `CASE WHEN ${sql} IS NOT NULL THEN (${whole})[1] END`
}

/** The structure for DuckDB's from_json: members by position, a map as a list of entries. */
function wireStructure(type: Type): unknown {
  switch (type.kind) {
    case 'struct':
      return Object.fromEntries(type.fields.map((field, i) => [`f${i}`, wireStructure(field.type)]))
    case 'list':
      return [wireStructure(type.element)]
    case 'map':
      return [{ k: wireStructure(type.key), v: wireStructure(type.value) }]
    default:
      return 'VARCHAR'
  }
}

interface Spot {
  readonly sql: string
  readonly column: string
  readonly depth: number
}

function valueSql(type: Type, spot: Spot): string {
  if (!isNested(type)) return primitiveSql(type, spot.sql, spot.column)
  return `CASE WHEN ${spot.sql} IS NOT NULL THEN ${nestedSql(type, spot)} END`
}

function nestedSql(type: NestedType, spot: Spot): string {
  const { sql, column, depth } = spot
  const variable = `x${depth}`
  const below = (name: string, at: string): Spot => ({
    sql: at,
    column: `${column}.${name}`,
    depth: depth + 1,
  })
  switch (type.kind) {
    case 'struct': {
      const names = sqlNames(type.fields)
      const members = type.fields.map((field, i) => {
        const value = valueSql(field.type, below(field.name, `${sql}.f${i}`))
        return `${quoteName(names[i] ?? '')} := ${value}`
      })
      return `struct_pack(${members.join(', ')})`
    }
    case 'list': {
      const element = valueSql(type.element, below('element', variable))
      return `list_transform(${sql}, lambda ${variable}: ${element})`
    }
    case 'map': {
      const key = valueSql(type.key, below('key', `${variable}.k`))
      const value = valueSql(type.value, below('value', `${variable}.v`))
      const entry = `struct_pack("key" := ${key}, "value" := ${value})`
      return `map_from_entries(list_transform(${sql}, lambda ${variable}: ${entry}))`
    }
  }
}

function primitiveSql(type: PrimitiveType, sql: string, column: string): string {
  const ticks = `CAST(${sql} AS BIGINT)`
  switch (type.kind) {
    case 'string':
      return sql
    case 'date':
      return `DATE '1970-01-01' + CAST(${sql} AS INTEGER)`
    case 'time':
      return `CAST(make_timestamp(${ticks}) AS TIME)`
    case 'timestamp':
      return `make_timestamp(${ticks})`
    case 'timestamptz':
      return `make_timestamp(${ticks}) AT TIME ZONE 'UTC'`
    case 'timestamp_ns':
      return `make_timestamp_ns(${ticks})`
    case 'fixed':
    case 'binary':
      return `from_base64(${sql})`
    default:
      return `CAST(${sql} AS ${typeSql(type, column)})`
  }
}
