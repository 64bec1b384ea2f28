import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { CatalogError, type CodedError, type ErrorFacts } from '../core/errors.ts'
import { stringifyExactJson } from '../formats/json/exact-json.ts'
import { asProblem, PROBLEMS, type ProblemCode, ProblemError } from '../problem/problems.ts'
import { PROBLEM_MEDIA_TYPE, type Reply } from './reply.ts'

const ERRORS_MAX = 20
const ERROR_TEXT_MAX = 300
/** Where many things are wrong at once, and all of them have long names. */
const DETAIL_LENGTH_MAX = 65_536
const RETRY_AFTER_SECONDS = 1

export interface RequestError {
  readonly path: string
  readonly message: string
}

/**
 * A `request-invalid` that names each invalid member, at most twenty, and quotes no long value.
 */
export function requestInvalid(
  errors: readonly RequestError[],
  facts: ErrorFacts = {},
): CatalogError {
  const listed = errors.slice(0, ERRORS_MAX).map(({ path, message }) => ({
    path: shortened(path),
    message: shortened(message),
  }))
  const [first] = listed
  const detail = first === undefined ? 'the request is invalid' : `${first.path}: ${first.message}`
  return new CatalogError('request-invalid', detail, { facts: { errors: listed, ...facts } })
}

/** The one of these media types that the client likes best; throws `not-acceptable`. */
export function requireAccepted(
  accepts: (mediaTypes: readonly string[]) => string | undefined,
  available: readonly string[],
): string {
  const accepted = accepts(available)
  if (accepted !== undefined) return accepted
  const detail = `no acceptable media type: available are ${available.join(', ')}`
  throw new ProblemError('not-acceptable', detail, { facts: { available } })
}

/** The error for a path without a route. */
export function noSuchRoute(method: string, path: string): ProblemError {
  const detail = `no such route: ${method} ${path.slice(0, 200)}${routeHint(path)}`
  return new ProblemError('route-not-found', detail, { facts: { docs: '/docs' } })
}

/** For what Iceberg clients ask first, when they were given another address. */
function routeHint(path: string): string {
  if (path.endsWith('/oauth/tokens')) {
    return '; tokens for keys are made by POST /iceberg/v1/oauth/tokens'
  }
  return path.endsWith('/config')
    ? '; the Iceberg REST catalog is at /iceberg: give the client http://<host>:<port>/iceberg'
    : ''
}

function shortened(text: string): string {
  return text.length <= ERROR_TEXT_MAX ? text : `${text.slice(0, ERROR_TEXT_MAX)}…`
}

/** Violations of a shape; `origin` is `body` or `query`. */
export function zodErrors(error: z.ZodError, origin: string): readonly RequestError[] {
  return error.issues.map((issue) => ({
    path: [origin, ...issue.path].map(String).join('.'),
    message: issue.message,
  }))
}

/** The problem document of any error. Details of unexpected ones go only to the log. */
export function problemReply(request: IncomingMessage, error: unknown): Reply {
  const shown = shownError(request, error)
  const status = PROBLEMS[shown.code].status
  const body = stringifyExactJson(membersOf(request, shown))
  return { status, mediaType: PROBLEM_MEDIA_TYPE, body, headers: headersOf(status, shown.facts) }
}

function headersOf(status: number, facts: ErrorFacts): Record<string, string> {
  const isTemporary = status === 503 || facts['retryAfterSeconds'] !== undefined
  return {
    ...(isTemporary && { 'Retry-After': String(retryAfterSeconds(facts)) }),
    ...(typeof facts['rateLimit'] === 'string' && {
      'RateLimit-Policy': String(facts['rateLimitPolicy']),
      RateLimit: facts['rateLimit'],
    }),
    ...(status === 416 && { 'Content-Range': `bytes */${String(facts['lengthBytes'])}` }),
  }
}

/** The problem document of any error, as part of another response. */
export function problemBody(request: IncomingMessage, error: unknown): Record<string, unknown> {
  return membersOf(request, shownError(request, error))
}

/** The problem of any error; logs unexpected ones. */
function shownError(request: IncomingMessage, error: unknown): CodedError<ProblemCode> {
  const foreseen = foreseenError(error)
  const isHidden = foreseen === undefined || PROBLEMS[foreseen.code].status === 500
  return isHidden ? hide(request, error) : foreseen
}

function membersOf(request: IncomingMessage, { code, message, facts }: CodedError<ProblemCode>) {
  return {
    ...snakeCaseMembers(facts),
    ...standardMembers(code, {
      detail: message.slice(0, DETAIL_LENGTH_MAX),
      instance: String(request.id),
    }),
  }
}

/** RFC 9457, section 3.1. */
export function standardMembers(
  code: ProblemCode,
  { detail, instance }: { readonly detail: string; readonly instance: string },
) {
  const { title, status } = PROBLEMS[code]
  return { type: `/problems/${code}`, title, status, detail, instance }
}

function foreseenError(error: unknown): CodedError<ProblemCode> | undefined {
  const problem = asProblem(error)
  if (problem !== undefined) return problem
  // Express refuses a path that it cannot decode with an error that has a status.
  if (error instanceof URIError || (error as { status?: unknown } | null)?.status === 400) {
    return requestInvalid([{ path: 'path', message: 'is not a valid percent-encoding of UTF-8' }])
  }
  return undefined
}

function hide(request: IncomingMessage, cause: unknown): ProblemError {
  const errorId = randomUUID()
  request.log.error({ err: cause, errorId }, 'a request failed')
  return new ProblemError(
    'internal',
    'the service failed unexpectedly: its log has the cause under this error id',
    { facts: { errorId } },
  )
}

function retryAfterSeconds({ retryAfterSeconds: seconds }: ErrorFacts): number {
  return typeof seconds === 'number' ? Math.ceil(seconds) : RETRY_AFTER_SECONDS
}

/** Facts as JSON members: `baseSnapshotId` is `base_snapshot_id`, 64-bit ids are text. */
function snakeCaseMembers(facts: ErrorFacts): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [
        key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        typeof value === 'bigint' ? value.toString() : value,
      ]),
  )
}

export const Problem = z
  .looseObject({
    type: z
      .string()
      .meta({ description: 'The type of problem, for clients to switch on; never changes.' }),
    title: z.string().meta({ description: 'A short phrase for people.' }),
    status: z.int().meta({ description: 'The HTTP status.' }),
    detail: z
      .string()
      .meta({ description: 'What went wrong, for people. Its wording may change.' }),
    instance: z.string().meta({ description: 'The request id, as in X-Request-Id and the log.' }),
  })
  .meta({
    id: 'Problem',
    description: 'Problem details (RFC 9457). Further members depend on the type.',
    example: {
      table: 'default.flights',
      ...standardMembers('table-not-found', {
        detail: 'table default.flights does not exist',
        instance: '0b6f1f0e-8d0c-4b6e-9d55-2f6c1f0f7a11',
      }),
    },
  })
