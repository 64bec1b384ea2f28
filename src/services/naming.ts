import { nameMappingOf, nameMappingToJson } from '../core/name-mapping.ts'
import { currentSchema, type TableDefinition } from '../core/table.ts'
import {
  type AliasesById,
  changeAliases,
  NAME_MAPPING_PROPERTY,
  readAliases,
} from '../core/table-properties.ts'
import type { UnmappedName } from '../core/transaction.ts'
import type { Schema } from '../core/type.ts'

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
  const mapping = nameMappingText(currentSchema(definition), aliasesById)
  return { ...definition, properties: { ...properties, [NAME_MAPPING_PROPERTY]: mapping } }
}

/** Iceberg's JSON form, for the table property. */
export function nameMappingText(schema: Schema, aliasesById: AliasesById): string {
  return JSON.stringify(nameMappingToJson(nameMappingOf(schema, aliasesById)))
}

function withAliases(aliasesById: AliasesById, unmapped: readonly UnmappedName[]): AliasesById {
  const aliases = new Map(aliasesById)
  for (const { fieldId, name } of unmapped) {
    aliases.set(fieldId, [...new Set([...(aliases.get(fieldId) ?? []), name])])
  }
  return aliases
}
