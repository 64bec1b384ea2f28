import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import express, { type NextFunction, type Request, type Response } from 'express'
import helmet from 'helmet'
import type { Logger } from 'pino'
import { type Authenticator, KNOWS_NOBODY } from '../authenticator.ts'
import { ALLOWS_ALL, type Authorizer } from '../authorizer.ts'
import { BodyMemory } from '../body/body-memory.ts'
import type { Dialect } from '../dialect.ts'
import { DOCS_STYLE_HASH } from '../docs-style.ts'
import { AnswerOnce, type AnswerOnceOptions } from '../idempotency/answer-once.ts'
import { gaugeOf, type Meter, type Metrics } from '../metrics.ts'
import { requestLog } from '../request-log.ts'
import type { Route } from '../route.ts'
import { Guard, LOOPBACK_ONLY, type SiteOptions } from './guards.ts'
import { routeOf, serveDialects } from './pipeline.ts'
import { PublicPath } from './public-path.ts'
import { endedRequest, type RequestNotes } from './request-notes.ts'
import { TrustedProxies } from './trusted-proxies.ts'

/** nginx's code: the client disconnected before the end of the response. */
const CLIENT_GONE = 499
const BODY_BYTES_MAX = 256 * 1024 * 1024

export interface AppOptions {
  /** One of them gets every path that no other has. */
  readonly dialects: readonly Dialect[]
  /** For requests with an `Idempotency-Key`. */
  readonly answersOnce: AnswerOnceOptions
  readonly metrics: Metrics
  readonly log: Logger
  /** Bytes of all request bodies in memory together; 256 MiB if absent. */
  readonly bodyBytesMax?: number
  /** If absent, the service is known by addresses and as `localhost`. */
  readonly sites?: SiteOptions
  /** Where clients see the service, if it is behind a proxy. */
  readonly publicUrl?: string | undefined
  /** Proxies whose `X-Forwarded-For` is believed; none if absent. */
  readonly trustedProxies?: readonly string[]
  /** Who keeps a record of requests; nobody if absent. */
  readonly notes?: RequestNotes
  /** If absent, every caller is anonymous. */
  readonly authenticator?: Authenticator
  /** If absent, everything is allowed. */
  readonly authorizer?: Authorizer
  /**
   * Responds 500 if a route has not checked a permission although it should have, instead of only
   * logging it. Set in tests.
   */
  readonly isPermissionEnforced?: boolean
}

/** The whole HTTP API of the service, as a request listener. */
export function createApp({
  dialects,
  answersOnce,
  metrics,
  log,
  bodyBytesMax = BODY_BYTES_MAX,
  sites = LOOPBACK_ONLY,
  publicUrl,
  trustedProxies = [],
  notes,
  authenticator = KNOWS_NOBODY,
  authorizer = ALLOWS_ALL,
  isPermissionEnforced = false,
}: AppOptions): express.Express {
  const bodyMemory = new BodyMemory(bodyBytesMax)
  metrics.register([bodyMeter(bodyMemory)])
  const publicPath = new PublicPath(publicUrl)
  const proxies = new TrustedProxies(trustedProxies)
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', false)
  app.enable('case sensitive routing')
  app.use(publicPath.strip(dialects))
  app.use(requestLog(log, (request) => proxies.clientOf(request)))
  app.use(measureRequests(metrics, notes))
  app.use(securityHeaders())
  app.use(
    serveDialects(dialects, {
      guard: new Guard(sites),
      publicPath,
      authenticator,
      authorizer,
      bodyMemory,
      unasked: isPermissionEnforced ? refuseUnasked : logUnasked,
      once: new AnswerOnce(answersOnce),
    }),
  )
  return app
}

function bodyMeter(memory: BodyMemory): Meter {
  const help = 'Bytes of request bodies in memory.'
  return gaugeOf('moraine_request_body_bytes', help, () => memory.heldBytes)
}

function refuseUnasked({ operationId }: Route): never {
  throw new Error(`${operationId} has responded without checking a permission`)
}

function logUnasked({ operationId }: Route, request: IncomingMessage): void {
  request.log.error({ operationId }, 'a route has responded without checking a permission')
}

function measureRequests(metrics: Metrics, notes: RequestNotes | undefined) {
  return (request: Request, response: Response, next: NextFunction) => {
    const startedAt = performance.now()
    response.once('close', () => {
      metrics.requestEnded({
        method: request.method,
        route: routeOf(response) ?? 'none',
        status: response.writableFinished ? response.statusCode : CLIENT_GONE,
        seconds: (performance.now() - startedAt) / 1000,
      })
      notes?.ended(endedRequest(request, response))
    })
    next()
  }
}

/**
 * Nothing but the style of /docs may run or load; transport security is left to the TLS proxy.
 * Helmet's headers are the same for every response, so they are computed once.
 */
function securityHeaders() {
  const sample = new ServerResponse(new IncomingMessage(new Socket()))
  chooseHeaders(sample.req, sample, () => undefined)
  const headers = Object.entries(sample.getHeaders())
  return (_request: Request, response: Response, next: NextFunction) => {
    for (const [name, value] of headers) if (value !== undefined) response.setHeader(name, value)
    next()
  }
}

const chooseHeaders = helmet({
  strictTransportSecurity: false,
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      styleSrc: [`'sha256-${DOCS_STYLE_HASH}'`],
      imgSrc: ['data:'],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
})
