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
  const isConverted =
    hasConverted(getSchema(definition, schemaId), getSchema(definition, currentSchemaId)) ||
    between.slice(1).some((later, i) => hasConverted(between[i] as Schema, later))
  return isConverted ? schemaId : currentSchemaId
}

function hasConverted(earlier: Schema, later: Schema): boolean {
  const byId = new Map(earlier.fields.map((field): [number, Field] => [field.id, field]))
  // A converted column usually has a new id, but always the same name.
  const byName = new Map(earlier.fields.map((field): [string, Field] => [field.name, field]))
  return later.fields.some(({ id, name, type }) => {
    const before = byId.get(id) ?? byName.get(name)
    return before !== undefined && classifyTypeChange(before.type, type) === 'rewrite'
  })
}
