import type { DatasetRecord, DatasetStore } from '../../catalog/dataset-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { hiddenTableOf, isReserved, mayBeHiddenUuid } from '../../core/table/reserved-namespace.ts'
import { parseTableIdentifier } from '../../core/table/table-name.ts'
import type { Authorizer, Decision, Target } from '../../http/authorizer.ts'
import { isLiving } from './end-dataset.ts'

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
  return {
    authorize: (principal, privilege, target) => {
      const key = hiddenKeyOf(target)
      if (key === undefined) return inner.authorize(principal, privilege, target)
      return (async (): Promise<Decision> => {
        const dataset = await datasets.find(key)
        if (dataset !== undefined && !isLiving(dataset, ambient.nowMs())) return 'hidden'
        const asked = dataset === undefined ? target : securableOf(dataset)
        const isOfSource = dataset !== undefined && dataset.securable !== dataset.tableUuid
        // A grant on it would come to life when it is published.
        if (isOfSource && privilege === 'manage_grants') return 'denied'
        return inner.authorize(principal, privilege, asked)
      })()
    },
    policyOn: (principal, tableUuid) => inner.policyOn(principal, tableUuid),
    visibilityOf: (principal) => inner.visibilityOf(principal),
    requirePaths: (...asked) => inner.requirePaths(...asked),
  }
}

function securableOf({ securable }: DatasetRecord): Target {
  return { on: 'table', name: securable }
}

/** `undefined` for what is no hidden table, as most are by their name alone. */
function hiddenKeyOf({ on, name }: Target) {
  if (on !== 'table') return undefined
  const id = typeof name === 'string' ? parseTableIdentifier(name) : name
  if ('tableUuid' in id) return mayBeHiddenUuid(id.tableUuid) ? id : undefined
  return isReserved(id.namespace) ? hiddenTableOf(id.name) : undefined
}
