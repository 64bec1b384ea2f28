import type { Stores } from '../../catalog/catalog.ts'
import type { MutationOptions } from '../../catalog/replay-store.ts'
import type { CatalogCommitOutcome, TableCommit } from '../../catalog/table-store.ts'
import type { Keep } from '../../core/replay.ts'
import { requireBoundedDefinition } from '../../core/table/definition-size.ts'
import { nextTimestampMs } from '../../core/table/snapshot-log.ts'
import { type TableState, withTakenRowIds } from '../../core/table/table.ts'
import { parseTableIdentifier } from '../../core/table/table-name.ts'
import { isUnknownState } from '../../core/unknown-state.ts'
import { pastDeletions } from '../deletion/past-deletions.ts'
import { deleteQuietly } from '../snapshot/orphans.ts'
import type { PreparedSnapshot } from '../snapshot/snapshot-writer.ts'
import { getTable, tableNotFound } from '../table/table-lookup.ts'
import type { CommitDependencies, CommitServices } from './commit-dependencies.ts'
import { LostRace, onNewest } from './on-newest.ts'

/** What a change leaves different; nothing at all when it is empty. */
export type TableDifference = Partial<
  Pick<TableState, 'definition' | 'currentSnapshot' | 'refs'>
> & {
  /** A new snapshot, of files that are written already. */
  readonly prepared?: PreparedSnapshot
}

/**
 * Changes a table in one step, in its turn among the commits of this process. `change` is asked
 * again when a commit of another process comes first, so that it always speaks of the newest state.
 */
export async function changeTable(
  deps: CommitDependencies,
  identifier: string,
  change: (state: TableState) => Promise<TableDifference> | TableDifference,
  keep?: Keep<TableState>,
): Promise<TableState> {
  const { tableUuid } = (await getTable(deps.catalog, identifier)).definition
  return deps.commits.inTurns([tableUuid], (turn) => {
    const attempt = async () => {
      const state = await deps.catalog.tables.find({ tableUuid })
      if (state === undefined) throw tableNotFound(parseTableIdentifier(identifier))
      const difference = await change(state)
      if (Object.keys(difference).length === 0) return state
      const lastUpdatedMs = nextTimestampMs(deps.ambient.nowMs(), state.lastUpdatedMs)
      const tableCommit = commitOf(state, difference, lastUpdatedMs)
      const options = keep?.(tableCommit.state) ?? {}
      const { outcome } = await commit(deps, { tableCommit, options, state }, difference)
      if (outcome !== 'committed') return new LostRace()
      deps.publisher.committed(tableCommit)
      return tableCommit.state
    }
    return onNewest(deps, attempt, { turn })
  })
}

function commitOf(
  state: TableState,
  { prepared, ...difference }: TableDifference,
  nowMs: number,
): TableCommit {
  const snapshot = prepared?.snapshot ?? difference.currentSnapshot
  const lastUpdatedMs = prepared?.snapshot.timestampMs ?? nowMs
  return {
    expectedVersion: state.version,
    state: {
      ...state,
      ...difference,
      version: state.version + 1,
      lastUpdatedMs,
      ...(prepared !== undefined && {
        definition: withTakenRowIds(difference.definition ?? state.definition, prepared.snapshot),
        currentSnapshot: prepared.snapshot,
        lastSequenceNumber: prepared.snapshot.sequenceNumber,
      }),
    },
    newSnapshots: prepared === undefined ? [] : [prepared.snapshot],
    newLogEntries:
      snapshot === undefined
        ? []
        : [{ timestampMs: lastUpdatedMs, snapshotId: snapshot.snapshotId }],
    addedPaths: prepared?.addedPaths ?? [],
    ...(prepared !== undefined && { footers: prepared.footers }),
  }
}

async function commit(
  deps: Stores<'tables'> & Pick<CommitServices, 'manifests' | 'objects'>,
  {
    tableCommit,
    options,
    state,
  }: {
    readonly tableCommit: TableCommit
    readonly options: MutationOptions
    readonly state: TableState
  },
  { prepared }: TableDifference,
): Promise<CatalogCommitOutcome> {
  let isRefused = true
  try {
    requireBoundedDefinition(tableCommit.state.definition, state.definition)
    const commits = { tables: [tableCommit], transactions: [] }
    const outcome = await pastDeletions(deps, (rewritten) =>
      deps.catalog.tables.commit({ ...commits, rewritten }, options),
    )
    isRefused = outcome.outcome !== 'committed'
    return outcome
  } catch (error) {
    isRefused = !isUnknownState(error)
    throw error
  } finally {
    if (isRefused) await deleteQuietly(deps, prepared?.writtenLocations ?? [])
  }
}
