import type { Stores } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { Log } from '../../core/log.ts'
import type { ObjectStore, SweepOptions } from '../../objects/object-store.ts'
import { areDeletionsHeld } from '../jobs/held-deletions.ts'
import { everyTable } from '../table/every-table.ts'
import type { Warehouse } from '../table/table-location.ts'

export type SweepDependencies = Stores<'leases' | 'locations' | 'tables'> &
  Warehouse & {
    readonly ambient: Pick<Ambient, 'nowMs'>
    readonly log: Log
    readonly objects: Pick<
      ObjectStore,
      'delete' | 'deleteEmptyFolders' | 'deleteUnfinished' | 'list'
    >
    /** Removes folders of engines that ended, if nothing in them has changed for so long. */
    readonly sweepTemporaryFolders?: (idleMs: number) => Promise<void>
  }

/** Nothing takes so long between two writes. */
const UNFINISHED_MS = 24 * 3_600_000
/** A folder of more is kept: one of them may live. */
const TABLES_LOOKED_AT = 16

/**
 * Deletes what crashes left half-made, once it is a day old: temporary files, uploads that were
 * received but never placed, folders of engines, empty folders. No catalog ever named any of it.
 */
export async function sweepUnfinished(deps: SweepDependencies, signal: AbortSignal): Promise<void> {
  if (await areDeletionsHeld(deps)) return
  await deps.sweepTemporaryFolders?.(UNFINISHED_MS)
  const beforeMs = deps.ambient.nowMs() - UNFINISHED_MS
  await deps.objects.deleteUnfinished(deps.warehouse, { beforeMs, signal })
  for await (const { location } of everyTable(deps)) {
    signal.throwIfAborted()
    await sweepIncoming(deps, `${location}/data/incoming`, beforeMs)
  }
  await sweepFolders(deps, { beforeMs, signal })
}

/** Empty folders of staged tables that never came, and of tables that are gone. */
async function sweepFolders(
  { catalog, objects, warehouse }: SweepDependencies,
  options: SweepOptions,
): Promise<void> {
  const isFree = async (folder: string) => {
    if (folder.startsWith(`${warehouse}/.`)) return false
    const tables = await catalog.locations.findOverlapping(folder, TABLES_LOOKED_AT)
    return tables.length < TABLES_LOOKED_AT && tables.every(({ isDropped }) => isDropped)
  }
  await objects.deleteEmptyFolders(warehouse, { ...options, isFree })
}

async function sweepIncoming(
  { objects, log }: SweepDependencies,
  folder: string,
  beforeMs: number,
): Promise<void> {
  try {
    for await (const { location, modifiedAtMs } of objects.list(folder)) {
      if (modifiedAtMs < beforeMs) await objects.delete(location)
    }
  } catch (err) {
    log.warn({ err, folder }, 'unfinished uploads could not be deleted; they will be tried again')
  }
}
