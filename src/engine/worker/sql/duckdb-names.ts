import { childFields, foldName } from '../../../core/schema/schema-lookup.ts'
import type { Field } from '../../../core/value/type.ts'

interface Named {
  readonly name: string
}

/** Whether they are names to DuckDB, which ignores their case. */
export function areNames(members: readonly Named[]): boolean {
  const folded = members.map(({ name }) => foldName(name))
  return (
    new Set(folded).size === folded.length &&
    folded.every((name) => name !== '' && !name.includes('\0'))
  )
}

/**
 * What columns, or members of one struct, are called in DuckDB: by position where their names are
 * none to it. `finishParquet` gives a file the table's names.
 */
export function sqlNames(members: readonly Named[]): readonly string[] {
  return areNames(members) ? members.map(({ name }) => name) : members.map((_, i) => `f${i}`)
}

/** Whether all names in a schema are names to DuckDB. */
export function areNamesThroughout(fields: readonly Field[]): boolean {
  return areNames(fields) && fields.every(({ type }) => areNamesThroughout(childFields(type)))
}
