import { isPromotion } from '../schema/promotion.ts'
import { allFields, childFields } from '../schema/schema-lookup.ts'
import { classifyTypeChange } from '../schema/type-change.ts'
import { type AliasesById, readAliases, readRelatedColumns } from '../table-properties.ts'
import type { Field, Schema } from '../value/type.ts'
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
 * whichever is older: in files of this schema they have another id, or a type that is not read.
 */
export function convertedSince(definition: TableDefinition, schemaId: number): string | undefined {
  const { currentSchemaId } = definition
  if (schemaId === currentSchemaId) return undefined
  const aliases = readAliases(definition.properties)
  const isOther: Compare = (old, field) => !isPromotion(old, field, definition.formatVersion)
  const then = getSchema(definition, schemaId)
  const now = getSchema(definition, currentSchemaId)
  const [atOnce] = conversions(then.fields, now.fields, { aliases, isOther })
  if (atOnce !== undefined) return atOnce.name
  // By several conversions, or by one that was undone, the other way round.
  const ids = new SameValues()
  const schemas = definition.schemas.toSorted((a, b) => a.schemaId - b.schemaId)
  // A later schema need not follow from the one before it: it may undo that, or replace the table.
  const isRewritten: Compare = (old, field) => isOther(old, field) && isRewrite(old, field)
  for (const [i, { fields }] of schemas.slice(1).entries()) {
    const found = conversions(schemas[i]?.fields ?? [], fields, { aliases, isOther: isRewritten })
    for (const { from, to } of found) ids.join(from.id, to.id)
  }
  for (const { from, to } of writtenDown(definition)) {
    if (isRewritten(from, to)) ids.join(from.id, to.id)
  }
  return namedOtherwise(then, now, ids)
}

/** Columns that followed one another, where neither names nor aliases need tell it any more. */
function* writtenDown({
  schemas,
  properties,
}: TableDefinition): Generator<Omit<Conversion, 'name'>> {
  const groups = readRelatedColumns(properties)
  if (groups.length === 0) return
  const fields = new Map(schemas.flatMap(allFields).map((field) => [field.id, field]))
  for (const group of groups) {
    const found = group.flatMap((id) => fields.get(id) ?? [])
    // Not of neighbours only: of two of one type neither is the conversion of the other.
    for (const [i, to] of found.entries()) {
      for (const from of found.slice(0, i)) yield { from, to }
    }
  }
}

/** A column of now whose values have an id in files of then that now has not. */
function namedOtherwise(then: Schema, now: Schema, ids: SameValues): string | undefined {
  const kept = new Set(allFields(now).map(({ id }) => id))
  const before = new Set(allFields(then).map(({ id }) => id))
  const gone = new Set([...before].filter((id) => !kept.has(id)).map((id) => ids.of(id)))
  const isOne = ({ id }: Field) => !before.has(id) && gone.has(ids.of(id))
  return nameWhere(now.fields, isOne)
}

function nameWhere(fields: readonly Field[], isOne: (field: Field) => boolean): string | undefined {
  for (const field of fields) {
    if (isOne(field)) return field.name
    const within = nameWhere(childFields(field.type), isOne)
    if (within !== undefined) return `${field.name}.${within}`
  }
  return undefined
}

/** Ids that were given to one column, one after the other. */
class SameValues {
  readonly #next = new Map<number, number>()

  join(id: number, other: number): void {
    const [from, to] = [this.of(id), this.of(other)]
    if (from !== to) this.#next.set(from, to)
  }

  /** One of them, the same for all. */
  of(id: number): number {
    let last = id
    for (let next = this.#next.get(last); next !== undefined; next = this.#next.get(last)) {
      last = next
    }
    return last
  }
}

type Compare = (old: Field, field: Field) => boolean

interface Rules {
  readonly aliases: AliasesById
  /** Whether a field of the same id cannot be read from files of then. */
  readonly isOther: Compare
}

interface Conversion {
  readonly from: Field
  readonly to: Field
  /** The dotted name of `to`. */
  readonly name: string
}

const isRewrite: Compare = (old, field) => classifyTypeChange(old.type, field.type) === 'rewrite'

/**
 * A converted column usually has a new id, but its former name, or that among its aliases if it was
 * renamed at once. Elements, keys and values have names, too.
 */
function* conversions(
  earlier: readonly Field[],
  later: readonly Field[],
  rules: Rules,
): Generator<Conversion> {
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
      if (isConverted(old, field)) yield { from: old, to: field, name: field.name }
      for (const each of conversions(childFields(old.type), childFields(field.type), rules)) {
        yield { ...each, name: `${field.name}.${each.name}` }
      }
    }
  }
}
