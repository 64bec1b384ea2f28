import { quoted } from '../store-errors.ts'

/** An address in a store, taken apart so that it can be read in one way only. */
export interface StoreUrl {
  readonly bucket: string
  /** Decoded; empty for the bucket itself. */
  readonly key: string
  readonly protocol: 'http:' | 'https:'
  readonly hostname: string
  readonly port: number | undefined
  /** As in the Host header. */
  readonly host: string
  /** The path as it is signed and sent. */
  readonly path: string
  /** Decoded. */
  readonly query: Readonly<Record<string, string>>
  /** The address to send the request to: the same, in the spelling that was signed. */
  readonly text: string
}

const LENGTH_MAX = 8_192
const URL_PARTS = /^(https?):\/\/([a-z0-9.-]+)(?::(\d{1,5}))?(\/[^?#]*)?(?:\?([^#]*))?$/i
const ADDRESS_CHARACTERS = /^[\x21-\x7e]*$/
const AWS_REGION = '[.-](?:fips[.-])?(?:dualstack\\.)?[a-z]{2}(?:-[a-z]+)+-\\d+'
const AWS_HOST = new RegExp(`^(?:(.+)\\.)?s3(?:${AWS_REGION})?\\.amazonaws\\.com(?:\\.cn)?$`)
const DEFAULT_PORTS = { http: 80, https: 443 } as const

/** What is wrong with it as a sentence without its dot, or its parts. */
export function parseStoreUrl(text: string, endpoint: string | undefined): StoreUrl | string {
  if (text.length > LENGTH_MAX) return 'its address is too long'
  const parts = ADDRESS_CHARACTERS.test(text) ? URL_PARTS.exec(text) : null
  if (parts === null) return `${quoted(text.split('?')[0] ?? '')} is no address of an object`
  const [, scheme = '', name = '', given, rawPath = '/', rawQuery = ''] = parts
  const protocol = scheme.toLowerCase() as 'http' | 'https'
  const hostname = name.toLowerCase()
  const defaultPort = DEFAULT_PORTS[protocol]
  const port = given === undefined || Number(given) === defaultPort ? undefined : Number(given)
  const path = decoded(rawPath)
  const query = readQuery(rawQuery)
  if (path === undefined || query === undefined) return 'its address is no valid encoding'
  const host = port === undefined ? hostname : `${hostname}:${port}`
  const place = placeOf(path, { origin: `${protocol}://${host}`, hostname, endpoint })
  if (place === undefined) return `${quoted(host)} is not the store of the table`
  const signedPath = path.split('/').map(encoded).join('/')
  const parameters = Object.entries(query).map(
    ([key, value]) => `${encoded(key)}=${encoded(value)}`,
  )
  const search = parameters.length === 0 ? '' : `?${parameters.join('&')}`
  return {
    ...place,
    ...{ protocol: `${protocol}:`, hostname, port, host, path: signedPath, query },
    text: `${protocol}://${host}${signedPath}${search}`,
  }
}

function placeOf(
  path: string,
  {
    origin,
    hostname,
    endpoint,
  }: { readonly origin: string; readonly hostname: string; readonly endpoint: string | undefined },
): { readonly bucket: string; readonly key: string } | undefined {
  const bucket = bucketOfHost(origin, hostname, endpoint)
  if (bucket === undefined) return undefined
  if (bucket !== '') return { bucket, key: path.slice(1) }
  const slash = path.indexOf('/', 1)
  if (slash === -1) return { bucket: path.slice(1), key: '' }
  return { bucket: path.slice(1, slash), key: path.slice(slash + 1) }
}

/** Empty if the bucket is in the path; `undefined` for another store. */
function bucketOfHost(
  origin: string,
  hostname: string,
  endpoint: string | undefined,
): string | undefined {
  if (endpoint === undefined) {
    const found = AWS_HOST.exec(hostname)
    const isSafe = origin === `https://${hostname}`
    return found === null || !isSafe ? undefined : (found[1] ?? '')
  }
  if (origin === endpoint) return ''
  const [start = '', rest = ''] = endpoint.split('://')
  const [begin, end] = [`${start}://`, `.${rest}`]
  const isBelow = origin.startsWith(begin) && origin.endsWith(end)
  return isBelow ? origin.slice(begin.length, -end.length) : undefined
}

/** Each name once. A plus means a space, as stores read it. */
function readQuery(text: string): Readonly<Record<string, string>> | undefined {
  const query: Record<string, string> = {}
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const sign = pair.indexOf('=')
    const parts = sign === -1 ? [pair, ''] : [pair.slice(0, sign), pair.slice(sign + 1)]
    const [name, value] = parts.map((part) => decoded(part.replaceAll('+', ' ')))
    if (name === undefined || value === undefined || Object.hasOwn(query, name)) return undefined
    if (name === '__proto__') return undefined
    query[name] = value
  }
  return query
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** As signatures of version 4 want it: everything but letters, digits and `-._~`. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  })
}
