import type { Stores } from '../../catalog/catalog.ts'
import type { TableSummary } from '../../catalog/table-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { Log } from '../../core/log.ts'
import type { ObjectInfo, ObjectStore, SweepOptions } from '../../objects/object-store.ts'
import { deleteUnchanged } from '../file/delete-unchanged.ts'
import { areDeletionsHeld } from '../jobs/held-deletions.ts'
import { everyTable } from '../table/every-table.ts'
import { foldersOfTables, type TablePlaces } from '../table/table-location.ts'
import { incomingUploads } from './incoming-uploads.ts'

export type SweepDependencies = Stores<'deletions' | 'leases' | 'locations' | 'paths' | 'tables'> &
  TablePlaces & {
    readonly ambient: Pick<Ambient, 'newUuid' | 'nowMs'>
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
/** Another process may take over what one that was killed was deleting. */
const CLAIM_MS = 10 * 60_000
/** Commits that read a file before it was deleted have ended by then. */
const KEPT_MS = 24 * 3_600_000
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
  for await (const table of everyTable(deps)) {
    signal.throwIfAborted()
    await sweepIncoming(deps, table, beforeMs)
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
  deps: SweepDependencies,
  { tableUuid, location }: Pick<TableSummary, 'location' | 'tableUuid'>,
  beforeMs: number,
): Promise<void> {
  try {
    for await (const info of incomingUploads(deps.objects, location)) {
      if (info.modifiedAtMs < beforeMs) await sweepUpload(deps, tableUuid, info)
    }
  } catch (err) {
    const told = 'unfinished uploads could not be deleted; they will be tried again'
    deps.log.warn({ err, table: location }, told)
  }
}

/** Others may have such names, too, and their files be in a table, or be named at this moment. */
async function sweepUpload(
  { ambient, catalog, objects }: SweepDependencies,
  tableUuid: string,
  info: ObjectInfo,
): Promise<void> {
  const { location: path } = info
  const nowMs = ambient.nowMs()
  const deletion = { path, tableUuid, mark: ambient.newUuid(), reason: 'upload' as const }
  const doomed = { ...deletion, dueAtMs: nowMs, state: 'doomed' as const }
  const { deletions } = catalog
  await deletions.add([doomed])
  const begun = await deletions.beginUnlinking({
    ...{ deletions: [doomed], examinedTableUuids: new Set<string>() },
    ...{ nowMs, dueAtMs: nowMs + CLAIM_MS },
  })
  // From here on nobody can name it. Tables that are gone come after those that are there: one that
  // is dropped in between is found.
  const isFree = begun.length > 0 && (await catalog.paths.findDropped([path])).size === 0
  const isDeleted = isFree && (await deleteUnchanged(objects, info))
  if (isDeleted) await deletions.update(begun, { state: 'unlinked', dueAtMs: nowMs + KEPT_MS })
  else await deletions.forget(begun.length > 0 ? begun : [doomed])
}
