import { CatalogError } from '../core/errors.ts'

export function corrupt(detail: string, cause?: unknown): CatalogError {
  return new CatalogError('metadata-corrupt', detail, { cause })
}
