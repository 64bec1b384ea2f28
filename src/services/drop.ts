import type { MutationOptions } from '../catalog/replay-store.ts'
import type { Snapshot } from '../core/snapshot.ts'
import type { TableState } from '../core/table.ts'
import { mapBounded } from './bounded.ts'
import type { Dependencies } from './dependencies.ts'
import { liveFilesCount } from './manifest-merge.ts'
import { getTable, tableNotFound } from './table-lookup.ts'

/** In `metadata/` of a table that was dropped and not purged. */
export const DROPPED_MARK = 'dropped.json'
const DELETES_AT_ONCE = 16
/** Paths that one question to the catalog holds. */
const PATHS_PER_QUESTION = 1_000

export interface DropReport {
  readonly state: TableState
  /** Files deleted by a purge; 0 without. */
  readonly deletedFiles: number
  /** Files that another table uses, or that are outside the warehouse and not ours to delete. */
  readonly keptFiles: number
}

/** Forgets the table. Files stay, unless `purge` asks to delete those that no other table uses. */
export async function dropTable(
  deps: Dependencies,
  table: string,
  { purge, options = {} }: { readonly purge: boolean; readonly options?: MutationOptions },
): Promise<DropReport> {
  const state = await getTable(deps.catalog, table)
  const { tableUuid } = state.definition
  const paths = purge ? await everyReferencedPath(deps, tableUuid) : new Set<string>()
  // Dropped first: a clone that is made meanwhile finds its source gone and gives up.
  const outcome = await deps.catalog.dropTable(tableUuid, options)
  if (outcome === 'not-found') throw tableNotFound({ tableUuid })
  if (purge) await addMetadataFiles(deps, state, paths)
  else await markDropped(deps, state)
  const deletedFiles = await deleteUnused(deps, tableUuid, [...paths])
  return { state, deletedFiles, keptFiles: paths.size - deletedFiles }
}

async function everyReferencedPath(deps: Dependencies, tableUuid: string): Promise<Set<string>> {
  const paths = new Set<string>()
  for (const snapshot of await deps.catalog.listSnapshots(tableUuid)) {
    await addPathsOf(deps, snapshot, paths)
  }
  return paths
}

/** Looked for after the drop: a publication that was under way has written its file by then, or takes it back. */
async function addMetadataFiles(
  deps: Dependencies,
  { definition }: TableState,
  paths: Set<string>,
): Promise<void> {
  const folder = `${definition.location}/metadata`
  for await (const { location } of deps.objects.list(folder)) paths.add(location)
}

/** Its files stay; a catalog that is rebuilt from files must not bring it back. */
async function markDropped(deps: Dependencies, { definition }: TableState): Promise<void> {
  const note = new TextEncoder().encode(JSON.stringify({ 'table-uuid': definition.tableUuid }))
  try {
    await deps.objects.putIfAbsent(`${definition.location}/metadata/${DROPPED_MARK}`, note)
  } catch (err) {
    deps.log.warn({ err, location: definition.location }, 'a dropped table could not be marked')
  }
}

async function addPathsOf(
  deps: Dependencies,
  snapshot: Snapshot,
  paths: Set<string>,
): Promise<void> {
  paths.add(snapshot.manifestList)
  for (const file of await deps.manifests.getManifestList(snapshot.manifestList)) {
    if (paths.has(file.path)) continue
    paths.add(file.path)
    if (liveFilesCount(file) === 0) continue
    const manifest = await deps.manifests.getManifest(file)
    for (let i = 0; i < manifest.entryCount; i++) {
      if (manifest.isLive(i)) paths.add(manifest.path(i))
    }
  }
}

async function deleteUnused(
  deps: Dependencies,
  tableUuid: string,
  paths: readonly string[],
): Promise<number> {
  let deleted = 0
  for (let start = 0; start < paths.length; start += PATHS_PER_QUESTION) {
    const page = paths.slice(start, start + PATHS_PER_QUESTION)
    const usedElsewhere = await deps.catalog.findPathsOfOtherTables(tableUuid, page)
    const unused = page.filter(
      (path) => !usedElsewhere.has(path) && path.startsWith(`${deps.warehouse}/`),
    )
    const outcomes = await mapBounded(unused, DELETES_AT_ONCE, (path) => deleteOne(deps, path))
    deleted += outcomes.filter(Boolean).length
  }
  return deleted
}

async function deleteOne(deps: Dependencies, path: string): Promise<boolean> {
  try {
    await deps.objects.delete(path)
    return true
  } catch (err) {
    deps.log.warn({ err, path }, 'a file of a purged table could not be deleted')
    return false
  }
}
