import type { Field, Schema, Type } from '../../value/type.ts'

export interface FoundColumn {
  readonly fieldId: number
  readonly type: Type
}

/**
 * Looks for the exact name first, then for the only one that matches without regard to case. A path
 * that leads nowhere is tried as the name of a single column, dots included.
 */
export function findColumn(
  schema: Schema,
  path: readonly string[],
): FoundColumn | 'unknown' | 'ambiguous' {
  const byPath = followPath(schema.fields, path)
  if (byPath !== 'unknown' || path.length === 1) return byPath
  return followPath(schema.fields, [path.join('.')])
}

function followPath(
  topFields: readonly Field[],
  path: readonly string[],
): FoundColumn | 'unknown' | 'ambiguous' {
  let fields = topFields
  let found: FoundColumn | 'unknown' = 'unknown'
  for (const name of path) {
    const field = findField(fields, name)
    if (typeof field === 'string') return field
    found = { fieldId: field.id, type: field.type }
    fields = field.type.kind === 'struct' ? field.type.fields : []
  }
  return found
}

function findField(fields: readonly Field[], name: string): Field | 'unknown' | 'ambiguous' {
  const exact = fields.find((field) => field.name === name)
  if (exact !== undefined) return exact
  const folded = name.toLowerCase()
  const [first, second] = fields.filter((field) => field.name.toLowerCase() === folded)
  if (first === undefined) return 'unknown'
  return second === undefined ? first : 'ambiguous'
}

/** Up to `limit` names that a filter may use, with members of structs as dotted paths. */
export function columnNames(schema: Schema, limit: number): readonly string[] {
  const names: string[] = []
  collectNames(schema.fields, '', { names, limit })
  return names
}

function collectNames(
  fields: readonly Field[],
  prefix: string,
  into: { readonly names: string[]; readonly limit: number },
): void {
  for (const { name, type } of fields) {
    if (into.names.length >= into.limit) return
    into.names.push(prefix + name)
    if (type.kind === 'struct') collectNames(type.fields, `${prefix}${name}.`, into)
  }
}
