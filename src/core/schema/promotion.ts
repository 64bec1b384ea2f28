import { type Field, isNested, type Type, typeName } from '../value/type.ts'
import { childFields } from './schema-lookup.ts'

/** Promotions of one primitive type to another (Iceberg spec, "Schema Evolution"). */
const ALWAYS: ReadonlySet<string> = new Set(['int to long', 'float to double'])
/** Promotions of other clients (PyIceberg, iceberg-go), of the same bytes. */
const SAME_BYTES: ReadonlySet<string> = new Set([
  'string to binary',
  'binary to string',
  'fixed[16] to uuid',
])
const SINCE_V3: ReadonlySet<string> = new Set(['date to timestamp', 'date to timestamp_ns'])

/** Whether files that have a field of the one type can be read as the other's. */
export function isPromotion({ type: from }: Field, { type: to }: Field, version: number): boolean {
  if (isNested(from) || isNested(to)) return isSameNesting(from, to) || from.kind === 'unknown'
  if (from.kind === 'decimal' && to.kind === 'decimal') {
    return from.scale === to.scale && from.precision <= to.precision
  }
  if (typeName(from) === typeName(to)) return true
  if (SAME_BYTES.has(`${typeName(from)} to ${typeName(to)}`)) return true
  const step = `${from.kind} to ${to.kind}`
  return ALWAYS.has(step) || (version >= 3 && (from.kind === 'unknown' || SINCE_V3.has(step)))
}

/** Members are compared by their own ids; those of lists and maps must be the same ones. */
function isSameNesting(from: Type, to: Type): boolean {
  if (from.kind !== to.kind) return false
  if (from.kind === 'struct') return true
  const ids = childFields(from).map(({ id }) => id)
  return childFields(to).every(({ id }, i) => id === ids[i])
}
