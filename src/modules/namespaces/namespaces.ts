import type { Stores } from '../../catalog/catalog.ts'
import type {
  NamespacePropertiesChange,
  NamespacePropertiesChanged,
  NamespaceRecord,
} from '../../catalog/namespace-store.ts'
import { CatalogError } from '../../core/errors.ts'
import type { KeptWithEffect } from '../../core/replay.ts'
import { requireBoundedNamespace } from '../../core/table/definition-size.ts'
import { nameKey } from '../../core/table/name-key.ts'
import {
  requireNamespaceLevels,
  requireNewNamespaceLevels,
} from '../../core/table/namespace-levels.ts'
import { shownNamespace } from '../../core/table/shown-name.ts'
import { DEFAULT_NAMESPACE } from '../../core/table/table-name.ts'
import { ProblemError } from '../../problem/problems.ts'

type NamespacesOnly = Stores<'namespaces'>

/** Largest number of properties of a namespace, which are all shown at once. */
const PROPERTIES_MAX = 10_000

/** Creates a namespace and its missing parents. Names that differ only in case are the same. */
export async function createNamespace(
  { catalog }: NamespacesOnly,
  { levels, properties }: NamespaceRecord,
  kept: KeptWithEffect,
): Promise<NamespaceRecord> {
  requireNewNamespaceLevels(levels)
  refuseTooMany(Object.keys(properties).length)
  requireBoundedNamespace(properties)
  const outcome = await catalog.namespaces.create({ levels, properties }, kept)
  if (outcome === 'created') return { levels, properties }
  const namespace = shownNamespace(levels)
  throw new ProblemError('namespace-already-exists', `Namespace already exists: ${namespace}`, {
    facts: { namespace },
  })
}

/** Throws `namespace-not-found`, as for an empty one, and `name-invalid`. */
export async function getNamespace(
  { catalog }: NamespacesOnly,
  levels: readonly string[],
): Promise<NamespaceRecord> {
  if (levels.includes('')) throw namespaceNotFound(levels)
  const found = await catalog.namespaces.find(requireNamespaceLevels(levels))
  if (found === undefined) throw namespaceNotFound(levels)
  return found
}

/**
 * Sets `updates`, then removes `removals`. What `keep` is given may change in between: only the
 * result is what the change came upon.
 */
export async function changeProperties(
  deps: NamespacesOnly,
  change: NamespacePropertiesChange,
  keep: (now: NamespaceRecord) => KeptWithEffect,
): Promise<NamespacePropertiesChanged> {
  const now = await getNamespace(deps, change.levels)
  refuseTooMany(new Set([...Object.keys(now.properties), ...Object.keys(change.updates)]).size)
  const after = Object.entries({ ...now.properties, ...change.updates })
  const removed = new Set(change.removals)
  requireBoundedNamespace(
    Object.fromEntries(after.filter(([key]) => !removed.has(key))),
    now.properties,
  )
  const changed = await deps.catalog.namespaces.updateProperties(change, keep(now))
  if (changed === 'not-found') throw namespaceNotFound(change.levels)
  return changed
}

/** Throws `namespace-not-empty` while it holds a table, a view or another namespace. */
export async function dropNamespace(
  { catalog }: NamespacesOnly,
  levels: readonly string[],
  kept: KeptWithEffect,
): Promise<void> {
  requireNamespaceLevels(levels)
  const outcome = await catalog.namespaces.drop(levels, kept)
  if (outcome === 'not-found') throw namespaceNotFound(levels)
  if (outcome === 'dropped') return
  const namespace = shownNamespace(levels)
  throw new ProblemError('namespace-not-empty', `Namespace ${namespace} is not empty`, {
    facts: { namespace },
  })
}

export function namespaceNotFound(levels: readonly string[], advice = ''): CatalogError {
  const namespace = shownNamespace(levels)
  const detail = `Namespace does not exist: ${namespace}${advice}`
  return new CatalogError('namespace-not-found', detail, { facts: { namespace } })
}

/** Throws unless something may be listed there; `default` always is, as it need not be created. */
export async function requireListable(
  deps: NamespacesOnly,
  levels: readonly string[],
): Promise<void> {
  const isDefault = levels.map(nameKey).join('.') === DEFAULT_NAMESPACE.join('.')
  if (!isDefault) await getNamespace(deps, levels)
}

/** As `getNamespace`, for one that something is to be moved to: `face` is where to create it. */
export async function getTargetNamespace(
  deps: NamespacesOnly,
  levels: readonly string[],
  face: '/v1' | '/iceberg/v1',
): Promise<NamespaceRecord> {
  const advice = `; renaming creates none: create it first, with POST ${face}/namespaces`
  if (levels.includes('')) throw namespaceNotFound(levels)
  const found = await deps.catalog.namespaces.find(requireNamespaceLevels(levels))
  if (found === undefined) throw namespaceNotFound(levels, advice)
  return found
}

function refuseTooMany(count: number): void {
  if (count <= PROPERTIES_MAX) return
  const detail = `Too many properties: a namespace may have at most ${PROPERTIES_MAX}`
  throw new CatalogError('update-invalid', detail)
}
