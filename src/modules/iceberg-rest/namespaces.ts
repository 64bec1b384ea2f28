import type { Stores } from '../../catalog/catalog.ts'
import type { NamespaceRecord } from '../../catalog/namespace-store.ts'
import { CatalogError } from '../../core/errors.ts'
import type { AnswerKeeper } from '../../core/replay.ts'
import { shownNamespace } from '../../core/table/shown-name.ts'
import type { Page } from '../../http/page-token.ts'
import { ProblemError } from '../../problem/problems.ts'
import { NO_CONTENT } from './kept-answer.ts'
import { type PageRequest, readPages } from './page.ts'
import { boundedItems } from './requests/common-update-json.ts'
import { requestNode } from './requests/table-request-json.ts'
import { requireRestNamespace } from './rest-name.ts'
import type { UseCaseCall } from './use-case-call.ts'

const LEVELS_MAX = 100
const PROPERTIES_MAX = 10_000

/** An `UpdateNamespacePropertiesResponse` of the Iceberg REST specification. */
export interface NamespaceUpdate {
  readonly updated: readonly string[]
  readonly removed: readonly string[]
  readonly missing: readonly string[]
}

/** Creates a namespace and its missing parents. Names that differ only in case are the same. */
export async function createNamespace(
  { catalog }: Stores<'namespaces'>,
  json: unknown,
  { keeper, authorize }: UseCaseCall,
): Promise<NamespaceRecord> {
  const node = requestNode(json)
  const given = boundedItems(node.get('namespace'), LEVELS_MAX).map((level) => level.string())
  const levels = requireRestNamespace(given)
  await authorize('create', [{ on: 'namespace', name: levels.slice(0, -1) }])
  const properties = node.find('properties')?.stringMap() ?? {}
  refuseTooMany(Object.keys(properties).length)
  const value = { namespace: levels, properties }
  const outcome = await catalog.namespaces.create(
    { levels, properties },
    keeper.withEffect({ status: 200, value, from: { namespace: levels } }),
  )
  if (outcome === 'created') return { levels, properties }
  const namespace = shownNamespace(levels)
  throw new ProblemError('namespace-already-exists', `Namespace already exists: ${namespace}`, {
    facts: { namespace },
  })
}

export async function getNamespace(
  { catalog }: Stores<'namespaces'>,
  levels: readonly string[],
): Promise<NamespaceRecord> {
  const found = await catalog.namespaces.find(requireRestNamespace(levels))
  if (found === undefined) throw namespaceNotFound(levels)
  return found
}

/** Namespaces directly below the parent; those of the first level without one. */
export async function listNamespaces(
  deps: Stores<'namespaces'>,
  { parent, page }: { readonly parent: readonly string[]; readonly page: PageRequest },
): Promise<Page<readonly string[]>> {
  if (parent.length > 0) await getNamespace(deps, parent)
  return readPages(page, {
    list: (after, limit) =>
      deps.catalog.namespaces.listChildren({
        parent,
        limit,
        ...(after === undefined ? {} : { after: [...parent, after] }),
      }),
    position: (levels) => levels.at(-1) ?? '',
  })
}

export async function dropNamespace(
  { catalog }: Stores<'namespaces'>,
  levels: readonly string[],
  keeper: AnswerKeeper,
): Promise<void> {
  requireRestNamespace(levels)
  const outcome = await catalog.namespaces.drop(levels, keeper.withEffect(NO_CONTENT))
  if (outcome === 'not-found') throw namespaceNotFound(levels)
  if (outcome === 'dropped') return
  const namespace = shownNamespace(levels)
  throw new ProblemError('namespace-not-empty', `Namespace ${namespace} is not empty`, {
    facts: { namespace },
  })
}

export async function updateNamespace(
  deps: Stores<'namespaces'>,
  { levels, json }: { readonly levels: readonly string[]; readonly json: unknown },
  keeper: AnswerKeeper,
): Promise<NamespaceUpdate> {
  const node = requestNode(json)
  const removals = node.find('removals')
  const removed = [
    ...new Set(
      removals === undefined
        ? []
        : boundedItems(removals, PROPERTIES_MAX).map((key) => key.string()),
    ),
  ]
  const updates = node.find('updates')?.stringMap() ?? {}
  const both = removed.find((key) => Object.hasOwn(updates, key))
  if (both !== undefined) throw setAndRemoved(both)
  const { properties } = await getNamespace(deps, levels)
  refuseTooMany(new Set([...Object.keys(properties), ...Object.keys(updates)]).size)
  const answer = (before: NamespaceRecord['properties']): NamespaceUpdate => ({
    updated: Object.keys(updates),
    removed: removed.filter((key) => Object.hasOwn(before, key)),
    missing: removed.filter((key) => !Object.hasOwn(before, key)),
  })
  const changed = await deps.catalog.namespaces.updateProperties(
    { levels, updates, removals: removed },
    keeper.withEffect({ status: 200, value: answer(properties) }),
  )
  if (changed === 'not-found') throw namespaceNotFound(levels)
  return answer(changed.before)
}

export function namespaceNotFound(levels: readonly string[]): ProblemError {
  const namespace = shownNamespace(levels)
  return new ProblemError('namespace-not-found', `Namespace does not exist: ${namespace}`, {
    facts: { namespace },
  })
}

function setAndRemoved(key: string): ProblemError {
  const shown = key.slice(0, 200)
  const detail = `Invalid namespace update: cannot simultaneously set and remove keys: [${shown}]`
  return new ProblemError('namespace-update-invalid', detail, { facts: { key: shown } })
}

function refuseTooMany(count: number): void {
  if (count <= PROPERTIES_MAX) return
  const detail = `Too many properties: a namespace may have at most ${PROPERTIES_MAX}`
  throw new CatalogError('update-invalid', detail)
}
