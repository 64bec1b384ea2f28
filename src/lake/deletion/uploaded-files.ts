import type { NewDeletion } from '../../catalog/deletion-store.ts'
import type { StagedChange } from '../../core/table/transaction.ts'

/** Names that the service gives to files that are uploaded to it, and no one else. */
const UPLOADED = /\/data\/(?:.+\/)?as_at_\d{8}T\d{6}Z\/data-\d{4}-[0-9a-f-]{36}\.parquet$/

/**
 * The deletions of files that were uploaded to a transaction which is over. Files that it was given
 * by path are left alone.
 */
export function deletionsOfUploads(
  changes: readonly StagedChange[],
  { mark, dueAtMs }: Pick<NewDeletion, 'mark' | 'dueAtMs'>,
): readonly NewDeletion[] {
  return changes.flatMap(({ tableUuid, addedFiles }) =>
    addedFiles
      .map(({ dataFile }) => dataFile.path)
      .filter((path) => UPLOADED.test(path))
      .map((path) => ({ path, tableUuid, mark, reason: 'upload' as const, dueAtMs })),
  )
}
