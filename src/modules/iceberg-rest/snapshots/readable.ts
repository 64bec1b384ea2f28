import { CatalogError } from '../../../core/errors.ts'

/**
 * A file of the client that cannot be read is the client's mistake; a location that is not allowed
 * stays that error.
 */
export async function readable<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    const isForbidden = cause instanceof CatalogError && cause.code === 'location-not-allowed'
    if (!(cause instanceof CatalogError) || isForbidden) throw cause
    const detail = `Cannot read ${what.slice(0, 1_000)}: ${cause.message}`
    throw new CatalogError('update-invalid', detail, { cause })
  }
}
