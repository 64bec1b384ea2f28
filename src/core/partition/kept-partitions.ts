import type { Type } from '../value/type.ts'
import type { Transform } from './transform.ts'

/** Types that may become each other, of the same bytes. */
const BYTES: ReadonlySet<Type['kind']> = new Set(['string', 'binary'])

/**
 * Whether the transform gives the same for values of a column that is promoted: else the files that
 * a table has would be in other partitions than their values (Iceberg spec, "Schema Evolution").
 */
export function arePartitionsKept({ kind }: Transform, from: Type, to: Type): boolean {
  if (from.kind === to.kind) return true
  // A day is not what its midnight is.
  if (from.kind === 'date') return !['identity', 'bucket', 'unknown'].includes(kind)
  // Texts are cut by characters.
  return kind !== 'truncate' || !BYTES.has(from.kind)
}
