import { isPromotion } from '../schema/promotion.ts'
import { allFields, childFields } from '../schema/schema-lookup.ts'
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
  const isConverted = convertedSince(definition, schemaId) !== undefined
  return isConverted ? schemaId : definition.currentSchemaId
}

/**
 * The dotted name of a column whose values were converted between this schema and the current one,
 * whichever is older.
 */
export function convertedSince(definition: TableDefinition, schemaId: number): string | undefined {
  const { currentSchemaId } = definition
  if (schemaId === currentSchemaId) return undefined
  const aliases = readAliases(definition.properties)
  const isOther: Compare = (old, field) => !isPromotion(old, field, definition.formatVersion)
  const { fields: then } = getSchema(definition, schemaId)
  const { fields: now } = getSchema(definition, currentSchemaId)
  const converted = convertedIn(then, now, { aliases, isOther, kept: new Set() })
  if (converted !== undefined) return converted
  const [first, last] = [schemaId, currentSchemaId].sort((a, b) => a - b) as [number, number]
  const between = definition.schemas
    .filter((schema) => schema.schemaId >= first && schema.schemaId <= last)
    .sort((a, b) => a.schemaId - b.schemaId)
  // A later schema need not follow from the one before it: it may undo that, or replace the table.
  const isRewritten: Compare = (old, field) => isOther(old, field) && isRewrite(old, field)
  // What the schemas at both ends have in common was compared above: a conversion may be undone.
  const ids = idsOf(definition, currentSchemaId)
  const kept = new Set([...idsOf(definition, schemaId)].filter((id) => ids.has(id)))
  for (const [i, { fields }] of between.slice(1).entries()) {
    const earlier = between[i]?.fields ?? []
    const found = convertedIn(earlier, fields, { aliases, isOther: isRewritten, kept })
    if (found !== undefined) return found
  }
  return undefined
}

function idsOf(definition: TableDefinition, schemaId: number): ReadonlySet<number> {
  return new Set(allFields(getSchema(definition, schemaId)).map(({ id }) => id))
}

type Compare = (old: Field, field: Field) => boolean

interface Rules {
  readonly aliases: AliasesById
  /** Whether a field of the same id cannot be read from files of then. */
  readonly isOther: Compare
  /** Ids whose fields are not looked at, but for those within. */
  readonly kept: ReadonlySet<number>
}

const isRewrite: Compare = (old, field) => classifyTypeChange(old.type, field.type) === 'rewrite'

/**
 * A converted column usually has a new id, but its former name, or that among its aliases if it was
 * renamed at once. Elements, keys and values have names, too.
 */
function convertedIn(
  earlier: readonly Field[],
  later: readonly Field[],
  rules: Rules,
): string | undefined {
  const before = new Map(earlier.map((field) => [field.id, field]))
  const kept = new Set(later.map(({ id }) => id))
  const gone = new Map(
    earlier.filter(({ id }) => !kept.has(id)).map((field) => [field.name, field]),
  )
  for (const field of later) {
    const same = before.get(field.id)
    const names = [field.name, ...(rules.aliases.get(field.id) ?? [])]
    const olds = same === undefined ? names.flatMap((name) => gone.get(name) ?? []) : [same]
    const isConverted = same === undefined ? isRewrite : rules.isOther
    for (const old of olds) {
      if (!rules.kept.has(old.id) && isConverted(old, field)) return field.name
      const within = convertedIn(childFields(old.type), childFields(field.type), rules)
      if (within !== undefined) return `${field.name}.${within}`
    }
  }
  return undefined
}
