import type { ThriftField, ThriftStruct } from '../thrift/thrift.ts'

/**
 * Field of any struct that may contain a second copy of it, including offsets
 * (BinaryProtocolExtensions.md).
 */
export const EXTENSION_FIELD = 32_767

const NONE: ReadonlySet<number> = new Set()

/**
 * Replaces fields of the same ids, or inserts them in order, and leaves out the dropped ones. The
 * given fields are ordered by id.
 */
export function withFields(
  { fields }: ThriftStruct,
  replacements: readonly ThriftField[],
  dropped: ReadonlySet<number> = NONE,
): ThriftStruct {
  const edited: ThriftField[] = []
  let next = 0
  for (const field of fields) {
    for (; (replacements[next]?.id ?? Number.POSITIVE_INFINITY) < field.id; next++) {
      edited.push(replacements[next] as ThriftField)
    }
    const isReplaced = replacements.some(({ id }) => id === field.id)
    if (!isReplaced && !dropped.has(field.id)) edited.push(field)
  }
  return { fields: [...edited, ...replacements.slice(next)] }
}

export function withoutFields(struct: ThriftStruct, ids: ReadonlySet<number>): ThriftStruct {
  return { fields: struct.fields.filter(({ id }) => !ids.has(id)) }
}
