import { CatalogError } from '../../../core/errors.ts'
import { absentValue, type ConstantColumns } from '../../../core/schema/column-projection.ts'
import { nestedDefault } from '../../../core/schema/nested-default.ts'
import { valueFromJson } from '../../../core/value/single-value.ts'
import {
  type Field,
  isNested,
  type MapType,
  type NestedType,
  type PrimitiveType,
  type StructType,
  type Type,
  typeName,
} from '../../../core/value/type.ts'
import type { Value } from '../../../core/value/value.ts'
import type { Dialect } from './text-dialect.ts'
import { typeSql } from './type-sql.ts'
import { valueSql } from './value-sql.ts'

interface Absent {
  /** Dotted path for messages. */
  readonly column: string
  readonly constants: ConstantColumns
}

/**
 * SQL for a column that the file lacks, in every row: the value of its partition, else its initial
 * default, else NULL.
 */
export function absentColumnSql(
  field: Field,
  dialect: Dialect,
  { column, constants }: Absent,
): string {
  return new AbsentWriter(dialect, constants).field(field, column)
}

class AbsentWriter {
  readonly #dialect: Dialect
  readonly #constants: ConstantColumns

  constructor(dialect: Dialect, constants: ConstantColumns) {
    this.#dialect = dialect
    this.#constants = constants
  }

  field(field: Field, column: string): string {
    const { type, initialDefault } = field
    if (type.kind === 'unknown') return this.#dialect.unknown()
    if (isNested(type)) return this.#json(type, initialDefault, column)
    return this.#primitive(type, absentValue(field, this.#constants), column)
  }

  #primitive(type: PrimitiveType, value: Value | null, column: string): string {
    const target = typeSql(type, column)
    const sql = `CAST(${value === null ? 'NULL' : valueSql(type, value)} AS ${target})`
    return this.#dialect.primitive(type, sql)
  }

  /** The JSON single value of a default, and of what is inside of one. */
  #json(type: Type, json: unknown, column: string): string {
    if (type.kind === 'unknown') return this.#dialect.unknown()
    if (!isNested(type)) {
      return this.#primitive(type, json === null ? null : valueFromJson(type, json), column)
    }
    const target = typeSql(type, column)
    if (json === null || json === undefined) return this.#dialect.absent(`CAST(NULL AS ${target})`)
    const sql = this.#nested(type, json, column)
    return this.#dialect.isTyped === true ? `CAST(${sql} AS ${target})` : sql
  }

  #nested(type: NestedType, json: unknown, column: string): string {
    const value = nestedDefault(type, json)
    if (value === undefined) {
      const detail = `the default of column ${column} is no JSON value of ${typeName(type)}`
      throw new CatalogError('metadata-corrupt', detail)
    }
    switch (value.kind) {
      case 'struct':
        return this.#struct(type as StructType, value.members, column)
      case 'list': {
        const { element } = value
        const items = value.items.map((item) => this.#json(element, item, `${column}.element`))
        const list = `[${items.join(', ')}]`
        return this.#dialect.list?.(list) ?? list
      }
      case 'map':
        return this.#map(type as MapType, value.entries, column)
    }
  }

  #struct({ fields }: StructType, given: ReadonlyMap<number, unknown>, column: string): string {
    const members = fields.map((field) => {
      const path = `${column}.${field.name}`
      const value = given.has(field.id)
        ? this.#json(field.type, given.get(field.id), path)
        : this.field(field, path)
      return { name: field.name, value }
    })
    return this.#dialect.struct(members)
  }

  #map(
    { key, value }: MapType,
    entries: readonly (readonly [unknown, unknown])[],
    column: string,
  ): string {
    const pairs = entries.map(([keyJson, valueJson]) => {
      const keySql = isNested(key)
        ? this.#json(key, keyJson, `${column}.key`)
        : this.#dialect.key(
            key,
            `CAST(${valueSql(key, valueFromJson(key, keyJson))} AS ${typeSql(key, column)})`,
          )
      const sql = this.#json(value, valueJson, `${column}.value`)
      return `struct_pack("key" := ${keySql}, "value" := ${sql})`
    })
    return this.#dialect.map(`[${pairs.join(', ')}]`, isNested(key))
  }
}
