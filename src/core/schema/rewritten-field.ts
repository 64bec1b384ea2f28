import type { Field, Type } from '../value/type.ts'

/** The column with the type that its values are converted to, and with converted defaults. */
export function rewrittenField(field: Field, type: Type): Omit<Field, 'id'> {
  const { id: _, initialDefault, writeDefault, ...rest } = field
  return {
    ...rest,
    type,
    ...(initialDefault !== undefined && { initialDefault: converted(initialDefault, type) }),
    ...(writeDefault !== undefined && { writeDefault: converted(writeDefault, type) }),
  }
}

/**
 * Converts a JSON single value: `true` becomes the number 1, and a date becomes midnight as a
 * timestamp.
 */
function converted(json: unknown, type: Type): unknown {
  if (json === null) return null
  switch (type.kind) {
    case 'double':
      return Number(json)
    case 'timestamp':
      return `${json}T00:00:00.000000`
    case 'int':
      return json === true ? 1 : 0
    default:
      throw new Error(`columns are never rewritten to ${type.kind}`)
  }
}
