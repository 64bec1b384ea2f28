import { requireNamePart, requireNamespaceLevels } from '../../core/table/namespace-levels.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { namespaceNotFound } from '../namespaces/namespaces.ts'

/**
 * Less strict than `/v1`: any text without control characters. Throws `name-invalid`, and
 * `namespace-not-found` for an empty namespace, as clients know it from other catalogs.
 */
export function requireRestName({ namespace, name }: NamespacedName): NamespacedName {
  if (namespace.length === 0 || namespace.includes('')) throw namespaceNotFound(namespace)
  requireNamespaceLevels(namespace)
  requireNamePart(name, 'a name')
  return { namespace, name }
}
