import { CatalogError } from '../../core/errors.ts'

/**
 * Whether the answer to a commit was lost: then the catalog may name the files that were written
 * for it.
 */
export function isUnknownState(error: unknown): boolean {
  return error instanceof CatalogError && error.code === 'commit-state-unknown'
}
