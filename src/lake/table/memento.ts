import { CatalogError } from '../../core/errors.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import { getSnapshot, type LookupDependencies } from './table-lookup.ts'

const LAST_MS_OF_SECOND = 999

/**
 * The snapshot that was current in the second, which is all that a date of HTTP tells; the first
 * one for any time before (RFC 7089, 4.5.3). `undefined` if the table has none.
 */
export async function findMemento(
  deps: LookupDependencies,
  state: TableState,
  secondMs: number,
): Promise<Snapshot | undefined> {
  try {
    return await getSnapshot(deps, state, { asAtMs: secondMs + LAST_MS_OF_SECOND })
  } catch (error) {
    if (!(error instanceof CatalogError) || error.code !== 'as-at-before-first-snapshot')
      throw error
    for await (const [first] of deps.catalog.snapshots.readLog(state.definition.tableUuid)) {
      if (first === undefined) return undefined
      return await deps.catalog.snapshots.find(state.definition.tableUuid, first.snapshotId)
    }
    return undefined
  }
}
