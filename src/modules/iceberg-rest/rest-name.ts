import { requireNamePart, requireNamespaceLevels } from '../../core/table/namespace-levels.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'

/** Less strict than `/v1`: any text without control characters. Throws `name-invalid`. */
export function requireRestName({ namespace, name }: NamespacedName): NamespacedName {
  requireNamespaceLevels(namespace)
  requireNamePart(name, 'a name')
  return { namespace, name }
}
