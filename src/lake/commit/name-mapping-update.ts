import {
  type MappedField,
  type NameMapping,
  nameMappingOf,
  nameMappingToJson,
} from '../../core/schema/name-mapping.ts'
import { readNameMapping } from '../../core/schema/name-mapping-property.ts'
import { foldName } from '../../core/schema/schema-lookup.ts'
import { currentSchema, type TableDefinition } from '../../core/table/table.ts'
import type { UnmappedName } from '../../core/table/transaction.ts'
import {
  type AliasesById,
  changeAliases,
  NAME_MAPPING_PROPERTY,
  readAliases,
  type TableProperties,
} from '../../core/table-properties.ts'
import type { Schema } from '../../core/value/type.ts'

/** The definition with all that engines need to find the columns of newly added files by name. */
export function withNames(
  definition: TableDefinition,
  added: readonly {
    readonly needsNameMapping: boolean
    readonly unmappedNames: readonly UnmappedName[]
  }[],
): TableDefinition {
  const unmapped = added.flatMap((change) => change.unmappedNames)
  const hasMapping = definition.properties[NAME_MAPPING_PROPERTY] !== undefined
  const isMissing = !hasMapping && added.some((change) => change.needsNameMapping)
  if (unmapped.length === 0 && !isMissing) return definition
  const aliasesById = withAliases(readAliases(definition.properties), unmapped)
  const properties = changeAliases(definition.properties, aliasesById)
  const schema = currentSchema(definition)
  return { ...definition, properties: withNameMapping(properties, { schema, aliasesById }) }
}

/**
 * The properties with the name mapping of this schema. Names that it had before stay, those of
 * dropped columns too: files still have such columns, and PyIceberg refuses a file with a column
 * that no name maps.
 */
export function withNameMapping(
  properties: TableProperties,
  { schema, aliasesById }: { readonly schema: Schema; readonly aliasesById: AliasesById },
): TableProperties {
  const mapping = keepNames(nameMappingOf(schema, aliasesById), readNameMapping(properties) ?? [])
  const text = JSON.stringify(nameMappingToJson(mapping))
  return { ...properties, [NAME_MAPPING_PROPERTY]: text }
}

/**
 * A name that would stand for another column than it does in files without field ids, compared
 * without case.
 */
export function findRevivedName(
  properties: TableProperties,
  named: { readonly schema: Schema; readonly aliasesById: AliasesById },
): string | undefined {
  const mapping = nameMappingOf(named.schema, named.aliasesById)
  return findTakenName(mapping, readNameMapping(properties) ?? [])
}

function keepNames(mapping: NameMapping, earlier: NameMapping): NameMapping {
  const taken = new Set(mapping.flatMap((field) => field.names))
  const takeFree = (names: readonly string[]) => {
    const free = names.filter((name) => !taken.has(name))
    for (const name of free) taken.add(name)
    return free
  }
  const earlierById = new Map(earlier.map((field) => [field.fieldId, field]))
  const kept = mapping.map((field): MappedField => {
    const before = earlierById.get(field.fieldId)
    if (before === undefined) return field
    earlierById.delete(field.fieldId)
    const names = [...field.names, ...takeFree(before.names)]
    if (field.fields === undefined) return { ...field, names }
    return { ...field, names, fields: keepNames(field.fields, before.fields ?? []) }
  })
  const dropped = [...earlierById.values()].map((field) => ({
    ...field,
    names: takeFree(field.names),
  }))
  return [...kept, ...dropped.filter((field) => field.names.length > 0)]
}

function findTakenName(mapping: NameMapping, earlier: NameMapping): string | undefined {
  const owners = new Map(
    earlier.flatMap((field) => field.names.map((name) => [foldName(name), field])),
  )
  for (const { fieldId, names, fields } of mapping) {
    const taken = names.find((name) => {
      const owner = owners.get(foldName(name))
      return owner !== undefined && owner.fieldId !== fieldId
    })
    if (taken !== undefined) return taken
    const before = earlier.find((field) => field.fieldId === fieldId)
    const inside = findTakenName(fields ?? [], before?.fields ?? [])
    if (inside !== undefined) return inside
  }
  return undefined
}

function withAliases(aliasesById: AliasesById, unmapped: readonly UnmappedName[]): AliasesById {
  const aliases = new Map(aliasesById)
  for (const { fieldId, name } of unmapped) {
    aliases.set(fieldId, [...new Set([...(aliases.get(fieldId) ?? []), name])])
  }
  return aliases
}
