import { isPromotion } from '../schema/promotion.ts'
import { childFields } from '../schema/schema-lookup.ts'
import { classifyTypeChange } from '../schema/type-change.ts'
import { type AliasesById, readAliases } from '../table-properties.ts'
import type { Field } from '../value/type.ts'
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
  const aliases = readAliases(definition.properties)
  const isOther: Compare = (old, field) => !isPromotion(old, field, definition.formatVersion)
  const { fields: then } = getSchema(definition, schemaId)
  const { fields: now } = getSchema(definition, currentSchemaId)
  if (hasConverted(then, now, { aliases, isOther })) return schemaId
  // A later schema need not follow from the one before it: it may undo that, or replace the table.
  const isRewritten: Compare = (old, field) => isOther(old, field) && isRewrite(old, field)
  const steps = between.slice(1).map(({ fields }, i) => [between[i]?.fields ?? [], fields] as const)
  const isPast = steps.some(([earlier, later]) => {
    return hasConverted(earlier, later, { aliases, isOther: isRewritten })
  })
  return isPast ? schemaId : currentSchemaId
}

type Compare = (old: Field, field: Field) => boolean

interface Rules {
  readonly aliases: AliasesById
  /** Whether a field of the same id cannot be read from files of then. */
  readonly isOther: Compare
}

const isRewrite: Compare = (old, field) => classifyTypeChange(old.type, field.type) === 'rewrite'

/**
 * A converted column usually has a new id, but its former name, or that among its aliases if it was
 * renamed at once. Elements, keys and values have names, too.
 */
function hasConverted(earlier: readonly Field[], later: readonly Field[], rules: Rules): boolean {
  const before = new Map(earlier.map((field) => [field.id, field]))
  const kept = new Set(later.map(({ id }) => id))
  const gone = new Map(
    earlier.filter(({ id }) => !kept.has(id)).map((field) => [field.name, field]),
  )
  const isPair = (old: Field, field: Field, isConverted: Compare) =>
    isConverted(old, field) || hasConverted(childFields(old.type), childFields(field.type), rules)
  return later.some((field) => {
    const same = before.get(field.id)
    if (same !== undefined) return isPair(same, field, rules.isOther)
    const names = [field.name, ...(rules.aliases.get(field.id) ?? [])]
    const olds = names.flatMap((name) => gone.get(name) ?? [])
    return olds.some((old) => isPair(old, field, isRewrite))
  })
}
