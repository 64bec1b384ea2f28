import { CatalogError } from '../../core/errors.ts'
import { liveFilesCount, type ManifestFile } from '../../core/file/data-file.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableMetadata } from '../../core/table/table.ts'
import type { LakeServices } from '../../lake/lake.ts'

/** Paths of manifests that were read. */
export type WholeManifests = Set<string>

/**
 * Every data file, manifest and manifest list, as commits would have recorded them; and snapshots
 * that name more than can be read, with the file that is missing or corrupt. The current snapshot
 * must be whole.
 */
export async function pathsOf(
  { manifests }: Pick<LakeServices, 'manifests'>,
  { snapshots, currentSnapshotId }: Pick<TableMetadata, 'snapshots' | 'currentSnapshotId'>,
): Promise<{
  readonly paths: ReadonlySet<string>
  readonly lost: ReadonlyMap<bigint, string>
}> {
  const paths = new Set<string>()
  const lost = new Map<bigint, string>()
  const whole: WholeManifests = new Set()
  for (const { snapshotId, manifestList } of snapshots) {
    const readOrLose = <T>(path: string, read: () => Promise<T>): Promise<T | undefined> =>
      read().catch((error: unknown) => {
        if (snapshotId === currentSnapshotId || !isLost(error)) throw error
        lost.set(snapshotId, path)
        return undefined
      })
    paths.add(manifestList)
    const files = await readOrLose(manifestList, () => manifests.getManifestList(manifestList))
    for (const file of files ?? []) {
      if (whole.has(file.path)) continue
      paths.add(file.path)
      const found = await readOrLose(file.path, () => pathsIn(manifests, file))
      if (found !== undefined) whole.add(file.path)
      for (const path of found ?? []) paths.add(path)
    }
  }
  return { paths, lost }
}

async function pathsIn(
  manifests: LakeServices['manifests'],
  file: ManifestFile,
): Promise<readonly string[]> {
  if (liveFilesCount(file) === 0) return []
  const manifest = await manifests.getManifest(file)
  return Array.from({ length: manifest.entryCount }, (_, i) => manifest.path(i))
}

/** Not those of a store that does not answer: it may have the file. */
export function isLost(error: unknown): boolean {
  return (
    error instanceof CatalogError &&
    (error.code === 'file-not-found' || error.code === 'metadata-corrupt')
  )
}

/** The manifest list or the manifest without which a snapshot cannot be read, if any. */
export async function unreadableFileOf(
  manifests: LakeServices['manifests'],
  { manifestList }: Snapshot,
  whole: WholeManifests,
): Promise<string | undefined> {
  let path = manifestList
  try {
    for (const file of await manifests.getManifestList(manifestList)) {
      if (whole.has(file.path)) continue
      path = file.path
      await pathsIn(manifests, file)
      whole.add(path)
    }
    return undefined
  } catch (error) {
    if (isLost(error)) return path
    throw error
  }
}
