import type { Stores } from '../../catalog/catalog.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import { liveFilesCount } from '../../core/file/data-file.ts'
import type { Keep } from '../../core/replay.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import { LostRace, onNewest } from '../../lake/commit/on-newest.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { markDropped } from '../../lake/table/drop-mark.ts'
import { getTable, tableNotFound } from '../../lake/table/table-lookup.ts'

const DELETES_AT_ONCE = 16
const PUBLICATIONS_MAX = 100_000
/** Paths in one query to the catalog. */
const PATHS_PER_QUERY = 1_000

export type DropDependencies = Pick<
  LakeServices,
  'ambient' | 'catalog' | 'log' | 'manifests' | 'meter' | 'objects' | 'warehouse'
> &
  Stores<'publications'>

export interface DropReport {
  readonly state: TableState
  /** Files deleted by a purge; 0 without one. */
  readonly deletedFiles: number
  /** Files not deleted: another table uses them, or they are outside the warehouse. */
  readonly keptFiles: number
}

/** Drops the table. Its files stay; `purge` deletes those that no other table uses. */
export async function dropTable(
  deps: DropDependencies,
  table: string,
  { purge, keep = () => ({}) }: { readonly purge: boolean; readonly keep?: Keep<DropReport> },
): Promise<DropReport> {
  const { tableUuid } = (await getTable(deps.catalog, table)).definition
  const paths = new Set<string>()
  // Dropped first: a clone made concurrently then finds its source gone and gives up.
  const { state, isOwn } = await dropNewest(deps, tableUuid, { purge, keep, paths })
  if (purge) await addMetadataFiles(deps, state, { paths, isOwn })
  else await markDropped(deps, state.definition)
  const deletedFiles = await deleteUnused(deps, tableUuid, [...paths])
  return { state, deletedFiles, keptFiles: paths.size - deletedFiles }
}

interface DropOptions {
  readonly purge: boolean
  readonly keep: Keep<DropReport>
  /** For a purge: collects all paths that the dropped version refers to. */
  readonly paths: Set<string>
}

/** Drops the newest version; files of a commit that comes in between are collected, too. */
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

/** Adds the paths of snapshots whose manifest list is not among them yet. */
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
 * Which files of `metadata/` below the table's location belong to this table alone. An explicit
 * location may be shared with other tables: there, only files known to be this table's.
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
 * Adds the table's own metadata files. Called after the drop: a concurrent publication has written
 * its file by then, or removes it again.
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

/** `undefined` if unreadable: a table with missing or corrupt files can still be purged. */
async function readOrSkip<T>(
  { log }: Pick<DropDependencies, 'log'>,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read()
  } catch (err) {
    if (!(err instanceof CatalogError)) throw err
    log.warn({ err }, 'a purge could not read a file, so files that only it names will stay')
    return undefined
  }
}

async function deleteUnused(
  deps: DropDependencies,
  tableUuid: string,
  paths: readonly string[],
): Promise<number> {
  let deleted = 0
  for (let start = 0; start < paths.length; start += PATHS_PER_QUERY) {
    const page = paths.slice(start, start + PATHS_PER_QUERY)
    const usedElsewhere = await deps.catalog.paths.findOfOtherTables(tableUuid, page)
    const unused = page.filter((path) => !usedElsewhere.has(path) && isInWarehouse(deps, path))
    const outcomes = await mapBounded(unused, DELETES_AT_ONCE, (path) => deleteOne(deps, path))
    deleted += outcomes.filter(Boolean).length
  }
  return deleted
}

function isInWarehouse({ warehouse }: Pick<DropDependencies, 'warehouse'>, path: string): boolean {
  // Some writers spell locations of local files with a single slash.
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
