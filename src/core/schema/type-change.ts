import type { Field, Type } from '../value/type.ts'
import { childFields } from './schema-lookup.ts'

/**
 * What it takes to give a column another type (Iceberg spec, "Schema Evolution"): nothing, new
 * metadata, new data files, or it cannot be done.
 */
export type TypeChange = 'same' | 'metadata' | 'rewrite' | 'impossible'

export function classifyTypeChange(from: Type, to: Type): TypeChange {
  if (sameType(from, to)) return 'same'
  if (from.kind === 'decimal' && to.kind === 'decimal') {
    return to.scale === from.scale && to.precision > from.precision ? 'metadata' : 'impossible'
  }
  switch (`${from.kind} to ${to.kind}`) {
    case 'int to long':
    case 'float to double':
      return 'metadata'
    case 'long to double':
    case 'date to timestamp':
    case 'boolean to int':
      return 'rewrite'
    default:
      return 'impossible'
  }
}

/** Whether both types have the same values, whatever the ids, names and descriptions of members. */
function sameType(left: Type, right: Type): boolean {
  if (left.kind === 'decimal' && right.kind === 'decimal') {
    return left.precision === right.precision && left.scale === right.scale
  }
  if (left.kind === 'fixed' && right.kind === 'fixed') return left.length === right.length
  if (left.kind === 'opaque' && right.kind === 'opaque') return left.name === right.name
  if (left.kind !== right.kind) return false
  const others = childFields(right)
  const members = childFields(left)
  return (
    members.length === others.length && members.every((field, i) => sameField(field, others[i]))
  )
}

function sameField(left: Field, right: Field | undefined): boolean {
  if (right === undefined) return false
  const isSame = left.name === right.name && left.required === right.required
  return isSame && sameType(left.type, right.type)
}
