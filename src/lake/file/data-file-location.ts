import { CatalogError } from '../../core/errors.ts'

const LOCATION_LENGTH_MAX = 2_048
const ONE_SLASH_FILE = /^file:\/(?!\/)/
const SCHEME = /^[a-z][a-z0-9+.-]*:/i

/**
 * The location as manifests will hold it: one spelling of each local file, `file:///a/b`, so that a
 * file cannot be added twice; the rest stays verbatim. What the store allows is the store's to
 * say.
 */
export function dataFileLocation(text: string): string {
  if (text.length > LOCATION_LENGTH_MAX) {
    throw new CatalogError('location-invalid', 'the path is too long', {
      facts: { lengthMax: LOCATION_LENGTH_MAX, path: text.slice(0, 100) },
    })
  }
  if (text.startsWith('/')) return `file://${text}`
  if (ONE_SLASH_FILE.test(text)) return text.replace('file:', 'file://')
  if (SCHEME.test(text)) return text
  throw new CatalogError(
    'location-invalid',
    `${text.slice(0, 100)} is not a full location: give one like file:///data/flights.parquet`,
    { facts: { path: text } },
  )
}
