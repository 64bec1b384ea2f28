import { CatalogError } from '../core/errors.ts'

/** Longest part of a location that a message repeats. */
const QUOTED_CHARACTERS_MAX = 1_000

export type FileAccess = 'read' | 'write'

export function missingFile(location: string): CatalogError {
  const hint = location.includes('*') ? ': patterns are not expanded, name files one by one' : ''
  return new CatalogError('file-not-found', `There is no file at ${quoted(location)}${hint}.`, {
    facts: { location: quoted(location) },
  })
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

/** The object has another version than the one that was seen before. */
export function replacedFile(location: string, cause?: unknown): CatalogError {
  return new CatalogError('data-file-changed', `${quoted(location)} was replaced.`, {
    facts: { path: quoted(location) },
    cause,
  })
}

export function isNotFound(error: unknown): boolean {
  return error instanceof CatalogError && error.code === 'file-not-found'
}

export function isReplaced(error: unknown): boolean {
  return error instanceof CatalogError && error.code === 'data-file-changed'
}

export function tooLarge(location: string, bytesMax: number): CatalogError {
  return new CatalogError(
    'body-too-large',
    `${quoted(location)} has more than ${bytesMax} bytes.`,
    { facts: { location: quoted(location), bytesMax } },
  )
}

/** A location as messages repeat it. */
export function quoted(location: string): string {
  return location.length <= QUOTED_CHARACTERS_MAX
    ? location
    : `${location.slice(0, QUOTED_CHARACTERS_MAX)}…`
}
