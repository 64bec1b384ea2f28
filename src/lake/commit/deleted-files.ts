import type { FilesDeletedError } from '../../catalog/deletion-store.ts'
import { locationKey } from '../../core/file/location-key.ts'
import type { PendingTransaction } from './commit-queue.ts'

/**
 * The transactions that add a file that is deleted: they are refused, and the others of their batch
 * go again. Throws the error when it is about another file.
 */
export function thoseAdding(
  error: FilesDeletedError,
  batch: readonly PendingTransaction[],
): readonly PendingTransaction[] {
  const keys = new Set(error.deletions.map(({ path }) => locationKey(path)))
  const adding = batch.filter(({ changes }) =>
    changes.some(({ addedFiles }) =>
      addedFiles.some(({ dataFile }) => keys.has(locationKey(dataFile.path))),
    ),
  )
  if (adding.length === 0) throw error
  return adding
}
