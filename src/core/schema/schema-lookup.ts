import type { Field, Schema, Type } from '../value/type.ts'

const NONE: readonly Field[] = []

/**
 * All fields, each followed by its members. Elements, keys and values count as fields of these
 * names.
 */
export function allFields(schema: Pick<Schema, 'fields'>): readonly Field[] {
  const found: Field[] = []
  collect(schema.fields, found)
  return found
}

/** The fields of these ids in any of the schemas, in their order: for whoever looks for many. */
export function fieldsById(
  schemas: readonly Pick<Schema, 'fields'>[],
  ids: ReadonlySet<number>,
): ReadonlyMap<number, readonly Field[]> {
  const found = new Map<number, Field[]>()
  for (const schema of schemas) {
    for (const field of allFields(schema)) {
      if (!ids.has(field.id)) continue
      const known = found.get(field.id)
      if (known === undefined) found.set(field.id, [field])
      else known.push(field)
    }
  }
  return found
}

export function findField(schema: Pick<Schema, 'fields'>, id: number): Field | undefined {
  return findPathToField(schema.fields, id)?.at(-1)
}

/**
 * Finds a field by its dotted name: `address.zip`, `prices.element`, `scores.value`. An exact match
 * comes first, then the only match without regard to case. Names themselves may contain dots.
 */
export function findFieldByName(schema: Pick<Schema, 'fields'>, path: string): Field | undefined {
  const exact = matchesOf(schema.fields, path, (name) => name)
  if (exact.length > 0) return exact.length === 1 ? exact[0] : undefined
  const folded = matchesOf(schema.fields, foldName(path), foldName)
  return folded.length === 1 ? folded[0] : undefined
}

/** The highest field id; 0 if there is no field. */
export function highestFieldId(schema: Pick<Schema, 'fields'>): number {
  return allFields(schema).reduce((highest, field) => Math.max(highest, field.id), 0)
}

/** The path from the top-level field down to the field itself. */
export function findPathToField(
  fields: readonly Field[],
  id: number,
): readonly Field[] | undefined {
  const here = fields.find((field) => field.id === id)
  if (here !== undefined) return [here]
  for (const field of fields) {
    const children = childFields(field.type)
    const below = children.length === 0 ? undefined : findPathToField(children, id)
    if (below !== undefined) return [field, ...below]
  }
  return undefined
}

/** The fields directly in a type: members, `element`, or `key` and `value`. */
export function childFields(type: Type): readonly Field[] {
  switch (type.kind) {
    case 'struct':
      return type.fields
    case 'list':
      return [
        { id: type.elementId, name: 'element', required: type.elementRequired, type: type.element },
      ]
    case 'map':
      return [
        { id: type.keyId, name: 'key', required: true, type: type.key },
        { id: type.valueId, name: 'value', required: type.valueRequired, type: type.value },
      ]
    default:
      return NONE
  }
}

/** Folds a name: names with the same result count as equal. */
export function foldName(name: string): string {
  return name.toLowerCase()
}

function matchesOf(
  fields: readonly Field[],
  path: string,
  spell: (name: string) => string,
): readonly Field[] {
  const found: Field[] = []
  for (const field of fields) {
    const name = spell(field.name)
    if (name === path) found.push(field)
    else if (path[name.length] === '.' && path.startsWith(name)) {
      found.push(...matchesOf(childFields(field.type), path.slice(name.length + 1), spell))
    }
  }
  return found
}

/** The top-level fields that are, or contain, fields of these ids. */
export function topFieldsOf(fields: readonly Field[], ids: Iterable<number>): readonly Field[] {
  const tops = new Set([...ids].map((id) => findPathToField(fields, id)?.[0]?.id))
  return fields.filter(({ id }) => tops.has(id))
}

function collect(fields: readonly Field[], found: Field[]): void {
  for (const field of fields) {
    found.push(field)
    collect(childFields(field.type), found)
  }
}
