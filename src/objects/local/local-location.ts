import { locationKey } from '../../core/file/location-key.ts'
import { findPathFault } from '../location-text.ts'
import { invalidLocation } from '../store-errors.ts'

/** Longest path: below Linux's 4,096 bytes, with room for a temporary name. */
const PATH_BYTES_MAX = 4_000
const ENDS_LIKE_FOLDER = /\/\.?$/
const TEMPORARY_NAME = /^\.moraine-[0-9a-f-]{36}\.tmp$/

/**
 * The absolute path of a location, without a trailing slash. Empty segments and single dots are
 * folded, as in `locationKey`: writers of tables leave them, and they name the same file. Nothing
 * else is changed or decoded. Throws `location-invalid`.
 */
export function pathOfFile(location: string): string {
  const path = absolutePathOf(location)
  if (ENDS_LIKE_FOLDER.test(location)) {
    const told = 'it ends with a slash, like a folder: name the files in it, one by one'
    throw invalidLocation(location, told)
  }
  if (isTemporaryName(nameOf(path))) {
    throw invalidLocation(location, 'such names are reserved for files being written')
  }
  return path
}

/**
 * Does the same as `pathOfFile` for a folder, which may end with a slash. The root folder is the
 * empty string.
 */
export function pathOfFolder(location: string): string {
  const path = absolutePathOf(location)
  return path.endsWith('/') ? path.slice(0, -1) : path
}

/** Whether a name found on disk may be part of a location. */
export function isUsableName(name: string): boolean {
  return findPathFault(`/${name}`, PATH_BYTES_MAX) === undefined
}

/**
 * A hidden name that users cannot choose, so that leftovers of a crash are distinguishable from
 * objects.
 */
export function temporaryName(uuid: string): string {
  return `.moraine-${uuid}.tmp`
}

export function isTemporaryName(name: string): boolean {
  return TEMPORARY_NAME.test(name)
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The folder of a path; the root folder is the empty string. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

export function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

function absolutePathOf(location: string): string {
  const path = withoutScheme(locationKey(location))
  if (path === undefined || withoutScheme(location) === undefined) {
    throw invalidLocation(
      location,
      'a local location is file:///folder/name, with an absolute path',
    )
  }
  const fault = findPathFault(path, PATH_BYTES_MAX)
  if (fault !== undefined) throw invalidLocation(location, fault)
  return path
}

function withoutScheme(location: string): string | undefined {
  if (location.startsWith('file:///')) return location.slice('file://'.length)
  if (location.startsWith('file://')) return undefined
  if (location.startsWith('file:/')) return location.slice('file:'.length)
  return location.startsWith('/') ? location : undefined
}
