import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { NextFunction } from 'express'
import type { Logger } from 'pino'
import { withoutCredentials } from '../core/access/url-credentials.ts'

declare module 'node:http' {
  interface IncomingMessage {
    /** The client's own request id, or a generated one. */
    id: string
    log: RequestLog
    /** Address of the client, behind proxies that are trusted; `undefined` once it is gone. */
    clientAddress: string | undefined
  }
}

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/
const URL_LENGTH_MAX = 2_000
/** Polled by machines every few seconds, so logged only at level debug. */
const QUIET = /^\/(?:health|ready|metrics)(?:\?|$)/

/**
 * Logs with the id of one request. A child logger for each request would cost more than routing it.
 */
class RequestLog {
  readonly #log: Logger
  readonly #requestId: string

  constructor(log: Logger, requestId: string) {
    this.#log = log
    this.#requestId = requestId
  }

  warn(facts: object, message: string): void {
    this.#log.warn({ reqId: this.#requestId, ...facts }, message)
  }

  error(facts: object, message: string): void {
    this.#log.error({ reqId: this.#requestId, ...facts }, message)
  }
}

/**
 * Logs one line for each request, when it was answered or the client disconnected. Neither headers
 * nor bodies are logged.
 */
export function requestLog(
  log: Logger,
  addressOf = (request: IncomingMessage) => request.socket.remoteAddress,
) {
  return (request: IncomingMessage, response: ServerResponse, next: NextFunction): void => {
    const startedAt = performance.now()
    const remoteAddress = addressOf(request)
    request.id = requestId(request)
    request.clientAddress = remoteAddress
    request.log = new RequestLog(log, request.id)
    response.setHeader('X-Request-Id', request.id)
    // Unheard, the event would end the process.
    response.on('error', (err) => request.log.error({ err }, 'an answer could not be written'))
    response.once('close', () => {
      const { statusCode } = response
      const line = {
        reqId: request.id,
        req: {
          method: request.method,
          url: withoutCredentials(requestUrl(request)).slice(0, URL_LENGTH_MAX),
          remoteAddress,
          userAgent: request.headers['user-agent']?.slice(0, URL_LENGTH_MAX),
        },
        res: { statusCode },
        responseTime: Math.round(performance.now() - startedAt),
      }
      if (statusCode >= 500) log.error(line, 'request failed')
      else log[quietLevel(request)](line, endOf(response))
    })
    next()
  }
}

function quietLevel(request: IncomingMessage): 'debug' | 'info' {
  return QUIET.test(requestUrl(request)) ? 'debug' : 'info'
}

function endOf(response: ServerResponse): string {
  return response.writableFinished ? 'request completed' : 'request aborted'
}

/** The URL as the client sent it; Express shortens `url` while it routes. */
export function requestUrl(request: IncomingMessage): string {
  return (request as { originalUrl?: string }).originalUrl ?? request.url ?? ''
}

const ABSOLUTE_FORM = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i

/**
 * Path and query of the request, still encoded. Clients of proxies may send whole URLs (RFC 9112,
 * section 3.2.2), and a fragment is not for the server.
 */
export function requestTarget(request: IncomingMessage): string {
  const url = requestUrl(request)
  if (url.startsWith('/') && !url.includes('#')) return url
  const target = url.replace(ABSOLUTE_FORM, '').replace(/#.*$/s, '')
  return target === '' || target.startsWith('?') ? `/${target}` : target
}

function requestId({ headers }: IncomingMessage): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID()
}
