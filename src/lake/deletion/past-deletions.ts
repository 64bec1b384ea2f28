import { deletionId, FilesDeletedError } from '../../catalog/deletion-store.ts'
import { locationKey } from '../../core/file/location-key.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

const ATTEMPTS_MAX = 3

/**
 * Names files, again when a purge has deleted some that were written anew since: `attempt` is then
 * given their ids. Throws the `FilesDeletedError` of the attempt when one is gone, or is being
 * deleted.
 */
export async function pastDeletions<T>(
  { objects }: { readonly objects: Pick<ObjectStore, 'find'> },
  attempt: (rewritten: ReadonlySet<string>) => Promise<T>,
): Promise<T> {
  const rewritten = new Set<string>()
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt(rewritten)
    } catch (error) {
      if (!(error instanceof FilesDeletedError) || attempts === ATTEMPTS_MAX) throw error
      for (const deletion of error.deletions) {
        // Looked at after it was deleted: what is there now was written since.
        const isThere =
          deletion.state === 'unlinked' && (await objects.find(locationKey(deletion.path)))
        if (!isThere) throw error
        rewritten.add(deletionId(deletion))
      }
    }
  }
}
