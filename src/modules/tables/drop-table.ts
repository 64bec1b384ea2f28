import type { Stores } from '../../catalog/catalog.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import { liveFilesCount } from '../../core/file/data-file.ts'
import type { Keep } from '../../core/replay.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import { LostRace, onNewest } from '../../lake/commit/on-newest.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { getTable, tableNotFound } from '../../lake/table/table-lookup.ts'

/** In `metadata/` of a table that was dropped and not purged. */
export const DROPPED_MARK = 'dropped.json'
const DELETES_AT_ONCE = 16
const PUBLICATIONS_MAX = 100_000
/** Paths that one question to the catalog holds. */
const PATHS_PER_QUESTION = 1_000

export type DropDependencies = Pick<
  LakeServices,
  'ambient' | 'catalog' | 'log' | 'manifests' | 'meter' | 'objects' | 'warehouse'
> &
  Stores<'publications'>

export interface DropReport {
  readonly state: TableState
  /** Files deleted by a purge; 0 without. */
  readonly deletedFiles: number
  /** Files that another table uses, or that are outside the warehouse and not ours to delete. */
  readonly keptFiles: number
}

/** Forgets the table. Files stay, unless `purge` asks to delete those that no other table uses. */
export async function dropTable(
  deps: DropDependencies,
  table: string,
  { purge, keep = () => ({}) }: { readonly purge: boolean; readonly keep?: Keep<DropReport> },
): Promise<DropReport> {
  const { tableUuid } = (await getTable(deps.catalog, table)).definition
  const paths = new Set<string>()
  // Dropped first: a clone that is made meanwhile finds its source gone and gives up.
  const { state, isOwn } = await dropNewest(deps, tableUuid, { purge, keep, paths })
  if (purge) await addMetadataFiles(deps, state, { paths, isOwn })
  else await markDropped(deps, state)
  const deletedFiles = await deleteUnused(deps, tableUuid, [...paths])
  return { state, deletedFiles, keptFiles: paths.size - deletedFiles }
}

interface DropOptions {
  readonly purge: boolean
  readonly keep: Keep<DropReport>
  /** For a purge, all that the dropped version refers to. */
  readonly paths: Set<string>
}

/** A commit that comes in between is looked at, too: nothing that the table gets is left behind. */
async function dropNewest(
  deps: DropDependencies,
  tableUuid: string,
  { purge, keep, paths }: DropOptions,
): Promise<{ readonly state: TableState; readonly isOwn: IsOwn }> {
  return onNewest(deps, async () => {
    const state = await deps.catalog.tables.find({ tableUuid })
    if (state === undefined) throw tableNotFound({ tableUuid })
    if (purge) await addReferencedPaths(deps, tableUuid, paths)
    const isOwn = purge ? await ownMetadata(deps, state) : () => false
    const expected = { tableUuid, expectedVersion: state.version }
    // What a purge will have deleted is not known yet.
    const options = keep({ state, deletedFiles: 0, keptFiles: paths.size })
    const outcome = await deps.catalog.tables.drop(expected, options)
    if (outcome === 'not-found') throw tableNotFound({ tableUuid })
    return outcome === 'dropped' ? { state, isOwn } : new LostRace({ tableUuid })
  })
}

/** Those of snapshots whose manifest list is not among the paths yet. */
async function addReferencedPaths(
  deps: DropDependencies,
  tableUuid: string,
  paths: Set<string>,
): Promise<void> {
  for (const snapshot of await deps.catalog.snapshots.list(tableUuid)) {
    if (!paths.has(snapshot.manifestList)) await addPathsOf(deps, snapshot, paths)
  }
}

type IsOwn = (location: string) => boolean

/**
 * What of the `metadata/` below the table's location is the table's alone. A location that was
 * given may be that of other tables, too: there only what this one is known to have written goes.
 */
