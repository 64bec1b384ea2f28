import { CatalogError } from '../../core/errors.ts'
import type { BucketPlace } from '../bucket/bucket-location.ts'
import type { UsableFolder } from '../bucket/folder-rights.ts'
import type { StoreRequest } from '../object-vending.ts'
import { quoted } from '../store-errors.ts'
import { S3_LOCATIONS } from './s3-store.ts'
import { parseStoreUrl, type StoreUrl } from './s3-store-url.ts'

/** A request that may be signed; its headers in lower case, without those that signing makes. */
export interface ParsedRequest {
  readonly method: string
  readonly url: StoreUrl
  readonly headers: ReadonlyMap<string, string>
}

export interface SigningScope {
  readonly folders: readonly UsableFolder[]
  /** AWS itself without. */
  readonly endpoint: string | undefined
}

const HEADERS_MAX = 100
const HEADER_LENGTH_MAX = 8_192
const REGION = /^[a-z0-9-]{1,64}$/
const HASHES = /^(?:UNSIGNED-PAYLOAD|STREAMING-UNSIGNED-PAYLOAD-TRAILER|[0-9a-f]{64})$/
/** Made by whoever signs. */
const OWN_HEADERS = new Set(['authorization', 'x-amz-date', 'x-amz-security-token', 'host'])
/** What writers say of the bytes and how they are kept: no rights, no other objects. */
const PLAIN_HEADER = new RegExp(
  '^x-amz-(?:content-sha256|checksum-[a-z0-9-]+|sdk-checksum-algorithm|trailer|object-size|' +
    'decoded-content-length|server-side-encryption[a-z-]*|storage-class|meta-[a-z0-9_.-]+|' +
    'request-payer|expected-bucket-owner|metadata-directive|copy-source(?:-if-[a-z-]+|-range)?|' +
    'mp-object-size|if-match-[a-z-]+|user-agent|te)$',
)

/** Parameters of requests for one object, by method; everything else is another operation. */
const OF_OBJECT: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [
    'GET',
    new Set([
      ...['partNumber', 'versionId', 'uploadId', 'max-parts', 'part-number-marker', 'x-id'],
      ...['response-content-type', 'response-content-disposition', 'response-cache-control'],
    ]),
  ],
  ['HEAD', new Set(['partNumber', 'versionId', 'x-id'])],
  ['PUT', new Set(['partNumber', 'uploadId', 'x-id'])],
  ['POST', new Set(['uploads', 'uploadId', 'x-id'])],
  ['DELETE', new Set(['uploadId', 'x-id'])],
])
const OF_LIST = new Set([
  ...['list-type', 'prefix', 'delimiter', 'max-keys', 'continuation-token', 'start-after'],
  ...['encoding-type', 'fetch-owner', 'marker', 'x-id'],
])

/** Throws `signature-refused` unless the request stays below the folders. */
export function requireSignable(request: StoreRequest, scope: SigningScope): ParsedRequest {
  const { method, region } = request
  if (!REGION.test(region)) throw refused(`${quoted(region)} is no region`)
  const url = parseStoreUrl(request.uri, scope.endpoint)
  if (typeof url === 'string') throw refused(url)
  const headers = readHeaders(request.headers, { ...scope, bucket: url.bucket })
  const parsed = { method, url, headers }
  if (url.key !== '') {
    requireObject(parsed, scope)
    return parsed
  }
  if (method === 'GET') {
    requireList(parsed, scope)
    return parsed
  }
  if (method === 'POST') {
    // Which objects it deletes stands in its body, and not every store checks the body's hash:
    // whoever may delete one object could delete all of the bucket.
    throw refused('objects are to be deleted one by one, by DELETE')
  }
  throw refused(`${quoted(method)} of a whole bucket is none of an engine's requests`)
}

