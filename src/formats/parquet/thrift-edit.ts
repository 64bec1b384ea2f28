import type { ThriftField, ThriftStruct } from './thrift.ts'

/** Puts fields in the place of those with the same ids, or where their ids belong. */
export function withFields(
  struct: ThriftStruct,
  replacements: readonly ThriftField[],
): ThriftStruct {
  const ids = new Set(replacements.map(({ id }) => id))
  const kept = struct.fields.filter(({ id }) => !ids.has(id))
  return { fields: [...kept, ...replacements].sort((a, b) => a.id - b.id) }
}

export function withoutFields(struct: ThriftStruct, ids: ReadonlySet<number>): ThriftStruct {
  return { fields: struct.fields.filter(({ id }) => !ids.has(id)) }
}
