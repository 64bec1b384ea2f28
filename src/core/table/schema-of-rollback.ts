import { isPromotion } from '../schema/promotion.ts'
import { classifyTypeChange } from '../schema/type-change.ts'
import type { Field, Schema } from '../value/type.ts'
import { getSchema, type TableDefinition } from './table.ts'

/**
 * The schema of a table after a rollback to a snapshot with an older schema: the current schema,
 * unless the values of a column were converted in between. Older files do not have that column in
 * its current form.
 */
export function schemaIdAfterRollback(definition: TableDefinition, schemaId: number): number {
  const { currentSchemaId } = definition
  if (schemaId === currentSchemaId) return schemaId
  const [first, last] = [schemaId, currentSchemaId].sort((a, b) => a - b) as [number, number]
  const between = definition.schemas
    .filter((schema) => schema.schemaId >= first && schema.schemaId <= last)
    .sort((a, b) => a.schemaId - b.schemaId)
  const isPastConversion = (earlier: Schema, later: Schema) =>
    hasConverted(earlier, later, definition.formatVersion)
  const isConverted =
    isPastConversion(getSchema(definition, schemaId), getSchema(definition, currentSchemaId)) ||
    between.slice(1).some((later, i) => isPastConversion(between[i] as Schema, later))
  return isConverted ? schemaId : currentSchemaId
}

function hasConverted(earlier: Schema, later: Schema, formatVersion: number): boolean {
  const byId = new Map(earlier.fields.map((field): [number, Field] => [field.id, field]))
  // A converted column usually has a new id, but always the same name.
  const byName = new Map(earlier.fields.map((field): [string, Field] => [field.name, field]))
  return later.fields.some((field) => {
    const same = byId.get(field.id)
    // Files from before such a change are read as they are.
    if (same !== undefined && isPromotion(same, field, formatVersion)) return false
    const before = same ?? byName.get(field.name)
    return before !== undefined && classifyTypeChange(before.type, field.type) === 'rewrite'
  })
}
