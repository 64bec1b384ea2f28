import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { credentialInUrl } from '../../core/access/url-credentials.ts'
import { ProblemError } from '../../problem/problems.ts'
import { requestInvalid } from '../problem.ts'
import { requestUrl } from '../request-log.ts'

const NUL = /\0|%00/
const READING = new Set(['GET', 'HEAD', 'OPTIONS'])
const SHOWN_LENGTH_MAX = 200
/** Host and port in a whole URL as request target (RFC 9112, section 3.2.2). */
const AUTHORITY = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i
const PORT = /:\d*$/

/** Which names the service has, and which pages may use it. */
export interface SiteOptions {
  /** Host names besides `localhost` and all IP addresses: in lower case, without a port. */
  readonly hosts: readonly string[]
  /** Origins whose pages count as pages of this service. */
  readonly origins: readonly string[]
}

export const LOOPBACK_ONLY: SiteOptions = { hosts: [], origins: [] }

/**
 * Refuses requests that no route accepts, above all those that a browser sends for a page of
 * another site: the service may be reachable only from its user's browser.
 */
export class Guard {
  readonly #hosts: ReadonlySet<string>
  readonly #origins: ReadonlySet<string>

  constructor({ hosts, origins }: SiteOptions) {
    this.#hosts = new Set(hosts)
    this.#origins = new Set(origins)
  }

  check(request: IncomingMessage): void {
    const url = requestUrl(request)
    if (NUL.test(url)) {
      throw requestInvalid([{ path: 'url', message: 'must not contain a NUL character' }])
    }
    const credential = credentialInUrl(url)
    if (credential !== undefined) throw inUrl(credential.parameter)
    const authority = authorityOf(request)
    if (authority === undefined && request.httpVersion !== '1.0') {
      throw requestInvalid([{ path: 'Host', message: 'is missing' }])
    }
    if (authority !== undefined && !this.#isOwnHost(authority)) throw hostNotAllowed(authority)
    if (!READING.has(request.method ?? '') && this.#isWriteOfOtherSite(request, authority)) {
      throw originNotAllowed(
        'pages of other sites must not send requests that change data',
        request,
      )
    }
  }

  /** The origin whose pages are let in by a setting; `undefined` if there is none. */
  allowedOrigin({ headers: { origin } }: IncomingMessage): string | undefined {
    return origin !== undefined && this.#origins.has(origin) ? origin : undefined
  }

  /**
   * Throws `origin-not-allowed` if a page of another site caused a request that starts work, such
   * as an image or a link. Browsers say so, but not over plain HTTP to other machines (Fetch
   * Metadata, section 2): there the page is told by `Origin` or `Referer`, if at all.
   */
  requireOwnSite(request: IncomingMessage): void {
    const { headers } = request
    const { origin, referer = '', 'sec-fetch-site': site } = headers
    const page = origin ?? (URL.canParse(referer) ? new URL(referer).origin : undefined)
    const isOther = site === 'cross-site' || (site === undefined && this.#isOther(request, page))
    if (!isOther || (page !== undefined && this.#origins.has(page))) return
    const message = 'pages of other sites must not start work here: open the address itself'
    throw originNotAllowed(message, request)
  }

  /** A proxy may have asked by another name than the page. */
  #isOther(request: IncomingMessage, page: string | undefined): boolean {
    if (page === undefined) return false
    if (!URL.canParse(page)) return true
    const { host, hostname } = new URL(page)
    return host !== authorityOf(request)?.toLowerCase() && !this.#hosts.has(hostname)
  }

  /**
   * A page of another site may give its own name our address (DNS rebinding), but then its requests
   * carry that name. Addresses cannot be given away so.
   */
  #isOwnHost(authority: string): boolean {
    const host = authority.replace(PORT, '').toLowerCase()
    const name = host.endsWith('.') ? host.slice(0, -1) : host
    if (name === 'localhost' || name.endsWith('.localhost') || this.#hosts.has(name)) return true
    return isIP(name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name) !== 0
  }

  /** Browsers send some POST requests of other sites without asking; others send no Origin. */
  #isWriteOfOtherSite({ headers }: IncomingMessage, authority: string | undefined): boolean {
    const { origin } = headers
    if (origin === undefined) return headers['sec-fetch-site'] === 'cross-site'
    if (this.#origins.has(origin)) return false
    return !URL.canParse(origin) || new URL(origin).host !== authority?.toLowerCase()
  }
}

/** Host and port that the client asked for; HTTP/1.0 may leave them out. */
function authorityOf(request: IncomingMessage): string | undefined {
  return AUTHORITY.exec(requestUrl(request))?.[1] ?? request.headers.host
}

function inUrl(parameter: string | undefined): ProblemError {
  const place = parameter === undefined ? 'a key or token' : `a parameter ${parameter}`
  const detail =
    `The URL has ${place}: send the key or token as \`Authorization: Bearer <key>\`, and revoke ` +
    'this one, as URLs are kept in logs and histories'
  return new ProblemError('credential-in-url', detail, {
    facts: parameter === undefined ? {} : { parameter },
  })
}

function hostNotAllowed(authority: string): ProblemError {
  const host = authority.slice(0, SHOWN_LENGTH_MAX)
  return new ProblemError(
    'host-not-allowed',
    `this service is not known as ${JSON.stringify(host)}: use its address, or let the operator ` +
      'add the name to MORAINE_ALLOWED_HOSTS',
    { facts: { host, setting: 'MORAINE_ALLOWED_HOSTS' } },
  )
}

function originNotAllowed(message: string, { headers }: IncomingMessage): ProblemError {
  return new ProblemError('origin-not-allowed', message, {
    facts: {
      origin: headers.origin?.slice(0, SHOWN_LENGTH_MAX),
      setting: 'MORAINE_ALLOWED_ORIGINS',
    },
  })
}