function requireObject({ method, url }: ParsedRequest, scope: SigningScope): void {
  const allowed = OF_OBJECT.get(method)
  if (allowed === undefined) throw refused(`${quoted(method)} is none of an engine's methods`)
  requireParameters(url, allowed)
  const names = Object.keys(url.query)
  if (method === 'POST' && !names.includes('uploads') && !names.includes('uploadId')) {
    throw refused('a POST of an object begins or ends an upload in parts')
  }
  requireInside(url, scope, method === 'GET' || method === 'HEAD' ? 'read' : 'write')
}

function requireList({ url }: ParsedRequest, { folders }: SigningScope): void {
  requireParameters(url, OF_LIST)
  const prefix = url.query['prefix'] ?? ''
  const isInside = folders.some(({ place: { bucket, key } }) => {
    return bucket === url.bucket && prefix.startsWith(key === '' ? '' : `${key}/`)
  })
  if (!isInside) throw refused(`the prefix ${quoted(prefix)} is not below the table's folder`)
  // A store that keeps its objects as files could climb.
  const fault = prefix === '' ? undefined : faultOf({ bucket: url.bucket, key: unended(prefix) })
  if (fault !== undefined) throw refused(fault)
}

/** Without the slash at its end, if it has one. */
function unended(prefix: string): string {
  return prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
}

function requireParameters({ query }: StoreUrl, allowed: ReadonlySet<string>): void {
  const other = Object.keys(query).find((name) => !allowed.has(name))
  if (other !== undefined) throw refused(`the parameter ${quoted(other)} is not signed`)
}

function requireInside(
  { bucket, key }: BucketPlace,
  { folders }: SigningScope,
  right: UsableFolder['right'],
): void {
  const fault = faultOf({ bucket, key })
  if (fault !== undefined) throw refused(fault)
  const folder = folders.find(({ place }) => {
    return place.bucket === bucket && (place.key === '' || key.startsWith(`${place.key}/`))
  })
  if (folder === undefined) throw refused(`${quoted(key)} is not below the table's folder`)
  if (right === 'write' && folder.right === 'read') {
    throw refused(`${quoted(key)} is in a folder that is only read`)
  }
}

/** As strict as for the service's own files: none has two names. */
function faultOf({ bucket, key }: BucketPlace): string | undefined {
  try {
    S3_LOCATIONS.placeOfObject(`s3://${bucket}/${key}`)
    return undefined
  } catch (error) {
    return error instanceof CatalogError ? error.message : String(error)
  }
}

function readHeaders(
  given: StoreRequest['headers'],
  scope: SigningScope & { readonly bucket: string },
): ReadonlyMap<string, string> {
  const entries = Object.entries(given)
  if (entries.length > HEADERS_MAX) throw refused(`it has more than ${HEADERS_MAX} headers`)
  const headers = new Map<string, string>()
  for (const [name, values] of entries) {
    const key = name.toLowerCase()
    const value = values.join(', ')
    if (value.length > HEADER_LENGTH_MAX) throw refused(`the header ${quoted(name)} is too long`)
    if (headers.has(key)) throw refused(`the header ${quoted(name)} is there twice`)
    if (OWN_HEADERS.has(key)) continue
    if (key.startsWith('x-amz-') && !PLAIN_HEADER.test(key)) {
      throw refused(`the header ${quoted(name)} is not signed`)
    }
    headers.set(key, value)
  }
  const hash = headers.get('x-amz-content-sha256')
  if (hash !== undefined && !HASHES.test(hash)) throw refused('its payload cannot be signed so')
  requireOwnSource(headers.get('x-amz-copy-source'), scope)
  return headers
}

/** A copy reads its source with the rights of whoever signs. */
function requireOwnSource(source: string | undefined, scope: SigningScope): void {
  if (source === undefined) return
  const [, bucket = '', encoded = ''] = /^\/?([^/?]+)\/([^?]+)$/.exec(source) ?? []
  try {
    requireInside({ bucket, key: decodeURIComponent(encoded) }, scope, 'read')
  } catch (error) {
    throw error instanceof CatalogError ? error : refused('its copy source is no valid encoding')
  }
}

function refused(reason: string): CatalogError {
  return new CatalogError(
    'signature-refused',
    `This request to the store is not signed: ${reason}.`,
    {
      facts: { reason },
    },
  )
}
