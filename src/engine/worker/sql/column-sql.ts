import { DuckDBTypeId } from '@duckdb/node-api'
import { type ColumnKnowledge, projectColumns } from '../../../core/schema/column-projection.ts'
import { namesBelow } from '../../../core/schema/name-mapping.ts'
import {
  type Field,
  isNested,
  type ListType,
  type MapType,
  type NestedType,
  type StructType,
  type Type,
} from '../../../core/value/type.ts'
import { absentColumnSql } from './absent-column.ts'
import { castSql } from './cast-sql.ts'
import type { FileColumn } from './file-column.ts'
import { notImplemented } from './sql-text.ts'
import type { Dialect } from './text-dialect.ts'
import { typeSql } from './type-sql.ts'

/** Position of an expression in a schema. */
export interface Place {
  /** Dotted path for messages. */
  readonly column: string
  /** Number of enclosing lambdas, by which each names its variable. */
  readonly depth: number
  /** Its names are those of the fields directly below. */
  readonly known: ColumnKnowledge
}

/** SQL for the value of a field in a row of a file, written in the dialect. */
export function columnSql(
  field: Field,
  source: { readonly file: FileColumn; readonly sql: string } | undefined,
  { dialect, place }: { readonly dialect: Dialect; readonly place: Place },
): string {
  if (source === undefined) return absentColumnSql(field, dialect, absentAt(place))
  return new ColumnWriter(dialect).value(field.type, source, place)
}

function absentAt({ column, known }: Place) {
  return { column, constants: known.constants }
}

interface Source {
  readonly file: FileColumn
  readonly sql: string
}

class ColumnWriter {
  readonly #dialect: Dialect

  constructor(dialect: Dialect) {
    this.#dialect = dialect
  }

  value(type: Type, source: Source, place: Place): string {
    if (type.kind === 'unknown') return this.#dialect.unknown()
    if (!isNested(type)) {
      requireSameShape(source.file.children.length === 0, place)
      const cast = { sql: source.sql, column: place.column }
      return this.#dialect.primitive(type, castSql(source.file, type, cast))
    }
    if (source.file.isNull) {
      return this.#dialect.absent(`CAST(NULL AS ${typeSql(type, place.column)})`)
    }
    const nested = this.#nested(type, source, place)
    return nested === source.sql ? nested : `CASE WHEN ${source.sql} IS NOT NULL THEN ${nested} END`
  }

  #nested(type: NestedType, source: Source, place: Place): string {
    switch (type.kind) {
      case 'struct':
        return this.#struct(type, source, place)
      case 'list':
        return this.#list(type, source, place)
      case 'map':
        return this.#map(type, source, place)
    }
  }

  #struct(type: StructType, { file, sql }: Source, place: Place): string {
    requireSameShape(file.type.typeId === DuckDBTypeId.STRUCT, place)
    const found = projectColumns(file.children, type.fields, place.known)
    const members = type.fields.map((field) => {
      const index = found.get(field.id) ?? -1
      const below = {
        column: `${place.column}.${field.name}`,
        depth: place.depth,
        known: knownBelow(place.known, field.id),
      }
      const member = file.children[index]
      const value =
        member === undefined
          ? absentColumnSql(field, this.#dialect, absentAt(below))
          : this.value(
              field.type,
              { file: member, sql: `struct_extract_at(${sql}, ${index + 1})` },
              below,
            )
      return { name: field.name, value }
    })
    return this.#dialect.struct(members)
  }

  #list(type: ListType, { file, sql }: Source, place: Place): string {
    const [element] = file.children
    const isList = file.type.typeId === DuckDBTypeId.LIST
    if (!isList || element === undefined) throw anotherShape(place)
    const variable = `e${place.depth}`
    const below = {
      column: `${place.column}.element`,
      depth: place.depth + 1,
      known: knownBelow(place.known, type.elementId),
    }
    const value = this.value(type.element, { file: element, sql: variable }, below)
    const converted =
      value === variable ? sql : `list_transform(${sql}, lambda ${variable}: ${value})`
    return this.#dialect.list?.(converted) ?? converted
  }

  #map(type: MapType, { file, sql }: Source, place: Place): string {
    const [key, value] = file.children
    const isMap = file.type.typeId === DuckDBTypeId.MAP
    if (!isMap || key === undefined || value === undefined) throw anotherShape(place)
    const variable = `e${place.depth}`
    const below = { column: place.column, depth: place.depth + 1 }
    const keySource = { file: key, sql: `${variable}.key` }
    const valueSource = { file: value, sql: `${variable}.value` }
    const valuePlace = { ...below, known: knownBelow(place.known, type.valueId) }
    const keySql = isNested(type.key)
      ? this.value(type.key, keySource, { ...below, known: knownBelow(place.known, type.keyId) })
      : this.#dialect.key(
          type.key,
          castSql(key, type.key, { sql: keySource.sql, column: place.column }),
        )
    const valueSql = this.value(type.value, valueSource, valuePlace)
    if (keySql === keySource.sql && valueSql === valueSource.sql) return sql
    const pair = `struct_pack("key" := ${keySql}, "value" := ${valueSql})`
    const entries = `list_transform(map_entries(${sql}), lambda ${variable}: ${pair})`
    return this.#dialect.map(entries, isNested(type.key))
  }
}

export function knownBelow(known: ColumnKnowledge, fieldId: number): ColumnKnowledge {
  return { ...known, names: namesBelow(known.names, fieldId) }
}

function requireSameShape(isSame: boolean, place: Place): void {
  if (!isSame) throw anotherShape(place)
}

function anotherShape({ column }: Place): Error {
  return notImplemented(column, 'its structure in the file differs from that in the table')
}
