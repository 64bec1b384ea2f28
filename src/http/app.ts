import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import express, {
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from 'express'
import helmet from 'helmet'
import type { Logger } from 'pino'
import { ProblemError } from '../problem/problems.ts'
import { ALLOWS_ALL, type Authorizer } from './authorizer.ts'
import { registerRoutes, routeOf, sendFailure } from './dispatch.ts'
import { DOCS_STYLE_HASH } from './docs-style.ts'
import { guardRequest } from './guards.ts'
import type { Metrics } from './metrics.ts'
import { requestLog } from './request-log.ts'
import type { Route } from './route.ts'

/** As nginx calls it: the client did not wait for the whole answer. */
const CLIENT_GONE = 499

export interface AppOptions {
  readonly routes: readonly Route[]
  /** Other protocols, each below a root of its own; they pass on what is not theirs. */
  readonly dialects?: readonly RequestHandler[]
  readonly metrics: Metrics
  readonly log: Logger
  /** Allows everything when absent. */
  readonly authorizer?: Authorizer
  /**
   * Makes a route that should have asked for a permission and has not answer 500, instead of only a line in the log.
   * Tests set it.
   */
  readonly isPermissionEnforced?: boolean
}

/** The whole HTTP face of the service, as a request listener. */
export function createApp({
  routes,
  dialects = [],
  metrics,
  log,
  authorizer = ALLOWS_ALL,
  isPermissionEnforced = false,
}: AppOptions): express.Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', false)
  app.enable('case sensitive routing')
  app.use(requestLog(log))
  app.use(measureRequests(metrics))
  app.use(securityHeaders())
  for (const dialect of dialects) app.use(dialect)
  app.use((request: Request, _response: Response, next: NextFunction) => {
    guardRequest(request)
    next()
  })
  registerRoutes(app, routes, {
    authorizer,
    unasked: isPermissionEnforced ? refuseUnasked : logUnasked,
  })
  app.use((request: Request) => {
    throw new ProblemError('route-not-found', `there is nothing at ${request.path.slice(0, 200)}`, {
      facts: { docs: '/docs' },
    })
  })
  // Express knows an error handler by its four parameters.
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    sendFailure(request, response, error)
  })
  return app
}

function refuseUnasked({ operationId }: Route): never {
  throw new Error(`${operationId} has answered without asking for a permission`)
}

function logUnasked({ operationId }: Route, request: IncomingMessage): void {
  request.log.error({ operationId }, 'a route has answered without asking for a permission')
}

function measureRequests(metrics: Metrics) {
  return (request: Request, response: Response, next: NextFunction) => {
    const startedAt = performance.now()
    response.once('close', () => {
      metrics.requestEnded({
        method: request.method,
        route: routeOf(response) ?? 'none',
        status: response.writableFinished ? response.statusCode : CLIENT_GONE,
        seconds: (performance.now() - startedAt) / 1000,
      })
    })
    next()
  }
}

/**
 * Nothing but the style of /docs may run or load; transport security is the business of what ends TLS. Helmet's
 * choice is the same for every answer, so it is asked once.
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
