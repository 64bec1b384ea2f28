import type { IncomingMessage } from 'node:http'
import type { Application, Request, Response } from 'express'
import { z } from 'zod'
import { ProblemError } from '../problem/problems.ts'
import { ANONYMOUS, type Authorizer } from './authorizer.ts'
import { bodyChunks, drain, hasBody, mediaTypeOf, readJsonBody } from './json-body.ts'
import { CallPermissions, targetOf } from './permission.ts'
import { requestInvalid, sendProblem, zodErrors } from './problem.ts'
import { parseQuery } from './query.ts'
import { JSON_MEDIA_TYPE, sendReply } from './reply.ts'
import { type Call, inMatchingOrder, type Route } from './route.ts'

/** One for all: to make an error for each answer would cost more than many answers. */
const CLOSED = new Error('the answer is closed')
const NO_PARAMETERS = z.strictObject({})

/** What stands between a request and its handler. */
export interface Gate {
  readonly authorizer: Authorizer
  /** Called when a route has answered that should have called `authorize` and has not. */
  unasked(route: Route, request: IncomingMessage): void
}

/** Serves every route; on a known path other methods are refused by name. */
export function registerRoutes(app: Application, routes: readonly Route[], gate: Gate): void {
  for (const path of new Set(inMatchingOrder(routes).map((route) => route.path))) {
    const ofPath = routes.filter((route) => route.path === path)
    const methods = ofPath.map((route) => route.method)
    const allow = [...methods, ...(methods.includes('get') ? ['head'] : [])]
      .join(', ')
      .toUpperCase()
    const registered = app.route(expressPath(path)).all((_request, response, next) => {
      response.locals['route'] = path
      next()
    })
    for (const route of ofPath) registered[route.method](serve(route, gate))
    registered.all((request, response) => {
      response.setHeader('Allow', allow)
      throw new ProblemError('method-not-allowed', `${request.method} is not served here`, {
        facts: { method: request.method, allowed: allow.split(', ') },
      })
    })
  }
}

/** The pattern that the request matched. Kept apart: Express forgets it when a handler fails. */
export function routeOf(response: Response): string | undefined {
  return response.locals['route'] as string | undefined
}

/** `/v1/tables/{table_identifier}` as Express spells it. */
export function expressPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1')
}

/** A problem document if nothing was sent yet; else the connection is reset, so that nothing half looks whole. */
export function sendFailure(request: Request, response: Response, error: unknown): void {
  if (response.destroyed) return
  if (response.headersSent) {
    request.log.error({ err: error }, 'an answer failed half-way')
    request.socket.resetAndDestroy()
    return
  }
  for (const name of ['Content-Type', 'Content-Length', 'Location']) response.removeHeader(name)
  sendProblem(request, response, error)
  drain(request)
}

function serve(route: Route, gate: Gate) {
  return async (request: Request, response: Response): Promise<void> => {
    try {
      const permissions = new CallPermissions(gate.authorizer, ANONYMOUS)
      const call = await checkedCall(route, permissions, request, response)
      const reply = await route.handle(call as never)
      const isUnasked = route.permission === 'in-use-case' && !permissions.hasAsked
      if (isUnasked) gate.unasked(route, request)
      await sendReply(request, response, reply)
    } catch (error) {
      sendFailure(request, response, error)
    }
  }
}

function closingOf(response: Response): AbortSignal {
  const controller = new AbortController()
  if (response.closed || response.destroyed) controller.abort(CLOSED)
  response.once('close', () => controller.abort(CLOSED))
  return controller.signal
}

async function checkedCall(
  route: Route,
  permissions: CallPermissions,
  request: Request,
  response: Response,
): Promise<Call<unknown, unknown>> {
  const query = parseQuery(request, route.query ?? NO_PARAMETERS)
  const param = (name: string) => String(request.params[name])
  if (typeof route.permission === 'object') {
    const target = targetOf(route.permission, { query, param })
    const decided = permissions.require(route.permission.privilege, target)
    if (decided !== undefined) await decided
  }
  if (route.body !== undefined && hasBody(request)) requireMediaType(route, request)
  const isUpload = route.uploads?.includes(mediaTypeOf(request) ?? '') === true
  let closed: AbortSignal | undefined
  return {
    request,
    principal: permissions.principal,
    // Few look at it, and a signal for each request costs as much as its routing.
    get closed() {
      closed ??= closingOf(response)
      return closed
    },
    query,
    body: isUpload ? undefined : await parseBody(route, request),
    upload: isUpload ? bodyChunks(request) : undefined,
    param,
    accepts: (mediaTypes) => request.accepts([...mediaTypes]) || undefined,
    authorize: (privilege, targets) => permissions.requireAll(privilege, targets),
  }
}

function requireMediaType(route: Route, request: Request): void {
  const mediaType = mediaTypeOf(request) ?? 'none'
  const encoding = request.headers['content-encoding'] ?? 'identity'
  const supported = [JSON_MEDIA_TYPE, ...(route.uploads ?? [])]
  const isSupported = supported.includes(mediaType) || mediaType.endsWith('+json')
  if (isSupported && encoding === 'identity') return
  const given = (isSupported ? encoding : mediaType).slice(0, 100)
  throw new ProblemError(
    'media-type-unsupported',
    `${given} is not taken here: send ${supported.join(' or ')}, without Content-Encoding`,
    { facts: { given, supported } },
  )
}

async function parseBody(route: Route, request: Request): Promise<unknown> {
  if (route.body === undefined) return undefined
  const json = await readJsonBody(request)
  if (json === undefined && route.isBodyOptional !== true) {
    throw new ProblemError('body-invalid', 'a JSON body is needed, and this one is empty')
  }
  const parsed = route.body.safeParse(json ?? {})
  if (!parsed.success) throw requestInvalid(zodErrors(parsed.error, 'body'))
  return parsed.data
}
