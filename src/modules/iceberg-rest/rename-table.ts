import type { Stores } from '../../catalog/catalog.ts'
import type { CatalogError } from '../../core/errors.ts'
import type { AnswerKeeper } from '../../core/replay.ts'
import { shownName } from '../../core/table/shown-name.ts'
import type { TableState } from '../../core/table/table.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { LostRace, onNewest } from '../../lake/commit/on-newest.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { markRenamed } from '../../lake/table/name-mark.ts'
import { getNamespace } from '../namespaces/namespaces.ts'
import { nameTaken } from './create-table.ts'
import { NO_CONTENT } from './kept-answer.ts'
import { getRestTable } from './load-table.ts'
import { readIdentifier, requestNode } from './requests/table-request-json.ts'
import { requireRestName } from './rest-name.ts'
import type { RestServices } from './rest-services.ts'
import type { UseCaseCall } from './use-case-call.ts'

/**
 * Renames a table, possibly into another namespace, which must exist (Iceberg REST specification,
 * `RenameTableRequest`). Its metadata stays: Iceberg's does not tell the name.
 */
export async function renameTable(
  deps: RestServices,
  json: unknown,
  { keeper, authorize }: UseCaseCall,
): Promise<void> {
  const node = requestNode(json)
  const source = requireRestName(readIdentifier(node.get('source')))
  const destination = requireRestName(readIdentifier(node.get('destination')))
  await authorize('own', [{ on: 'table', name: source }])
  await authorize('create', [{ on: 'namespace', name: destination.namespace }])
  const { tableUuid } = (await getRestTable(deps, source)).definition
  const { levels } = await getNamespace(deps, destination.namespace)
  const target = { namespace: levels, name: destination.name }
  await deps.commits.inTurns([tableUuid], (turn) => {
    const attempt = async () => {
      const state = await getRestTable(deps, source)
      await refuseTaken(deps, state, { source, target })
      const isRenamed = await tryRename(deps, { state, target }, keeper)
      return isRenamed ? state : new LostRace()
    }
    return onNewest(deps, attempt, { turn })
  })
}

async function tryRename(
  deps: Stores<'tables'> & Pick<LakeServices, 'log' | 'objects' | 'publisher'>,
  { state, target }: { readonly state: TableState; readonly target: NamespacedName },
  keeper: AnswerKeeper,
): Promise<boolean> {
  const renamed = { ...state, ...target, version: state.version + 1 }
  const none = { newSnapshots: [], newLogEntries: [], addedPaths: [], keepsMetadata: true }
  const commit = { expectedVersion: state.version, state: renamed, ...none }
  const { outcome } = await deps.catalog.tables.commit(
    { tables: [commit], transactions: [] },
    keeper.withEffect(NO_CONTENT),
  )
  if (outcome !== 'committed') return false
  deps.publisher.committed(commit)
  await markRenamed(deps, renamed)
  return true
}

/** A table's own name in another case is not taken. */
async function refuseTaken(
  { catalog }: Stores<'tables' | 'views'>,
  state: TableState,
  { source, target }: { readonly source: NamespacedName; readonly target: NamespacedName },
): Promise<void> {
  const [table, view] = await Promise.all([catalog.tables.find(target), catalog.views.find(target)])
  const isSelf = table?.definition.tableUuid === state.definition.tableUuid
  const isSame = isSelf && shownName(state) === shownName(target)
  if (isSame || (table !== undefined && !isSelf)) throw cannotRename(source, target, 'table')
  if (view !== undefined) throw cannotRename(source, target, 'view')
}

function cannotRename(
  from: NamespacedName,
  to: NamespacedName,
  existing: 'table' | 'view',
): CatalogError {
  const what = existing === 'table' ? 'Table' : 'View'
  const detail = `Cannot rename ${shownName(from)} to ${shownName(to)}. ${what} already exists`
  return nameTaken(to, existing, detail)
}
