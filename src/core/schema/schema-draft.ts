import type { AliasesById } from '../table-properties.ts'
import type { Field, Type } from '../value/type.ts'
import { assignFreshIds } from './column-definition.ts'
import { childFields, findFieldByName, findPathToField, foldName } from './schema-lookup.ts'
import { schemaError } from './schema-rules.ts'

/** Refers to a column by its dotted name, or by field id, which stays valid while names change. */
export interface ColumnReference {
  readonly name?: string | undefined
  readonly id?: number | undefined
}

/** Position among the siblings, whose names are taken verbatim; at the end if nothing is given. */
export interface Placement {
  readonly first?: true | undefined
  readonly after?: string | undefined
  readonly before?: string | undefined
}

/**
 * Whether a column whose values are converted stays the same field. With a `new` id every schema is
 * valid Iceberg. But columns of files without field ids are found by name, and a name can stand for
 * one id only (docs/decisions/0008).
 */
export type RewritingIds = 'new' | 'kept'

/** A schema to which changes are applied one by one. Names may clash in between. */
export class SchemaDraft {
  #fields: readonly Field[]
  #lastColumnId: number
  readonly #aliases: Map<number, readonly string[]>
  readonly #rewrites = new Map<number, number>()

  constructor(fields: readonly Field[], lastColumnId: number, aliasesById: AliasesById) {
    this.#fields = fields
    this.#lastColumnId = lastColumnId
    this.#aliases = new Map(aliasesById)
  }

  get fields(): readonly Field[] {
    return this.#fields
  }

  get lastColumnId(): number {
    return this.#lastColumnId
  }

  get aliasesById(): AliasesById {
    return this.#aliases
  }

  /** Columns whose values must be converted, as a map from their current to their previous id. */
  get rewrites(): ReadonlyMap<number, number> {
    return this.#rewrites
  }

