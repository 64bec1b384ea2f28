import type { Stores } from '../../catalog/catalog.ts'
import type { SnapshotLogPageEntry } from '../../catalog/snapshot-store.ts'
import type { TableState } from '../../core/table/table.ts'
import { getTable } from '../../lake/table/table-lookup.ts'

export interface SnapshotLogPage {
  readonly state: TableState
  /** Newest first. */
  readonly entries: readonly SnapshotLogPageEntry[]
  /** Entries earlier than this follow; `undefined` at the end of the log. */
  readonly nextBeforeMs: number | undefined
}

/** One page of a table's snapshot log. Its times strictly increase, so a time is a position. */
export async function pageSnapshotLog(
  deps: Stores<'tables' | 'snapshots'>,
  request: {
    readonly table: string
    readonly beforeMs?: number | undefined
    readonly afterMs?: number | undefined
    readonly limit: number
  },
): Promise<SnapshotLogPage> {
  const state = await getTable(deps.catalog, request.table)
  const { beforeMs, afterMs, limit } = request
  const found = await deps.catalog.snapshots.pageLog({
    tableUuid: state.definition.tableUuid,
    ...(beforeMs === undefined ? {} : { beforeMs }),
    ...(afterMs === undefined ? {} : { afterMs }),
    limit: limit + 1,
  })
  const entries = found.slice(0, limit)
  const nextBeforeMs = found.length > limit ? entries.at(-1)?.timestampMs : undefined
  return { state, entries, nextBeforeMs }
}
