import type { DatasetKey, DatasetStore } from '../../catalog/dataset-store.ts'
import type { Privilege } from '../../core/access/privilege.ts'
import type { Ambient } from '../../core/ambient.ts'
import { hiddenTableOf, isReserved, mayBeHiddenUuid } from '../../core/table/reserved-namespace.ts'
import { parseTableIdentifier } from '../../core/table/table-name.ts'
import type { Authorizer, Decision, Principal, Target } from '../../http/authorizer.ts'
import { isLiving } from './end-dataset.ts'
import { readBy } from './find-dataset.ts'

interface DatasetRules {
  readonly datasets: Pick<DatasetStore, 'find'>
  readonly ambient: Pick<Ambient, 'nowMs'>
}

/**
 * Whoever reads the source of a dataset reads its hidden table, as long as it is not published:
 * from then on it has privileges of its own. Nobody reads it once it has expired, though it is
 * there until the downloads that began before have had their time.
 */
export function datasetAuthorizer(
  inner: Authorizer,
  { datasets, ambient }: DatasetRules,
): Authorizer {
  const onHidden = async (
    principal: Principal,
    privilege: Privilege,
    { target, key }: { readonly target: Target; readonly key: DatasetKey },
  ): Promise<Decision> => {
    const dataset = await datasets.find(key)
    if (dataset === undefined) return inner.authorize(principal, privilege, target)
    if (!isLiving(dataset, ambient.nowMs())) return 'hidden'
    // A grant on it would come to life when it is published.
    if (dataset.securable !== dataset.tableUuid && privilege === 'manage_grants') return 'denied'
    for (const table of readBy(dataset)) {
      const decision = await inner.authorize(principal, privilege, table)
      if (decision !== 'allowed') return decision
    }
    return 'allowed'
  }
  const { namespaceOf } = inner
  return {
    ...(namespaceOf && { namespaceOf: (levels) => namespaceOf.call(inner, levels) }),
    authorize: (principal, privilege, target) => {
      const key = hiddenKeyOf(target)
      return key === undefined
        ? inner.authorize(principal, privilege, target)
        : onHidden(principal, privilege, { target, key })
    },
    mayChange: (principal) => inner.mayChange?.(principal) ?? true,
    policyOn: (principal, tableUuid) => inner.policyOn(principal, tableUuid),
    visibilityOf: (principal) => inner.visibilityOf(principal),
    nameOf: (target) => (hiddenKeyOf(target) === undefined ? inner.nameOf?.(target) : undefined),
    readersOf: (principal) => inner.readersOf(principal),
    requirePaths: (...asked) => inner.requirePaths(...asked),
  }
}

/** `undefined` for what is no hidden table, as most are by their name alone. */
function hiddenKeyOf({ on, name }: Target) {
  if (on !== 'table') return undefined
  const id = typeof name === 'string' ? parseTableIdentifier(name) : name
  if ('tableUuid' in id) return mayBeHiddenUuid(id.tableUuid) ? id : undefined
  return isReserved(id.namespace) ? hiddenTableOf(id.name) : undefined
}
