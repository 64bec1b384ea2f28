import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { CatalogError, type CatalogErrorCode, type ErrorFacts } from '../core/errors.ts'
import { stringifyExactJson } from '../formats/json/exact-json.ts'

/** The one place where a trouble gets its status. */
export const STATUS_BY_CODE: Readonly<Record<CatalogErrorCode, number>> = {
  'as-at-before-first-snapshot': 404,
  'as-at-invalid': 400,
  'body-invalid': 400,
  'body-too-large': 413,
  'column-not-found': 422,
  'column-type-unknown': 422,
  'commit-conflict': 409,
  'commit-state-unknown': 503,
  'data-file-missing': 410,
  'dump-not-ready': 503,
  'engine-failed': 503,
  'file-already-in-table': 409,
  'file-changed': 409,
  'file-corrupt': 422,
  'file-not-found': 422,
  'file-not-in-table': 422,
  'file-not-parquet': 422,
  'file-schema-mismatch': 422,
  'file-spans-partitions': 422,
  'filter-invalid': 400,
  'idempotency-key-reused': 422,
  internal: 500,
  'location-invalid': 400,
  'location-not-allowed': 403,
  'media-type-unsupported': 415,
  'metadata-corrupt': 500,
  'method-not-allowed': 405,
  'name-invalid': 400,
  'namespace-already-exists': 409,
  'namespace-not-empty': 409,
  'namespace-not-found': 404,
  'namespace-update-invalid': 422,
  'not-acceptable': 406,
  'not-implemented': 501,
  overloaded: 503,
  'page-token-invalid': 400,
  'partitioning-invalid': 422,
  'permission-denied': 403,
  'plan-not-found': 404,
  'plan-task-not-found': 404,
  'precondition-failed': 412,
  'precondition-required': 428,
  'range-not-satisfiable': 416,
  'request-invalid': 400,
  'route-not-found': 404,
  'row-invalid': 422,
  'schema-change-invalid': 422,
  'schema-change-rewrites-files': 501,
  'schema-invalid': 422,
  'snapshot-not-found': 404,
  'storage-full': 507,
  'table-already-exists': 409,
  'table-not-found': 404,
  'transaction-aborted': 409,
  'transaction-committed': 409,
  'transaction-expired': 409,
  'transaction-not-found': 404,
  'transaction-too-large': 422,
  'update-invalid': 400,
  'view-already-exists': 409,
  'view-not-found': 404,
}

export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

const ERRORS_MAX = 20
const ERROR_TEXT_MAX = 300
const RETRY_AFTER_SECONDS = 1

export interface RequestError {
  readonly path: string
  readonly message: string
}

/** `request-invalid` that names each wrong member, at most twenty, and echoes no value at length. */
export function requestInvalid(
  errors: readonly RequestError[],
  facts: ErrorFacts = {},
): CatalogError {
  const listed = errors.slice(0, ERRORS_MAX).map(({ path, message }) => ({
    path: path.slice(0, ERROR_TEXT_MAX),
    message: message.slice(0, ERROR_TEXT_MAX),
  }))
  const [first] = listed
  const detail = first === undefined ? 'the request is invalid' : `${first.path}: ${first.message}`
  return new CatalogError('request-invalid', detail, { facts: { errors: listed, ...facts } })
}

/** What a shape has against a value; `origin` is `body` or `query`. */
export function zodErrors(error: z.ZodError, origin: string): readonly RequestError[] {
  return error.issues.map((issue) => ({
    path: [origin, ...issue.path].map(String).join('.'),
    message: issue.message,
  }))
}

/** Sends the problem document of any error; what was unforeseen goes to the log, not to the client. */
export function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
): void {
  const shown = shownError(request, error)
  const status = STATUS_BY_CODE[shown.code]
  if (status === 503) response.setHeader('Retry-After', retryAfterSeconds(shown.facts))
  if (status === 416) {
    response.setHeader('Content-Range', `bytes */${String(shown.facts['lengthBytes'])}`)
  }
  const body = stringifyExactJson(membersOf(request, shown))
  response.statusCode = status
  response.setHeader('Content-Type', PROBLEM_MEDIA_TYPE)
  response.setHeader('Content-Length', Buffer.byteLength(body))
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** The problem document of any error, as a part of another answer. */
export function problemBody(request: IncomingMessage, error: unknown): Record<string, unknown> {
  return membersOf(request, shownError(request, error))
}

/** What was unforeseen goes to the log. */
function shownError(request: IncomingMessage, error: unknown): CatalogError {
  const foreseen = asCatalogError(error)
  const isHidden = foreseen === undefined || STATUS_BY_CODE[foreseen.code] === 500
  return isHidden ? hide(request, error) : foreseen
}

function membersOf(request: IncomingMessage, { code, message, facts }: CatalogError) {
  return {
    ...snakeCaseMembers(facts),
    ...standardMembers(code, { detail: message, instance: String(request.id) }),
  }
}

/** RFC 9457, section 3.1. */
export function standardMembers(
  code: CatalogErrorCode,
  { detail, instance }: { readonly detail: string; readonly instance: string },
) {
  return { type: `/problems/${code}`, title: code, status: STATUS_BY_CODE[code], detail, instance }
}

function asCatalogError(error: unknown): CatalogError | undefined {
  if (error instanceof CatalogError) return error
  // Express refuses a path that it cannot decode with an error that carries its status.
  if (error instanceof URIError || (error as { status?: unknown } | null)?.status === 400) {
    return requestInvalid([{ path: 'path', message: 'is not a valid percent-encoding of UTF-8' }])
  }
  return undefined
}

function hide(request: IncomingMessage, cause: unknown): CatalogError {
  const errorId = randomUUID()
  request.log.error({ err: cause, errorId }, 'a request failed')
  return new CatalogError(
    'internal',
    'something went wrong on our side; the log has it under this error id',
    { facts: { errorId } },
  )
}

function retryAfterSeconds({ retryAfterSeconds: seconds }: ErrorFacts): number {
  return typeof seconds === 'number' ? Math.ceil(seconds) : RETRY_AFTER_SECONDS
}

/** `baseSnapshotId` is said as `base_snapshot_id`; 64-bit ids as text. */
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
    type: z.string().meta({ description: 'Stable; what to switch on.' }),
    title: z.string().meta({ description: 'The code, the last part of the type.' }),
    status: z.int().meta({ description: 'The HTTP status.' }),
    detail: z.string().meta({ description: 'For people; its wording may change.' }),
    instance: z.string().meta({ description: 'The request id, as in X-Request-Id and the log.' }),
  })
  .meta({
    id: 'Problem',
    description: 'RFC 9457 problem details. Further members are facts that depend on the type.',
    example: {
      table: 'default.flights',
      ...standardMembers('table-not-found', {
        detail: 'there is no table default.flights',
        instance: '0b6f1f0e-8d0c-4b6e-9d55-2f6c1f0f7a11',
      }),
    },
  })
