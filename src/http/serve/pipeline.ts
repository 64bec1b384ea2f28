import { setMaxListeners } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Request, Response } from 'express'
import type { EventOrigin } from '../../core/event-origin.ts'
import { type AnswerKeeper, KEEPS_NOTHING } from '../../core/replay.ts'
import { ProblemError } from '../../problem/problems.ts'
import type { Authenticator } from '../authenticator.ts'
import { ANONYMOUS, type Authorizer, nameOfPrincipal } from '../authorizer.ts'
import { type BodyMemory, type BodyShare, SHORT_BODY_BYTES } from '../body/body-memory.ts'
import { isWaitingToSend, letSend, sentWhenRead } from '../body/continue.ts'
import { bodyChunks, drain, parseJsonBody, parseLongJsonBody, readBody } from '../body/json-body.ts'
import { mediaTypeOf } from '../body/media-type.ts'
import { requireNoContent } from '../body/no-content.ts'
import { uploadBlocks } from '../body/upload-blocks.ts'
import type { Dialect } from '../dialect.ts'
import type { AnswerOnce } from '../idempotency/answer-once.ts'
import { KeylessKeeper } from '../idempotency/keeper.ts'
import { keyOf, requestHash, uploadHash } from '../idempotency/keyed-request.ts'
import { type Reply, sendReply } from '../reply.ts'
import { requestTarget } from '../request-log.ts'
import { bodyLimitsOf, type Call, type KeptFacts, type Route } from '../route.ts'
import { CallPermissions, targetOf } from './call-permissions.ts'
import { isSurplus, requireConnection } from './connection-limit.ts'
import { preflightReply, shareWithOrigin } from './cross-origin.ts'
import type { Guard } from './guards.ts'
import { type Match, PathMatcher } from './path-matcher.ts'
import type { PublicPath } from './public-path.ts'
import { factsOf } from './request-notes.ts'

/** Shared, since making an error for each response would cost more than many responses. */
const CLOSED = new Error('the response is closed')
const NO_BODY = new Uint8Array()
/** RFC 9110, section 11.6.1: a 401 says how to sign in. */
const SIGN_IN_AGAIN: ReadonlySet<string> = new Set([
  'credential-missing',
  'credential-invalid',
  'credential-expired',
])

/** Checks between a request and its handler. */
export interface Gate {
  readonly guard: Guard
  readonly publicPath: PublicPath
  readonly authenticator: Authenticator
  readonly authorizer: Authorizer
  readonly bodyMemory: BodyMemory
  /** Called if a route has responded without calling `authorize` although it should have. */
  unasked(route: Route, request: IncomingMessage): void
  /** For requests with an `Idempotency-Key`. */
  readonly once: AnswerOnce
}

interface Face {
  readonly dialect: Dialect
  readonly matcher: PathMatcher
}

/** A request on its way to the handler, without its body. */
interface Arrival {
  readonly face: Face
  readonly match: Match
  readonly query: unknown
  readonly permissions: CallPermissions
  /** That the principal may not do this, unless it did so before, by the same key. */
  readonly refusal?: unknown
  readonly request: Request
  readonly response: Response
}

/** The parts of a call that exist only after the body was read. */
interface Handing {
  readonly body?: unknown
  readonly upload?: AsyncIterable<Uint8Array>
  readonly keeper: AnswerKeeper
}

/** Serves every dialect; everything that they have in common is written here once. */
export function serveDialects(dialects: readonly Dialect[], gate: Gate) {
  const faces = dialects
    .map((dialect) => ({ dialect, matcher: new PathMatcher(dialect) }))
    .sort((left, right) => right.dialect.root.length - left.dialect.root.length)
  return async (request: Request, response: Response): Promise<void> => {
    const url = requestTarget(request)
    const face = faces.find(({ dialect }) => isBelow(dialect.root, url))
    if (face === undefined) throw new Error('no dialect has the empty root')
    try {
      requireConnection(request)
      gate.guard.check(request)
      shareWithOrigin(gate.guard, request, response)
      const reply =
        preflightReply(gate.guard, request) ??
        (await answer(arrivalOf(face, request, response), gate))
      closeIfUnfinished(request, response)
      setStanding(response)
      await sendReply(request, response, gate.publicPath.seen(reply))
      drain(request)
    } catch (error) {
      sendFailure(face.dialect, gate.publicPath, { request, response, error })
    }
  }
}

