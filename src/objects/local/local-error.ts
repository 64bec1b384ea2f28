import { CatalogError } from '../../core/errors.ts'
import { type FileAccess, invalidLocation, missingFile, quoted } from '../store-errors.ts'

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const DENIED = new Set(['EACCES', 'EPERM', 'EROFS'])
const MISSING = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ENXIO', 'ENODEV'])
const EXHAUSTED = new Set(['EMFILE', 'ENFILE'])

export function errorCodeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}

export function isMissing(error: unknown): boolean {
  return MISSING.has(errorCodeOf(error))
}

/**
 * Translates an error of the operating system to a CatalogError; an unexpected one is wrapped with
 * its cause.
 */
export function translateError(error: unknown, access: FileAccess, location: string): Error {
  if (error instanceof CatalogError) return error
  const code = errorCodeOf(error)
  const options = { facts: { location: quoted(location) }, cause: error }
  if (FULL.has(code)) {
    return new CatalogError(
      'storage-full',
      `There is no space to write ${quoted(location)}.`,
      options,
    )
  }
  if (DENIED.has(code)) {
    const detail = `The service has no permission to ${access} ${quoted(location)}.`
    return new CatalogError('location-not-allowed', detail, options)
  }
  if (code === 'ENAMETOOLONG') return invalidLocation(location, 'a name in it is too long')
  if (EXHAUSTED.has(code)) {
    return new CatalogError('overloaded', 'The service has too many files open.', options)
  }
  if (access === 'read' && MISSING.has(code)) return missingFile(location)
  return new Error(`${access} ${quoted(location)}`, { cause: error })
}

/** The error for something there that is no file. */
export function notAFile(location: string, { isFolder }: { readonly isFolder: boolean }) {
  if (!isFolder) return missingFile(location)
  return new CatalogError(
    'file-not-found',
    `${quoted(location)} is a folder: name the files in it, one by one.`,
    { facts: { location: quoted(location) } },
  )
}

export function linkedLocation(location: string): CatalogError {
  return new CatalogError(
    'location-not-allowed',
    `${quoted(location)} leads through a link, so that it may be another's file: ` +
      'it is not deleted.',
    { facts: { location: quoted(location) } },
  )
}