async function ownMetadata(
  { catalog }: Stores<'publications' | 'snapshots'>,
  { definition }: TableState,
): Promise<IsOwn> {
  const { tableUuid, location } = definition
  if (location.endsWith(tableUuid)) return () => true
  const publications = await catalog.publications.list(tableUuid, PUBLICATIONS_MAX)
  const snapshots = await catalog.snapshots.list(tableUuid)
  const files = new Set(publications.map(({ metadataLocation }) => metadataLocation))
  const ids = new Set(snapshots.map(({ snapshotId }) => String(snapshotId)))
  return (path) => {
    const snapshotId = /\/snapshots\/snapshot-(\d+)(?:-\d+)?\.json$/.exec(path)?.[1]
    return files.has(path) || (snapshotId !== undefined && ids.has(snapshotId))
  }
}

/**
 * Looked for after the drop: a publication that was under way has written its file by then, or
 * takes it back.
 */
async function addMetadataFiles(
  deps: DropDependencies,
  { definition }: TableState,
  { paths, isOwn }: { readonly paths: Set<string>; readonly isOwn: IsOwn },
): Promise<void> {
  const folder = `${definition.location}/metadata`
  for await (const { location } of deps.objects.list(folder)) {
    if (isOwn(location)) paths.add(location)
  }
}

/** Its files stay; a catalog that is rebuilt from files must not bring it back. */
async function markDropped(deps: DropDependencies, { definition }: TableState): Promise<void> {
  const note = new TextEncoder().encode(JSON.stringify({ 'table-uuid': definition.tableUuid }))
  try {
    await deps.objects.putIfAbsent(`${definition.location}/metadata/${DROPPED_MARK}`, note)
  } catch (err) {
    deps.log.warn({ err, location: definition.location }, 'a dropped table could not be marked')
  }
}

async function addPathsOf(
  deps: DropDependencies,
  snapshot: Snapshot,
  paths: Set<string>,
): Promise<void> {
  paths.add(snapshot.manifestList)
  const { manifests } = deps
  const files = await readOrSkip(deps, () => manifests.getManifestList(snapshot.manifestList))
  for (const file of files ?? []) {
    if (paths.has(file.path)) continue
    paths.add(file.path)
    if (liveFilesCount(file) === 0) continue
    const manifest = await readOrSkip(deps, () => manifests.getManifest(file))
    if (manifest === undefined) continue
    for (let i = 0; i < manifest.entryCount; i++) {
      if (manifest.isLive(i)) paths.add(manifest.path(i))
    }
  }
}

/** A table whose files are gone or broken in part can still be purged, of what is known. */
async function readOrSkip<T>(
  { log }: Pick<DropDependencies, 'log'>,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read()
  } catch (err) {
    if (!(err instanceof CatalogError)) throw err
    log.warn({ err }, 'a purge leaves what an unreadable file names')
    return undefined
  }
}

async function deleteUnused(
  deps: DropDependencies,
  tableUuid: string,
  paths: readonly string[],
): Promise<number> {
  let deleted = 0
  for (let start = 0; start < paths.length; start += PATHS_PER_QUESTION) {
    const page = paths.slice(start, start + PATHS_PER_QUESTION)
    const usedElsewhere = await deps.catalog.paths.findOfOtherTables(tableUuid, page)
    const unused = page.filter((path) => !usedElsewhere.has(path) && isInWarehouse(deps, path))
    const outcomes = await mapBounded(unused, DELETES_AT_ONCE, (path) => deleteOne(deps, path))
    deleted += outcomes.filter(Boolean).length
  }
  return deleted
}

function isInWarehouse({ warehouse }: Pick<DropDependencies, 'warehouse'>, path: string): boolean {
  // Other writers spell locations of local files with one slash, too.
  return path.replace(/^file:\/(?!\/)/, 'file:///').startsWith(`${warehouse}/`)
}

async function deleteOne(deps: DropDependencies, path: string): Promise<boolean> {
  try {
    await deps.objects.delete(path)
    return true
  } catch (err) {
    deps.log.warn({ err, path }, 'a file of a purged table could not be deleted')
    return false
  }
}
