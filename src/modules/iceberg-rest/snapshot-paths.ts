import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import type { ManifestFile } from '../../core/file/data-file.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { LakeServices } from '../../lake/lake.ts'

const LISTS_AT_ONCE = 4
const MANIFESTS_AT_ONCE = 16
/** Largest number of paths that one commit adds. */
const ADDED_PATHS_MAX = 1_000_000

/**
 * Paths that new snapshots add to the table: their manifest lists, the manifests written for them,
 * and the files added by those. Throws `update-invalid` if one is missing or damaged.
 */
export async function pathsOfNewSnapshots(
  deps: Pick<LakeServices, 'manifests'>,
  snapshots: readonly Snapshot[],
): Promise<readonly string[]> {
  const ofSnapshots = await mapBounded(snapshots, LISTS_AT_ONCE, (s) => pathsOfSnapshot(deps, s))
  const paths = [...new Set(ofSnapshots.flat())]
  if (paths.length > ADDED_PATHS_MAX) throw tooManyPaths()
  return paths
}

async function pathsOfSnapshot(
  deps: Pick<LakeServices, 'manifests'>,
  { snapshotId, manifestList }: Snapshot,
): Promise<readonly string[]> {
  const listed = await readable(`manifest list ${manifestList}`, () =>
    deps.manifests.getManifestList(manifestList),
  )
  const added = listed.filter((manifest) => manifest.addedSnapshotId === snapshotId)
  const files = added.reduce((sum, manifest) => sum + manifest.addedFilesCount, 0)
  if (files > ADDED_PATHS_MAX) throw tooManyPaths()
  const ofManifests = await mapBounded(added, MANIFESTS_AT_ONCE, (m) => addedFiles(deps, m))
  return [manifestList, ...added.map((manifest) => manifest.path), ...ofManifests.flat()]
}

async function addedFiles(
  deps: Pick<LakeServices, 'manifests'>,
  file: ManifestFile,
): Promise<readonly string[]> {
  const manifest = await readable(`manifest ${file.path}`, () => deps.manifests.getManifest(file))
  const paths: string[] = []
  for (let i = 0; i < manifest.entryCount; i++) {
    if (manifest.status(i) === 'added') paths.push(manifest.path(i))
  }
  return paths
}

/**
 * A file of the client that cannot be read is the client's mistake; a location that is not allowed
 * stays that error.
 */
export async function readable<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    const isForbidden = cause instanceof CatalogError && cause.code === 'location-not-allowed'
    if (!(cause instanceof CatalogError) || isForbidden) throw cause
    const detail = `Cannot read ${what.slice(0, 1_000)}: ${cause.message}`
    throw new CatalogError('update-invalid', detail, { cause })
  }
}

function tooManyPaths(): CatalogError {
  const detail = `Too many files: a commit may add at most ${ADDED_PATHS_MAX}`
  return new CatalogError('update-invalid', detail, { facts: { filesMax: ADDED_PATHS_MAX } })
}