  /**
   * The path from the top-level column down to the one referred to. Throws `schema-change-invalid`
   * if there is none.
   */
  getPath({ id, name = '' }: ColumnReference): readonly Field[] {
    const fieldId = this.#presentId(id) ?? findFieldByName({ fields: this.#fields }, name)?.id
    const path = fieldId === undefined ? undefined : findPathToField(this.#fields, fieldId)
    if (path !== undefined) return path
    const rule = 'the schema has no such column, or more than one'
    throw schemaError(id === undefined ? name : `of id ${id}`, rule, 'schema-change-invalid')
  }

  /** The members of a struct, or the columns. */
  siblingsOf(parent: Field | undefined): readonly Field[] {
    const current = parent === undefined ? undefined : findPathToField(this.#fields, parent.id)
    return parent === undefined ? this.#fields : childFields((current?.at(-1) ?? parent).type)
  }

  /** Adds a field with fresh ids for itself and all nested fields. Returns the field as added. */
  add(field: Field, parent: Field | undefined, placement: Placement): Field {
    const fresh = assignFreshIds([field], this.#lastColumnId + 1)
    const [added = field] = fresh.fields
    this.#lastColumnId = fresh.lastId
    this.#editSiblings(parent, (siblings) => place(siblings, added, placement))
    return added
  }

  drop(field: Field, parent: Field | undefined): void {
    this.#editSiblings(parent, (siblings) => siblings.filter((other) => other.id !== field.id))
  }

  move(field: Field, parent: Field | undefined, placement: Placement): void {
    this.#editSiblings(parent, (siblings) => {
      const others = siblings.filter((other) => other.id !== field.id)
      return place(others, field, placement)
    })
  }

  replace(field: Field): void {
    this.#fields = replaceField(this.#fields, field.id, field)
  }

  /**
   * Replaces a field by another of the same name and place, which files contain under the old id.
   */
  rewrite(field: Field, replacement: Omit<Field, 'id'>, ids: RewritingIds): void {
    const id = ids === 'kept' ? field.id : ++this.#lastColumnId
    const source = this.#rewrites.get(field.id) ?? field.id
    this.#fields = replaceField(this.#fields, field.id, { ...replacement, id })
    this.#rewrites.delete(field.id)
    this.#rewrites.set(id, source)
    const aliases = this.#aliases.get(field.id)
    this.#aliases.delete(field.id)
    if (aliases !== undefined) this.setAliases(id, aliases)
  }

  setAliases(id: number, aliases: readonly string[]): void {
    if (aliases.length === 0) this.#aliases.delete(id)
    else this.#aliases.set(id, aliases)
  }

  /** Removes the name from the aliases of these fields. */
  withdrawAlias(fields: readonly Field[], name: string): void {
    const folded = foldName(name)
    for (const { id } of fields) {
      const aliases = this.#aliases.get(id) ?? []
      const kept = aliases.filter((alias) => foldName(alias) !== folded)
      if (kept.length < aliases.length) this.setAliases(id, kept)
    }
  }

  /** Removes aliases that are names in use, and those of dropped columns. */
  settleAliases(): void {
    const settled = new Set<number>()
    const settle = (level: readonly Field[]): void => {
      const owners = new Map(level.map((field) => [foldName(field.name), field.id]))
      for (const field of level) {
        const aliases = this.#aliases.get(field.id) ?? []
        const kept = aliases.filter((alias) => {
          return alias !== field.name && (owners.get(foldName(alias)) ?? field.id) === field.id
        })
        this.setAliases(field.id, kept)
        settled.add(field.id)
        settle(childFields(field.type))
      }
    }
    settle(this.#fields)
    for (const id of this.#aliases.keys()) if (!settled.has(id)) this.#aliases.delete(id)
  }

  /** Changes of one request refer to a rewritten column by its old id. */
  #presentId(id: number | undefined): number | undefined {
    for (const [present, source] of this.#rewrites) if (source === id) return present
    return id
  }

  #editSiblings(
    parent: Field | undefined,
    edit: (siblings: readonly Field[]) => readonly Field[],
  ): void {
    if (parent === undefined) this.#fields = edit(this.#fields)
    else
      this.replace({ ...parent, type: withChildren(parent.type, edit(childFields(parent.type))) })
  }
}

function place(others: readonly Field[], field: Field, placement: Placement): readonly Field[] {
  const at = indexOf(others, field, placement)
  return [...others.slice(0, at), field, ...others.slice(at)]
}

function indexOf(others: readonly Field[], field: Field, placement: Placement): number {
  const { first, after, before } = placement
  if ([first, after, before].filter((given) => given !== undefined).length > 1) {
    const rule = 'its position must be one of first, after and before'
    throw schemaError(field.name, rule, 'schema-change-invalid')
  }
  if (first !== undefined) return 0
  const neighbour = after ?? before
  if (neighbour === undefined) return others.length
  const index = findNeighbour(others, neighbour)
  if (index < 0) {
    const rule = `there is no column ${neighbour.slice(0, 100)} next to it`
    throw schemaError(field.name, rule, 'schema-change-invalid')
  }
  return after === undefined ? index : index + 1
}

function findNeighbour(others: readonly Field[], name: string): number {
  const exact = others.findIndex((other) => other.name === name)
  return exact >= 0 ? exact : others.findIndex((other) => foldName(other.name) === foldName(name))
}

function replaceField(fields: readonly Field[], id: number, replacement: Field): readonly Field[] {
  let isChanged = false
  const replaced = fields.map((field) => {
    const next = replaceWithin(field, id, replacement)
    isChanged ||= next !== field
    return next
  })
  return isChanged ? replaced : fields
}

function replaceWithin(field: Field, id: number, replacement: Field): Field {
  if (field.id === id) return replacement
  const before = childFields(field.type)
  if (before.length === 0) return field
  const after = replaceField(before, id, replacement)
  return after === before ? field : { ...field, type: withChildren(field.type, after) }
}

/** The inverse of `childFields`. */
function withChildren(type: Type, children: readonly Field[]): Type {
  const [first, second] = children
  if (type.kind === 'struct') return { kind: 'struct', fields: children }
  if (type.kind === 'list' && first !== undefined) {
    const { id: elementId, required: elementRequired, type: element } = first
    return { ...type, elementId, elementRequired, element }
  }
  if (type.kind === 'map' && first !== undefined && second !== undefined) {
    const { id: valueId, required: valueRequired, type: value } = second
    return { ...type, key: first.type, valueId, valueRequired, value }
  }
  return type
}