function isBelow(root: string, url: string): boolean {
  return url.startsWith(root) && (root === '' || '/?'.includes(url.charAt(root.length)))
}

/** The pattern that the request matched, including the root. */
export function routeOf(response: Response): string | undefined {
  return response.locals['route'] as string | undefined
}

function arrivalOf(face: Face, request: Request, response: Response): Omit<Arrival, 'permissions'> {
  const { dialect, matcher } = face
  const url = requestTarget(request)
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const match = matcher.match(request.method, path.slice(dialect.root.length), (pattern) => {
    response.locals['route'] = dialect.root + pattern
  })
  // Until it is known who calls, it is somebody at this address.
  standFor(match.route, { request, response, principal: ANONYMOUS })
  const query = dialect.readQuery(mark < 0 ? '' : url.slice(mark + 1), match.route)
  return { face, match, query, request, response }
}

async function answer(arrived: Omit<Arrival, 'permissions'>, gate: Gate): Promise<Reply> {
  const { route } = arrived.match
  const facts = factsOf(arrived.response)
  facts.route = route
  const caller =
    route.permission === 'public' ? ANONYMOUS : gate.authenticator.authenticate(arrived.request)
  const principal = caller instanceof Promise ? await caller : caller
  const permissions = new CallPermissions(gate.authorizer, principal)
  standFor(route, { principal, request: arrived.request, response: arrived.response })
  facts.principal = principal
  facts.permissions = permissions
  let arrival: Arrival = { ...arrived, permissions }
  const isUpload = route.uploads?.includes(mediaTypeOf(arrived.request) ?? '') === true
  if (typeof route.permission === 'object') {
    const target = targetOf(route.permission, { ...arrived, param: arrived.match.param })
    try {
      const { privilege, rows } = route.permission
      const decided = permissions.require(privilege, target, rows)
      if (decided !== undefined) await decided
    } catch (refusal) {
      if (isUpload || principal.kind === 'anonymous' || keyFor(arrival) === undefined) throw refusal
      arrival = { ...arrival, refusal }
    }
  }
  return isUpload ? answerUpload(arrival, gate) : answerRead(arrival, gate)
}

async function answerUpload(arrival: Arrival, gate: Gate): Promise<Reply> {
  arrival.face.dialect.bodies.isRead(arrival.match.route, arrival.request)
  const share = gate.bodyMemory.share()
  try {
    return await answerChunks(arrival, gate, share)
  } finally {
    share.release()
  }
}

/** The body takes memory until the answer is known. */
async function answerRead(arrival: Arrival, gate: Gate): Promise<Reply> {
  const { request, response, match, face } = arrival
  const { bodies } = face.dialect
  const onStart = () => letSend(request, response)
  if (!bodies.isRead(match.route, request)) {
    const judged = bodies.unread === 'refused' ? requireNoContent(request, onStart) : undefined
    if (judged !== undefined) await judged
    return answerBytes(arrival, gate, NO_BODY)
  }
  const share = gate.bodyMemory.share()
  try {
    const limits = bodyLimitsOf(match.route)
    return await answerBytes(arrival, gate, await readBody(request, { limits, share, onStart }))
  } finally {
    share.release()
  }
}

async function answerBytes(arrival: Arrival, gate: Gate, bytes: Uint8Array): Promise<Reply> {
  const { request } = arrival
  const key = keyFor(arrival)
  const body = bytes === NO_BODY ? () => undefined : () => readJson(bytes, arrival)
  const work = async (keeper: AnswerKeeper): Promise<Reply> => {
    const read = body()
    return handle(arrival, gate, { keeper, body: read instanceof Promise ? await read : read })
  }
  if (arrival.refusal !== undefined) return answerAgain(arrival, gate, { key, body, bytes })
  if (key === undefined) return work(keyless(arrival))
  const keyed = { ...key, requestHash: requestHash(request, bytes) }
  const once = { ...onceOf(arrival, body), keyed, work }
  return arrival.match.route.reservesKey === true
    ? gate.once.answerReserved(once)
    : gate.once.answer(once)
}

