import type { Stores } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { Log } from '../../core/log.ts'
import type { ObjectStore, SweepOptions } from '../../objects/object-store.ts'
import { deleteUnchanged } from '../file/delete-unchanged.ts'
import { areDeletionsHeld } from '../jobs/held-deletions.ts'
import { everyTable } from '../table/every-table.ts'
import { foldersOfTables, type TablePlaces } from '../table/table-location.ts'
import { incomingUploads } from './incoming-uploads.ts'

export type SweepDependencies = Stores<'leases' | 'locations' | 'paths' | 'tables'> &
  TablePlaces & {
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
  for (const folder of foldersOfTables(deps)) {
    await deps.objects.deleteUnfinished(folder, { beforeMs, signal })
  }
  for await (const { location } of everyTable(deps)) {
    signal.throwIfAborted()
    await sweepIncoming(deps, location, beforeMs)
  }
  await sweepFolders(deps, { beforeMs, signal })
}

/**
 * Empty folders of staged tables that never came, and of tables that are gone. Outside of the
 * warehouse others make folders, too: there, only those of tables that are gone.
 */
async function sweepFolders(deps: SweepDependencies, options: SweepOptions): Promise<void> {
  const { catalog, objects, warehouse, writableLocations } = deps
  const ofDropped = async (folder: string, countMin: number) => {
    const tables = await catalog.locations.findOverlapping(folder, TABLES_LOOKED_AT)
    const isKnown = tables.length >= countMin && tables.length < TABLES_LOOKED_AT
    return isKnown && tables.every(({ isDropped }) => isDropped)
  }
  const isFree = async (folder: string) =>
    !folder.startsWith(`${warehouse}/.`) && (await ofDropped(folder, 0))
  await objects.deleteEmptyFolders(warehouse, { ...options, isFree })
  for (const outside of writableLocations) {
    const isOfTable = (folder: string) => ofDropped(folder, 1)
    await objects.deleteEmptyFolders(outside, { ...options, isFree: isOfTable })
  }
}

async function sweepIncoming(
  { ambient, catalog, objects, log }: SweepDependencies,
  table: string,
  beforeMs: number,
): Promise<void> {
  try {
    for await (const info of incomingUploads(objects, table)) {
      const { location, modifiedAtMs } = info
      if (modifiedAtMs >= beforeMs) continue
      // Others may have such names, too, and their files be in a table.
      const request = { paths: [location], nowMs: ambient.nowMs() }
      if ((await catalog.paths.findStaged(request)).length > 0) continue
      if ((await catalog.paths.findTables([location])).size > 0) continue
      if ((await catalog.paths.findDropped([location])).size > 0) continue
      await deleteUnchanged(objects, info)
    }
  } catch (err) {
    log.warn({ err, table }, 'unfinished uploads could not be deleted; they will be tried again')
  }
}
