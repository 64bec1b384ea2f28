import type { IncomingMessage } from 'node:http'
import type { Request, Response } from 'express'
import type { Dialect } from '../dialect.ts'
import type { Reply } from '../reply.ts'
import { requestUrl } from '../request-log.ts'

/** Headers whose paths a client resolves against the address of its request (RFC 9110). */
const RESOLVED: ReadonlySet<string> = new Set(['content-location', 'link', 'location'])
const AUTHORITY = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i

/**
 * The path below which a proxy serves the service: the only place that knows it. Headers get it.
 * Bodies do not: a path in them is to be appended to the address of the service, so that it means
 * the same on every way to it and in a stored response.
 */
export class PublicPath {
  /** Begins with a slash and ends without one; empty if there is no path. */
  readonly #prefix: string

  constructor(publicUrl: string | undefined) {
    this.#prefix = publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/$/, '')
  }

  /** The response as clients of the proxy need it. */
  seen(reply: Reply): Reply {
    if (this.#prefix === '' || reply.headers === undefined) return reply
    const headers = Object.entries(reply.headers).map(([name, value]) => [
      name,
      RESOLVED.has(name.toLowerCase()) ? this.#below(value) : value,
    ])
    return { ...reply, headers: Object.fromEntries(headers) }
  }

  /** `/docs`, or the targets of `</a>; rel="x", </b>; rel="y"`; other addresses stay. */
  #below(value: string): string {
    return value.replaceAll(/(^|<)\/(?!\/)/g, (_, before: string) => `${before}${this.#prefix}/`)
  }

  /**
   * Takes the path off requests that have it: of proxies that pass it on, and of clients that reach
   * the service directly and follow a redirect. Not if a route begins like it: then only the proxy
   * can know which of the two is meant.
   */
  strip(dialects: readonly Dialect[]) {
    const isRouted = firstSegments(dialects).has(firstSegment(this.#prefix))
    return (request: Request, _response: Response, next: () => void): void => {
      if (this.#prefix !== '' && !isRouted) this.#stripFrom(request)
      next()
    }
  }

  #stripFrom(request: IncomingMessage & { originalUrl?: string }): void {
    const url = requestUrl(request)
    const [authority = ''] = AUTHORITY.exec(url) ?? []
    const target = url.slice(authority.length)
    if (!target.startsWith(this.#prefix)) return
    const rest = target.slice(this.#prefix.length)
    if (rest !== '' && !'/?#'.includes(rest.charAt(0))) return
    request.originalUrl = authority + (rest.startsWith('/') ? rest : `/${rest}`)
    request.url = request.originalUrl
  }
}

function firstSegments(dialects: readonly Dialect[]): ReadonlySet<string> {
  const paths = dialects.flatMap(({ root, routes, paths: { served } }) =>
    routes.map(({ path }) => root + served(path)),
  )
  return new Set(paths.map(firstSegment))
}

function firstSegment(path: string): string {
  return path.split('/')[1] ?? ''
}