/** What was dropped or renamed is hidden from who did it: a repeated request is told of that. */
async function answerAgain(
  arrival: Arrival,
  gate: Gate,
  given: {
    readonly key: ReturnType<typeof keyFor>
    readonly body: () => unknown
    readonly bytes: Uint8Array
  },
): Promise<Reply> {
  const { key, body, bytes } = given
  if (key === undefined) throw arrival.refusal
  const keyed = { ...key, requestHash: requestHash(arrival.request, bytes) }
  const again = await gate.once.findAnswer({ ...onceOf(arrival, body), keyed })
  if (again === undefined) throw arrival.refusal
  return again
}

/** Others get turns while a long body is parsed, and before and after it is checked. */
function readJson(bytes: Uint8Array, { face, match: { route } }: Arrival): unknown {
  const { bodies } = face.dialect
  if (bytes.length <= SHORT_BODY_BYTES) return bodies.read(parseJsonBody(bytes), route)
  return readLongJson(bytes, (json) => bodies.read(json, route))
}

async function readLongJson(bytes: Uint8Array, read: (json: unknown) => unknown): Promise<unknown> {
  const json = await parseLongJsonBody(bytes)
  await nextTurn()
  const body = read(json)
  await nextTurn()
  return body
}

async function answerChunks(arrival: Arrival, gate: Gate, share: BodyShare): Promise<Reply> {
  const { request } = arrival
  const chunks = sentWhenRead(bodyChunks(request), request, arrival.response)
  const key = keyFor(arrival)
  const handled = (keeper: AnswerKeeper, upload: AsyncIterable<Uint8Array>) =>
    handle(arrival, gate, { keeper, upload: uploadBlocks(upload, share) })
  if (key === undefined) return handled(keyless(arrival), chunks)
  return gate.once.answerUpload({
    ...onceOf(arrival, () => undefined),
    keyed: { ...key, requestHash: uploadHash(request) },
    chunks,
    upload: handled,
  })
}

/** Two principals may use one key. */
function keyFor({ request, face, match, permissions }: Arrival) {
  const key = keyOf(request, face.dialect.keyRule)
  const { changesNothing = !permissions.mayChange } = match.route
  if (key === undefined || changesNothing) return undefined
  return { principal: nameOfPrincipal(permissions.principal), key }
}

/** Requests that change nothing have no events to name them. */
function keyless(arrival: Arrival): AnswerKeeper {
  const isReading = ['get', 'head'].includes(arrival.match.route.method)
  return isReading ? KEEPS_NOTHING : new KeylessKeeper(originOf(arrival))
}

/** Who asks, as the events of the change keep it. */
function originOf({ request, permissions }: Arrival): EventOrigin {
  const address = request.clientAddress
  return {
    principal: nameOfPrincipal(permissions.principal),
    requestId: String(request.id),
    ...(address !== undefined && { address }),
  }
}

function onceOf(arrival: Arrival, body: () => unknown) {
  const { request, match, face, permissions } = arrival
  const { requirePaths } = permissions
  return {
    request,
    origin: originOf(arrival),
    isForbidden: () => permissions.refused !== undefined,
    refusal: (error: unknown) => refusalOf(face.dialect, request, error),
    rebuild: async (from: KeptFacts, first: Reply): Promise<Reply> => {
      const { route, pattern, param } = match
      const rebuild = route.rebuild ?? face.dialect.rebuild
      if (rebuild === undefined) throw new Error(`${pattern} cannot rebuild its response`)
      const authorize = permissions.requireAll.bind(permissions)
      return rebuild(from, { first, request, authorize, requirePaths, body: await body(), param })
    },
  }
}

