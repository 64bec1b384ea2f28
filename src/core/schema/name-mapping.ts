import { CatalogError } from '../errors.ts'
import type { AliasesById } from '../table-properties.ts'
import type { Field, Schema, Type } from '../value/type.ts'

/**
 * Maps the column names of files without field ids to fields, level by level (Iceberg spec, "Column
 * Projection"). An element of a list is named `element`, the halves of a map `key` and `value`,
 * whatever the file calls them.
 */
export type NameMapping = readonly MappedField[]

export interface MappedField {
  /** Absent for a name that is known to be no column. */
  readonly fieldId?: number
  readonly names: readonly string[]
  readonly fields?: NameMapping
}

/** How the columns of files without field ids are found. */
export interface ColumnNames {
  readonly mapping: NameMapping
  /**
   * Whether the fields' own names count, too, and differences of case do not: only where the table
   * has no mapping. A column that the table's own mapping leaves out is NULL.
   */
  readonly isGuessed: boolean
}

/** Only the fields' own names, also ignoring case. */
export const OWN_NAMES: ColumnNames = { mapping: [], isGuessed: true }

export function namesBelow({ mapping, isGuessed }: ColumnNames, fieldId: number): ColumnNames {
  const entry = mapping.find((mapped) => mapped.fieldId === fieldId)
  return { mapping: entry?.fields ?? [], isGuessed }
}

/** Depth of nested types; also limits parsing. */
const DEPTH_MAX = 100
const NAME_SHOWN_MAX = 100

/**
 * The mapping of a schema. A current name takes precedence over another field's alias on its level,
 * and the first of two fields with one alias gets it, so that a name stands for one field only.
 */
export function nameMappingOf(schema: Schema, aliasesById: AliasesById = new Map()): NameMapping {
  return mapFields(schema.fields, aliasesById)
}

function mapFields(fields: readonly Field[], aliasesById: AliasesById): NameMapping {
  const taken = new Set(fields.map((field) => field.name))
  return fields.map((field) => {
    const aliases = (aliasesById.get(field.id) ?? []).filter((alias) => {
      if (taken.has(alias)) return false
      taken.add(alias)
      return true
    })
    return mapped(field.id, [field.name, ...aliases], mapType(field.type, aliasesById))
  })
}

function mapType(type: Type, aliasesById: AliasesById): NameMapping | undefined {
  switch (type.kind) {
    case 'struct':
      return mapFields(type.fields, aliasesById)
    case 'list':
      return [mapped(type.elementId, ['element'], mapType(type.element, aliasesById))]
    case 'map':
      return [
        mapped(type.keyId, ['key'], mapType(type.key, aliasesById)),
        mapped(type.valueId, ['value'], mapType(type.value, aliasesById)),
      ]
    default:
      return undefined
  }
}

function mapped(
  fieldId: number | undefined,
  names: readonly string[],
  fields: NameMapping | undefined,
): MappedField {
  return {
    ...(fieldId === undefined ? {} : { fieldId }),
    names,
    ...(fields === undefined ? {} : { fields }),
  }
}

/**
 * JSON value of the property `schema.name-mapping.default` (Iceberg spec, "Name Mapping
 * Serialization").
 */
export function nameMappingToJson(mapping: NameMapping): unknown {
  return mapping.map(({ fieldId, names, fields }) => ({
    ...(fieldId === undefined ? {} : { 'field-id': fieldId }),
    names,
    ...(fields === undefined ? {} : { fields: nameMappingToJson(fields) }),
  }))
}

/**
 * The inverse of `nameMappingToJson`. Throws `metadata-corrupt` if it is not a name mapping, or if
 * a name of a level, or a field id, is in two entries: readers would choose differently.
 */
export function nameMappingFromJson(json: unknown): NameMapping {
  return mappingFromJson(json, { depth: 0, fieldIds: new Set() })
}

interface Level {
  readonly depth: number
  /** Those of all levels, so far. */
  readonly fieldIds: Set<number>
}

function mappingFromJson(json: unknown, level: Level): NameMapping {
  if (!Array.isArray(json)) throw corrupt('a list of fields is missing')
  if (level.depth > DEPTH_MAX) throw corrupt('nested too deeply')
  const taken = new Set<string>()
  return json.map((entry: unknown) => {
    const field = mappedFieldFromJson(entry, level)
    const names = new Set(field.names)
    for (const name of names) {
      if (taken.has(name)) throw corrupt(`the name ${shown(name)} is in two fields of one level`)
      taken.add(name)
    }
    return field
  })
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, NAME_SHOWN_MAX))
}

function mappedFieldFromJson(json: unknown, { depth, fieldIds }: Level): MappedField {
  if (typeof json !== 'object' || json === null) throw corrupt('a field is not an object')
  const { 'field-id': fieldId, names = [], fields } = json as Readonly<Record<string, unknown>>
  if (!Array.isArray(names) || !names.every((name): name is string => typeof name === 'string')) {
    throw corrupt('names are not strings')
  }
  const hasFieldId = fieldId !== undefined && fieldId !== null
  if (hasFieldId && !Number.isInteger(fieldId)) throw corrupt('a field id is not an integer')
  if (hasFieldId && fieldIds.has(fieldId as number)) {
    throw corrupt(`the field id ${fieldId} is in two fields`)
  }
  if (hasFieldId) fieldIds.add(fieldId as number)
  return mapped(
    hasFieldId ? (fieldId as number) : undefined,
    names,
    fields === undefined || fields === null
      ? undefined
      : mappingFromJson(fields, { depth: depth + 1, fieldIds }),
  )
}

function corrupt(detail: string): CatalogError {
  return new CatalogError('metadata-corrupt', detail)
}
