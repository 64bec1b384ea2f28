import type { Stores } from '../../catalog/catalog.ts'
import type { Publication } from '../../catalog/publication-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { mapBounded } from '../../core/bounded.ts'
import { locationKey } from '../../core/file/location-key.ts'
import type { Log } from '../../core/log.ts'
import type { TableState } from '../../core/table/table.ts'
import { deletesOldMetadata, metadataLogMax } from '../../core/table-properties.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { areDeletionsHeld } from '../jobs/held-deletions.ts'
import { everyTable } from '../table/every-table.ts'

const FILES_AT_ONCE = 500
const DELETES_AT_ONCE = 8
const METADATA_NAME = /\/[^/]+\.metadata\.json(?:\.gz)?$/

export type OldMetadataDependencies = Stores<'publications' | 'locations' | 'paths' | 'leases'> & {
  readonly objects: Pick<ObjectStore, 'delete'>
  readonly ambient: Pick<Ambient, 'nowMs'>
  readonly log: Log
}

/**
 * Deletes the metadata files that no metadata log names any more, unless the table's properties
 * keep them: the newest and `write.metadata.previous-versions-max` before it stay. There is no
 * grace: nobody was given one of them for as many publications. A file that another table may use,
 * or that is not in the table's own folders, is forgotten and stays. Returns how many were deleted.
 */
export async function deleteOldMetadata(
  deps: OldMetadataDependencies,
  state: TableState,
): Promise<number> {
  const { tableUuid, properties } = state.definition
  if (!deletesOldMetadata(properties)) return 0
  const { publications } = deps.catalog
  const kept = await publications.list(tableUuid, metadataLogMax(properties) + 1)
  const oldest = kept.at(-1)
  if (oldest === undefined) return 0
  for (let deleted = 0; ; ) {
    const query = { tableUuid, beforeVersion: oldest.version, limit: FILES_AT_ONCE }
    const old = await publications.listBefore(query)
    if (old.length === 0 || !(await mayDelete(deps))) return deleted
    const inUse = [...kept.map((each) => each.metadataLocation), state.metadataLocation ?? '']
    const outcomes = await deleteAll(deps, tableUuid, { old, inUse })
    deleted += outcomes.filter((outcome) => outcome === 'deleted').length
    const done = old.filter((_, i) => outcomes[i] !== 'failed')
    await publications.forget(
      tableUuid,
      done.map(({ version }) => version),
    )
    // The rest is tried again after the next publication.
    if (done.length < old.length) return deleted
  }
}

/**
 * Does it for every table, as its next publication would: those of an older catalog have kept all
 * of their metadata files, and some are never committed to again.
 */
export async function deleteAllOldMetadata(
  deps: OldMetadataDependencies & Stores<'tables'>,
  signal: AbortSignal,
): Promise<number> {
  let deleted = 0
  for await (const { tableUuid } of everyTable(deps)) {
    signal.throwIfAborted()
    const state = await deps.catalog.tables.find({ tableUuid })
    if (state !== undefined) deleted += await deleteOldMetadata(deps, state)
  }
  return deleted
}

/**
 * Asked after the publication that left them unnamed, as whoever holds deletions expects. Tables of
 * an older catalog whose paths are not known by keys yet may name any file.
 */
async function mayDelete(deps: OldMetadataDependencies): Promise<boolean> {
  if (await areDeletionsHeld(deps)) return false
  return (await deps.catalog.paths.listUnkeyed(1)).length === 0
}

async function deleteAll(
  deps: OldMetadataDependencies,
  tableUuid: string,
  { old, inUse }: { readonly old: readonly Publication[]; readonly inUse: readonly string[] },
): Promise<readonly ('deleted' | 'stays' | 'failed')[]> {
  const { locations, paths } = deps.catalog
  const files = old.map(({ metadataLocation }) => metadataLocation)
  const [owners, namers] = await Promise.all([locations.findOwners(files), paths.findTables(files)])
  const usedKeys = new Set(inUse.map(locationKey))
  // A registered table's log is the client's, who may name anything there.
  const isOwn = (file: string) => {
    const owned = owners.get(file) ?? []
    return owned.length > 0 && owned.every((owner) => owner.tableUuid === tableUuid)
  }
  const isNamedByOthers = (file: string) =>
    namers.get(file)?.some((namer) => namer !== tableUuid) === true
  const isDeletable = (file: string) =>
    METADATA_NAME.test(file) &&
    isOwn(file) &&
    !isNamedByOthers(file) &&
    !usedKeys.has(locationKey(file))
  return mapBounded(files, DELETES_AT_ONCE, async (file) => {
    if (!isDeletable(file)) return 'stays'
    try {
      await deps.objects.delete(locationKey(file))
      return 'deleted'
    } catch (err) {
      deps.log.warn({ err, file }, 'an old metadata file could not be deleted; trying again later')
      return 'failed'
    }
  })
}