async function handle(
  arrival: Arrival,
  gate: Gate,
  { body, upload, keeper }: Handing,
): Promise<Reply> {
  const { request, response, match, query, permissions } = arrival
  let closed: AbortSignal | undefined
  const call: Call<unknown, unknown> = {
    request,
    principal: permissions.principal,
    get origin() {
      return originOf(arrival)
    },
    get visibleTo() {
      return permissions.visibleTo
    },
    readBy: () => permissions.readBy,
    // Made lazily: few handlers use it, and a signal costs as much as routing the request.
    get closed() {
      closed ??= closingOf(response)
      return closed
    },
    query,
    body,
    upload,
    ...{ keeper: permissions.keeperOf(keeper), mayChange: permissions.mayChange },
    param: match.param,
    accepts: (mediaTypes) => request.accepts([...mediaTypes]) || undefined,
    authorize: (privilege, targets, rows) => permissions.requireAll(privilege, targets, rows),
    ...{ authorizeFound: permissions.requireFound, found: permissions.found },
    may: (privilege, target) => permissions.may(privilege, target),
    policyOn: (tableUuid, asked) => permissions.policyOn(tableUuid, asked),
    requirePaths: permissions.requirePaths,
    requireOwnSite: () => gate.guard.requireOwnSite(request),
  }
  const { route } = match
  const reply = await route.handle(call as never)
  if (route.permission === 'in-use-case' && !permissions.hasAsked) gate.unasked(route, request)
  return reply
}

function standFor(
  { standingHeaders: standing }: Route,
  {
    response,
    ...caller
  }: Pick<Call<unknown, unknown>, 'principal' | 'request'> & Pick<Arrival, 'response'>,
): void {
  if (standing !== undefined) response.locals['standing'] = () => standing.of(caller)
}

/** What the route sends with every response, as it is now; the response's own headers win. */
function setStanding(response: Response): void {
  const standing = response.locals['standing'] as (() => Record<string, string>) | undefined
  if (standing === undefined || response.headersSent) return
  for (const [name, value] of Object.entries(standing())) response.setHeader(name, value)
}

function closingOf(response: Response): AbortSignal {
  const controller = new AbortController()
  // As many may wait in one request as it runs exports.
  setMaxListeners(0, controller.signal)
  if (response.closed || response.destroyed) controller.abort(CLOSED)
  response.once('close', () => controller.abort(CLOSED))
  return controller.signal
}

/** A client that waits to send a body, or has one connection too many, must open another one. */
function closeIfUnfinished(request: Request, response: Response): void {
  const isLast = isWaitingToSend(request) || isSurplus(request.socket)
  if (isLast && !response.headersSent) response.setHeader('Connection', 'close')
}

/** The dialect's response to an error; a 405 always has Allow. */
function refusalOf({ errors }: Dialect, request: IncomingMessage, error: unknown): Reply {
  const reply = errors.reply(request, error)
  if (!(error instanceof ProblemError)) return reply
  if (SIGN_IN_AGAIN.has(error.code)) {
    return { ...reply, headers: { ...reply.headers, 'WWW-Authenticate': 'Bearer' } }
  }
  if (error.code !== 'method-not-allowed') return reply
  const allowed = error.facts['allowed'] as readonly string[]
  return { ...reply, headers: { ...reply.headers, Allow: allowed.join(', ') } }
}

/**
 * Sends a refusal if nothing was sent yet; otherwise resets the connection, so that half a response
 * does not look whole.
 */
function sendFailure(
  dialect: Dialect,
  publicPath: PublicPath,
  {
    request,
    response,
    error,
  }: { readonly request: Request; readonly response: Response; readonly error: unknown },
): void {
  if (response.destroyed) return
  if (response.headersSent) {
    request.log.error({ err: error }, 'a response failed halfway')
    request.socket.resetAndDestroy()
    return
  }
  for (const name of ['Content-Type', 'Content-Length', 'Location']) response.removeHeader(name)
  closeIfUnfinished(request, response)
  setStanding(response)
  // A short body is sent before this returns.
  void sendReply(request, response, publicPath.seen(refusalOf(dialect, request, error)))
  drain(request)
}
