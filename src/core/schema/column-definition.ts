import type { AliasesById } from '../table-properties.ts'
import type { Field, Schema, Type } from '../value/type.ts'
import {
  columnTypeToJson,
  defaultToJson,
  parseColumnType,
  parseDefault,
  parseId,
} from './column-type.ts'
import {
  COLUMNS_MAX,
  requireAliasNames,
  requireColumnName,
  requireDescription,
  requireValidAliases,
  requireValidFields,
  schemaError,
} from './schema-rules.ts'

/**
 * A column in requests of `/v1`. By default it is nullable, without default, description or
 * aliases.
 */
export interface ColumnDefinition {
  /**
   * Field id. Identifies the column when a schema is changed, and is ignored when a table is
   * created.
   */
  readonly id?: number | undefined
  readonly name: string
  /** A type's name, or Iceberg JSON of a nested type. */
  readonly type: unknown
  readonly nullable?: boolean | undefined
  /** JSON single value (Iceberg spec, Appendix D). */
  readonly default?: unknown
  readonly description?: string | null | undefined
  readonly aliases?: readonly string[] | undefined
}

/** A column in responses of `/v1`. */
export interface ColumnDescription {
  readonly id: number
  readonly name: string
  readonly type: unknown
  readonly nullable: boolean
  /** The default that writers use. */
  readonly default: unknown
  readonly description: string | null
  readonly aliases: readonly string[]
}

export interface ParsedColumns {
  readonly fields: readonly Field[]
  readonly aliasesById: AliasesById
  /** The highest id assigned, also to nested fields. */
  readonly lastColumnId: number
}

/**
 * Parses the columns of a new table, and assigns fresh ids from 1. Throws `schema-invalid` or
 * `column-type-unknown`.
 */
export function parseColumns(columns: readonly ColumnDefinition[]): ParsedColumns {
  if (columns.length > COLUMNS_MAX) {
    throw schemaError('', `a table can have at most ${COLUMNS_MAX} columns, nested ones included`)
  }
  const parsed = columns.map(parseColumn)
  requireValidFields(parsed)
  const { fields, lastId } = assignFreshIds(parsed, 1)
  const aliasesById = new Map(
    fields.flatMap((field, i): [number, readonly string[]][] => {
      const aliases = columns[i]?.aliases ?? []
      return aliases.length === 0 ? [] : [[field.id, aliases]]
    }),
  )
  requireValidAliases(fields, aliasesById)
  return { fields, aliasesById, lastColumnId: lastId }
}

/**
 * Parses one column, with its given ids or else 0. Aliases are checked, but not part of the result.
 */
export function parseColumn(column: ColumnDefinition): Field {
  const { name, nullable = true, description } = column
  requireColumnName(name)
  requireAliasNames(name, column.aliases ?? [])
  const type = parseColumnType(column.type, name)
  const hasDescription = description !== undefined && description !== null
  if (hasDescription) requireDescription(name, description)
  const hasDefault = column.default !== undefined && column.default !== null
  const value = hasDefault ? parseDefault(type, column.default, name) : undefined
  return {
    id: parseId(column.id, name),
    name,
    required: !nullable,
    type,
    ...(hasDescription ? { doc: description } : {}),
    ...(hasDefault ? { initialDefault: value, writeDefault: value } : {}),
  }
}

export function describeColumns(
  schema: Pick<Schema, 'fields'>,
  aliasesById: AliasesById = new Map(),
): readonly ColumnDescription[] {
  return schema.fields.map((field) => ({
    id: field.id,
    name: field.name,
    type: columnTypeToJson(field.type),
    nullable: !field.required,
    default: defaultToJson(field.writeDefault),
    description: field.doc ?? null,
    aliases: aliasesById.get(field.id) ?? [],
  }))
}

/**
 * Assigns ids level by level, as Iceberg does: first all columns, then the fields in the first
 * column, and so on.
 */
export function assignFreshIds(
  fields: readonly Field[],
  firstId: number,
): { readonly fields: readonly Field[]; readonly lastId: number } {
  let nextId = firstId
  const take = () => nextId++
  const assign = (level: readonly Field[]): readonly Field[] => {
    const numbered = level.map((field) => ({ ...field, id: take() }))
    return numbered.map((field) => ({ ...field, type: assignWithin(field.type) }))
  }
  const assignWithin = (type: Type): Type => {
    switch (type.kind) {
      case 'struct':
        return { kind: 'struct', fields: assign(type.fields) }
      case 'list': {
        const elementId = take()
        return { ...type, elementId, element: assignWithin(type.element) }
      }
      case 'map': {
        const keyId = take()
        const valueId = take()
        return {
          ...type,
          keyId,
          valueId,
          key: assignWithin(type.key),
          value: assignWithin(type.value),
        }
      }
      default:
        return type
    }
  }
  return { fields: assign(fields), lastId: nextId - 1 }
}
