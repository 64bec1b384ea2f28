import type { Stores } from '../../catalog/catalog.ts'
import type { MutationOptions } from '../../catalog/replay-store.ts'
import type { Log } from '../../core/log.ts'
import { shownName } from '../../core/table/shown-name.ts'
import type { TableState } from '../../core/table/table.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { markNamed, registeredMetadata } from '../table/name-mark.ts'
import type { CommitDependencies } from './commit-dependencies.ts'
import { LostRace, onNewest } from './on-newest.ts'

export type RenameDependencies = Stores<'tables' | 'views'> &
  Pick<CommitDependencies, 'ambient' | 'commits' | 'meter' | 'objects' | 'publisher'> & {
    readonly log: Log
  }

export interface Renaming {
  readonly tableUuid: string
  readonly target: NamespacedName
  /** The table as it is now; throws if it is not there any more. */
  find(): Promise<TableState>
  /** The error for a name that something else has, or the table itself. */
  taken(existing: 'table' | 'view'): Error
  options(renamed: TableState): MutationOptions
}

/**
 * Gives a table another name, possibly in another namespace, which must exist. Its metadata stays:
 * Iceberg's does not tell the name.
 */
export function renameTable(deps: RenameDependencies, renaming: Renaming): Promise<TableState> {
  return deps.commits.inTurns([renaming.tableUuid], (turn) => {
    const attempt = async () => {
      const state = await renaming.find()
      await refuseTaken(deps, state, renaming)
      return (await tryRename(deps, state, renaming)) ?? new LostRace()
    }
    return onNewest(deps, attempt, { turn })
  })
}

/** `undefined` if another change came first. */
async function tryRename(
  deps: Stores<'tables'> & Pick<RenameDependencies, 'log' | 'objects' | 'publisher'>,
  state: TableState,
  { target, options }: Renaming,
): Promise<TableState | undefined> {
  const renamed = { ...state, ...target, version: state.version + 1 }
  const none = { newSnapshots: [], newLogEntries: [], addedPaths: [], keepsMetadata: true }
  const commit = { expectedVersion: state.version, state: renamed, ...none }
  const { outcome } = await deps.catalog.tables.commit(
    { tables: [commit], transactions: [] },
    options(renamed),
  )
  if (outcome !== 'committed') return undefined
  deps.publisher.committed(commit)
  await markNamed(deps, {
    ...renamed,
    ...renamed.definition,
    ...registeredMetadata(state),
  })
  return renamed
}

/** A table's own name in another case is not taken. */
async function refuseTaken(
  { catalog }: Stores<'tables' | 'views'>,
  state: TableState,
  { target, taken }: Renaming,
): Promise<void> {
  const [table, view] = await Promise.all([catalog.tables.find(target), catalog.views.find(target)])
  const isSelf = table?.definition.tableUuid === state.definition.tableUuid
  const isSame = isSelf && shownName(state) === shownName(target)
  if (isSame || (table !== undefined && !isSelf)) throw taken('table')
  if (view !== undefined) throw taken('view')
}
