import { CatalogError } from '../../core/errors.ts'
import type { ObjectInfo, ObjectStore } from '../../objects/object-store.ts'

/**
 * Deletes an object that was looked at before; `false` if it was replaced since, perhaps by what
 * somebody needs.
 */
export async function deleteUnchanged(
  objects: Pick<ObjectStore, 'delete'>,
  { location, version }: Pick<ObjectInfo, 'location' | 'version'>,
): Promise<boolean> {
  try {
    await objects.delete(location, { version })
    return true
  } catch (error) {
    if (error instanceof CatalogError && error.code === 'data-file-changed') return false
    throw error
  }
}
