import { CatalogError } from '../core/errors.ts'
import type { SnapshotLogEntry } from '../core/snapshot.ts'
import { nextTimestampMs } from '../core/snapshot-log.ts'
import type { TableState } from '../core/table.ts'
import type { Dependencies } from './dependencies.ts'
import { COMMIT_ATTEMPTS_MAX } from './limits.ts'
import { getTable } from './table-lookup.ts'

/** What a change leaves different; nothing at all when it is empty. */
export type TableDifference = Partial<Pick<TableState, 'definition' | 'currentSnapshot'>>

/**
 * Changes a table without touching its files. `change` is asked again when another commit comes first,
 * so that it always speaks of the newest state.
 */
export async function changeTable(
  deps: Dependencies,
  identifier: string,
  change: (state: TableState) => Promise<TableDifference> | TableDifference,
): Promise<TableState> {
  for (let attempt = 1; ; attempt++) {
    const state = await getTable(deps.catalog, identifier)
    const difference = await change(state)
    if (Object.keys(difference).length === 0) return state
    const lastUpdatedMs = nextTimestampMs(deps.ambient.nowMs(), state.lastUpdatedMs)
    const changed = { ...state, ...difference, version: state.version + 1, lastUpdatedMs }
    const outcome = await deps.catalog.commit({
      tables: [
        {
          expectedVersion: state.version,
          state: changed,
          newSnapshots: [],
          newLogEntries: logEntries(difference, lastUpdatedMs),
          addedPaths: [],
        },
      ],
      transactions: [],
    })
    if (outcome.outcome === 'committed') {
      deps.publisher.schedule(state.definition.tableUuid)
      return changed
    }
    if (attempt === COMMIT_ATTEMPTS_MAX) {
      throw new CatalogError('commit-conflict', 'other commits kept coming first: try again')
    }
    await deps.ambient.sleep(deps.ambient.random() * Math.min(2 ** attempt, 100))
  }
}

function logEntries(
  { currentSnapshot }: TableDifference,
  timestampMs: number,
): readonly SnapshotLogEntry[] {
  return currentSnapshot === undefined
    ? []
    : [{ timestampMs, snapshotId: currentSnapshot.snapshotId }]
}
