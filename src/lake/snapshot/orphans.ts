import type { SnapshotDependencies } from './snapshot-dependencies.ts'

/**
 * Deletes files that nothing names. What cannot be deleted stays an orphan, which harms no reader.
 */
export async function deleteQuietly(
  deps: Pick<SnapshotDependencies, 'manifests' | 'objects'>,
  locations: readonly string[],
): Promise<void> {
  deps.manifests.forgetManifestLists(locations)
  await Promise.allSettled(locations.map((location) => deps.objects.delete(location)))
}
