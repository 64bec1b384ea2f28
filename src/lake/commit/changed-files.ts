import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import { INSPECTIONS_AT_ONCE } from '../../core/limits.ts'
import type { StagedChange, StagedFile } from '../../core/table/transaction.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { readFooterOf } from '../file/read-footer.ts'
import { isSameVersion } from '../file/source-identity.ts'

/**
 * Throws `file-changed` if a staged file was replaced or is gone: what was read from its footer
 * would be committed, and no reader could use it. Looks at each file once, and reads the footer
 * again only where its version differs: a copy of equal bytes is no change.
 */
export async function requireUnchangedFiles(
  objects: ObjectStore,
  changes: readonly StagedChange[],
): Promise<void> {
  for (const { addedFiles } of changes) {
    await mapBounded(addedFiles, INSPECTIONS_AT_ONCE, async (file) => {
      if (await isChanged(objects, file)) throw fileChanged(file.dataFile.path)
    })
  }
}

async function isChanged(
  objects: ObjectStore,
  { dataFile, asStaged }: StagedFile,
): Promise<boolean> {
  if (asStaged === undefined) return false
  const info = await objects.find(dataFile.path)
  if (info?.sizeBytes !== dataFile.fileSizeBytes) return true
  if (isSameVersion({ ...asStaged, sizeBytes: dataFile.fileSizeBytes }, info)) return false
  try {
    const { identity } = await readFooterOf(objects, dataFile.path)
    return (await identity()).footerSha256 !== asStaged.footerSha256
  } catch (error) {
    if (error instanceof CatalogError) return true
    throw error
  }
}

function fileChanged(path: string): CatalogError {
  return new CatalogError(
    'file-changed',
    `${path} is not the file that was staged: abort the transaction, and stage it again`,
    { facts: { path } },
  )
}
