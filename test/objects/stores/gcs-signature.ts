import { createHash, createVerify } from 'node:crypto'

const LIFE_SECONDS_MAX = 7 * 24 * 3_600
/** Clocks may differ by so much. */
const SKEW_MS_MAX = 15 * 60_000

/** Whom the store knows: keys in PEM by the address of the service account. */
export type PublicKeys = ReadonlyMap<string, string>

export interface SignedRequest {
  readonly method: string
  /** Path and query, as they stand in the request line. */
  readonly target: string
  /** As the client has sent it. */
  readonly host: string
  readonly nowMs: number
}

/** Whether a request says that it is signed. */
export function isSigned(target: string): boolean {
  return /[?&]X-Goog-Signature=/i.test(target)
}

/**
 * What is wrong with a V4 signature (GOOG4-RSA-SHA256) of a link; `undefined` if nothing is. A link
 * for GET is one for HEAD, too ("Signatures", "Canonical requests" of Google's documents).
 */
export function findSignatureFault(request: SignedRequest, keys: PublicKeys): string | undefined {
  const url = new URL(request.target, 'http://store')
  const told = (name: string) => url.searchParams.get(`X-Goog-${name}`) ?? ''
  if (told('Algorithm') !== 'GOOG4-RSA-SHA256') return 'the algorithm is another'
  const [email = '', ...scope] = told('Credential').split('/')
  const key = keys.get(email)
  if (key === undefined) return `nobody is called ${email}`
  const date = told('Date')
  if (scope.join('/') !== `${date.slice(0, 8)}/auto/storage/goog4_request`) {
    return 'the scope is another'
  }
  const lifeSeconds = Number(told('Expires'))
  if (!(lifeSeconds >= 1 && lifeSeconds <= LIFE_SECONDS_MAX)) return 'the life is out of range'
  const fromMs = instantOf(date)
  if (!(fromMs <= request.nowMs + SKEW_MS_MAX)) return 'it is not valid yet'
  if (request.nowMs > fromMs + lifeSeconds * 1_000) return 'it has expired'
  const headers = told('SignedHeaders')
  if (headers !== 'host') return `headers are signed that no link has: ${headers}`
  const signature = Buffer.from(told('Signature'), 'hex')
  const methods = request.method === 'HEAD' ? ['HEAD', 'GET'] : [request.method]
  const isValid = methods.some((method) => {
    const text = canonicalRequest(request, url, method)
    const hash = createHash('sha256').update(text).digest('hex')
    const toSign = ['GOOG4-RSA-SHA256', date, scope.join('/'), hash].join('\n')
    return createVerify('RSA-SHA256').update(toSign).verify(key, signature)
  })
  return isValid ? undefined : 'the signature does not match the request'
}

function canonicalRequest({ host }: SignedRequest, url: URL, method: string): string {
  const query = [...url.searchParams]
    .filter(([name]) => name.toLowerCase() !== 'x-goog-signature')
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
  const path = decodeURIComponent(url.pathname).split('/').map(encoded).join('/')
  const name = host.replace(/:\d+$/, '')
  return [method, path, query.join('&'), `host:${name}\n`, 'host', 'UNSIGNED-PAYLOAD'].join('\n')
}

function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  })
}

/** From `20261128T190000Z`. */
function instantOf(date: string): number {
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}
