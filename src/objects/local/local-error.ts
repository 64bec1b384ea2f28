import { CatalogError } from '../../core/errors.ts'

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const DENIED = new Set(['EACCES', 'EPERM', 'EROFS'])
const MISSING = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ENXIO', 'ENODEV'])
const EXHAUSTED = new Set(['EMFILE', 'ENFILE'])
/** Longest part of a location that a message repeats. */
const QUOTED_CHARACTERS_MAX = 1_000

export type FileAccess = 'read' | 'write'

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

export function missingFile(location: string): CatalogError {
  return new CatalogError('file-not-found', `There is no file at ${quoted(location)}.`, {
    facts: { location: quoted(location) },
  })
}

/** The error for something there that is no file. */
export function notAFile(location: string, { isFolder }: { readonly isFolder: boolean }) {
  if (!isFolder) return missingFile(location)
  return new CatalogError(
    'file-not-found',
    `${quoted(location)} is a folder: name the files in it.`,
    { facts: { location: quoted(location) } },
  )
}

export function invalidLocation(location: string, reason: string): CatalogError {
  return new CatalogError(
    'location-invalid',
    `${quoted(location)} is not a usable location: ${reason}.`,
    { facts: { location: quoted(location), reason } },
  )
}

/** Reveals nothing about whether a file exists there. */
export function forbiddenLocation(location: string, access: FileAccess): CatalogError {
  const detail =
    access === 'read'
      ? `${quoted(location)} is outside the folders that may be read. ` +
        'MORAINE_ALLOWED_LOCATIONS can allow more folders.'
      : `${quoted(location)} is outside the folders that are written to. ` +
        'MORAINE_WRITABLE_LOCATIONS can allow more; MORAINE_ALLOWED_LOCATIONS only for reading.'
  return new CatalogError('location-not-allowed', detail, {
    facts: { location: quoted(location) },
  })
}

export function linkedLocation(location: string): CatalogError {
  return new CatalogError(
    'location-not-allowed',
    `${quoted(location)} leads through a link, so that it may be another's file: ` +
      'it is not deleted.',
    { facts: { location: quoted(location) } },
  )
}

export function isNotFound(error: unknown): boolean {
  return error instanceof CatalogError && error.code === 'file-not-found'
}

export function tooLarge(location: string, bytesMax: number): CatalogError {
  return new CatalogError(
    'body-too-large',
    `${quoted(location)} has more than ${bytesMax} bytes.`,
    { facts: { location: quoted(location), bytesMax } },
  )
}

function quoted(location: string): string {
  return location.length <= QUOTED_CHARACTERS_MAX
    ? location
    : `${location.slice(0, QUOTED_CHARACTERS_MAX)}…`
}
