import type { NewDeletion } from '../../catalog/deletion-store.ts'
import type { StagedChange } from '../../core/table/transaction.ts'

/**
 * The deletions of files that were uploaded to a transaction which is over. Files that it was given
 * by path are left alone, whatever they are called: they may be another table's.
 */
export function deletionsOfUploads(
  changes: readonly StagedChange[],
  { mark, dueAtMs }: Pick<NewDeletion, 'mark' | 'dueAtMs'>,
): readonly NewDeletion[] {
  return changes.flatMap(({ tableUuid, addedFiles }) =>
    addedFiles
      .filter(({ isUploaded }) => isUploaded === true)
      .map(({ dataFile: { path } }) => {
        return { path, tableUuid, mark, reason: 'upload' as const, dueAtMs }
      }),
  )
}
