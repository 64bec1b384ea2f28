const SCHEME = /^([a-z][a-z0-9+.-]*):/i
/** Names of one and the same bucket store. */
const SCHEME_ALIASES: Readonly<Record<string, string>> = { s3a: 's3', s3n: 's3' }
/** An empty segment, one of a single dot, or a slash at the end. */
const FOLDED_SEGMENT = /\/(?:\/|\.\/|\.?$)/
const LOCAL_AUTHORITY = /^\/\/(?:localhost)?(?=\/)/i
const PARENT_SEGMENT = /\/\.\.(?:\/|$)/

/**
 * What locations are compared and hashed by: equal for all spellings of one file, whatever text is
 * stored. `/a//b/`, `file:/a/b` and `file:///a/b` are one local file, `s3a://b/k` and `s3://b/k`
 * one object; nothing is decoded. In a bucket, `a//b` is another object than `a/b`.
 */
export function locationKey(location: string): string {
  if (location.startsWith('file:///')) return localKey(location.slice('file://'.length))
  if (location.startsWith('/')) return localKey(location)
  const scheme = SCHEME.exec(location)?.[1]
  if (scheme === undefined) return location
  const rest = location.slice(scheme.length + 1)
  const lowerCase = scheme.toLowerCase()
  if (lowerCase !== 'file') return `${SCHEME_ALIASES[lowerCase] ?? lowerCase}:${rest}`
  const path = rest.replace(LOCAL_AUTHORITY, '')
  const isLocal = path.startsWith('/') && !(path === rest && rest.startsWith('//'))
  return isLocal ? localKey(path) : `file:${rest}`
}

/**
 * Whether a location is inside a folder, however both are spelled. A location that climbs with `..`
 * is inside none.
 */
export function isBelow(folder: string, location: string): boolean {
  const key = locationKey(location)
  const above = locationKey(folder)
  const prefix = above.endsWith('/') ? above : `${above}/`
  return key.startsWith(prefix) && key.length > prefix.length && !PARENT_SEGMENT.test(key)
}

function localKey(path: string): string {
  if (!FOLDED_SEGMENT.test(path)) return `file://${path}`
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.')
  return `file:///${segments.join('/')}`
}
