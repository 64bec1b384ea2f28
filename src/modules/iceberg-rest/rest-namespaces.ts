import type { Stores } from '../../catalog/catalog.ts'
import type { NamespaceProperties, NamespaceRecord } from '../../catalog/namespace-store.ts'
import type { Visibility } from '../../core/access/visibility.ts'
import type { AnswerKeeper } from '../../core/replay.ts'
import { requireNewNamespaceLevels } from '../../core/table/namespace-levels.ts'
import type { Page } from '../../http/page-token.ts'
import { ProblemError } from '../../problem/problems.ts'
import * as namespaces from '../namespaces/namespaces.ts'
import { type PageRequest, readPages } from './page.ts'
import { readLevels, requestNode } from './requests/table-request-json.ts'
import type { UseCaseCall } from './use-case-call.ts'

/** An `UpdateNamespacePropertiesResponse` of the Iceberg REST specification. */
export interface NamespaceUpdate {
  readonly updated: readonly string[]
  readonly removed: readonly string[]
  readonly missing: readonly string[]
}

/** Creates the namespace of a `CreateNamespaceRequest` and its missing parents. */
export async function createNamespace(
  deps: Stores<'namespaces'>,
  json: unknown,
  { keeper, authorize }: UseCaseCall,
): Promise<NamespaceRecord> {
  const node = requestNode(json)
  const levels = requireNewNamespaceLevels(readLevels(node.get('namespace')))
  await authorize('create', [{ on: 'namespace', name: levels.slice(0, -1) }])
  const properties = node.find('properties')?.stringMap() ?? {}
  const value = { namespace: levels, properties }
  const kept = keeper.withEffect({ status: 200, value, from: { namespace: levels } })
  return namespaces.createNamespace(deps, { levels, properties }, kept)
}

/** Namespaces directly below the parent; those of the first level without one. */
export async function listNamespaces(
  deps: Stores<'namespaces'>,
  { parent, page }: { readonly parent: readonly string[]; readonly page: PageRequest },
  visibleTo: Visibility | undefined,
): Promise<Page<readonly string[]>> {
  if (parent.length > 0) await namespaces.getNamespace(deps, parent)
  return readPages(page, {
    list: (after, limit) =>
      deps.catalog.namespaces.listChildren({
        parent,
        limit,
        ...(after === undefined ? {} : { after: [...parent, after] }),
        visibleTo,
      }),
    position: (levels) => levels.at(-1) ?? '',
  })
}

export async function updateNamespace(
  deps: Stores<'namespaces'>,
  { levels, json }: { readonly levels: readonly string[]; readonly json: unknown },
  keeper: AnswerKeeper,
): Promise<NamespaceUpdate> {
  const node = requestNode(json)
  const removals = node.find('removals')?.items() ?? []
  const removed = [...new Set(removals.map((key) => key.string()))]
  const updates = node.find('updates')?.stringMap() ?? {}
  const both = removed.find((key) => Object.hasOwn(updates, key))
  if (both !== undefined) throw setAndRemoved(both)
  const answer = (before: NamespaceProperties): NamespaceUpdate => ({
    updated: Object.keys(updates),
    removed: removed.filter((key) => Object.hasOwn(before, key)),
    missing: removed.filter((key) => !Object.hasOwn(before, key)),
  })
  const change = { levels, updates, removals: removed }
  const { before } = await namespaces.changeProperties(deps, change, ({ properties }) =>
    keeper.withEffect({ status: 200, value: answer(properties), isProvisional: true }),
  )
  return answer(before)
}

function setAndRemoved(key: string): ProblemError {
  const shown = key.slice(0, 200)
  const detail = `Invalid namespace update: cannot simultaneously set and remove keys: [${shown}]`
  return new ProblemError('namespace-update-invalid', detail, { facts: { key: shown } })
}
