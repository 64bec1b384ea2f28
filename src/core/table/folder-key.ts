import { locationKey } from '../file/location-key.ts'

const TRAILING_SLASHES = /(?<!\/)\/+$/

/** What folders are compared by: the key of the location, without slashes at the end. */
export function folderKey(location: string): string {
  return locationKey(location).replace(TRAILING_SLASHES, '')
}

/**
 * Keys of all folders above, the outermost first: `file:///w` and `file:///w/a` of `file:///w/a/t`.
 */
export function keysAbove(key: string): readonly string[] {
  const start = key.indexOf('://') + '://'.length
  const above: string[] = []
  for (let end = key.indexOf('/', start + 1); end !== -1; end = key.indexOf('/', end + 1)) {
    above.push(key.slice(0, end))
  }
  return above
}

/** From `start` up to but not including `end` are the keys of all that lies below. */
export function keysBelow(key: string): { readonly start: string; readonly end: string } {
  // "0" follows "/".
  return { start: `${key}/`, end: `${key}0` }
}
