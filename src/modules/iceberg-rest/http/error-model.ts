import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { CatalogError, type CatalogErrorCode } from '../../../core/errors.ts'
import { json } from './rest-reply.ts'
import type { IcebergReply } from './rest-route.ts'

interface IcebergError {
  readonly status: number
  readonly type: string
}

const BAD_REQUEST = { status: 400, type: 'BadRequestException' }
const NOT_FOUND = { status: 404, type: 'NotFoundException' }
const ALREADY_EXISTS = { status: 409, type: 'AlreadyExistsException' }
const CONFLICT = { status: 409, type: 'CommitFailedException' }
const UNPROCESSABLE = { status: 422, type: 'UnprocessableEntityException' }
const UNSUPPORTED = { status: 406, type: 'UnsupportedOperationException' }
const FAILURE = { status: 500, type: 'InternalServerError' }

/**
 * The one place where a trouble gets its type and status of the Iceberg REST specification. Clients take 500 to 504
 * in answer to a commit for an unknown outcome, so that no definite refusal may have one of these: `overloaded` is 429.
 */
export const ICEBERG_ERRORS: Readonly<Record<CatalogErrorCode, IcebergError>> = {
  'as-at-before-first-snapshot': NOT_FOUND,
  'as-at-invalid': BAD_REQUEST,
  'body-invalid': BAD_REQUEST,
  'body-too-large': { status: 413, type: 'BadRequestException' },
  'column-not-found': BAD_REQUEST,
  'column-type-unknown': BAD_REQUEST,
  'commit-conflict': CONFLICT,
  'commit-state-unknown': { status: 500, type: 'CommitStateUnknownException' },
  'data-file-missing': NOT_FOUND,
  'dump-not-ready': { status: 503, type: 'ServiceUnavailableException' },
  'engine-failed': { status: 503, type: 'ServiceUnavailableException' },
  'file-already-in-table': CONFLICT,
  'file-changed': CONFLICT,
  'file-corrupt': BAD_REQUEST,
  'file-not-found': NOT_FOUND,
  'file-not-in-table': BAD_REQUEST,
  'file-not-parquet': BAD_REQUEST,
  'file-schema-mismatch': BAD_REQUEST,
  'file-spans-partitions': BAD_REQUEST,
  'filter-invalid': BAD_REQUEST,
  'idempotency-key-reused': UNPROCESSABLE,
  internal: FAILURE,
  'location-invalid': BAD_REQUEST,
  'location-not-allowed': { status: 403, type: 'ForbiddenException' },
  'media-type-unsupported': { status: 415, type: 'BadRequestException' },
  'metadata-corrupt': FAILURE,
  'method-not-allowed': { status: 405, type: 'BadRequestException' },
  'name-invalid': BAD_REQUEST,
  'namespace-already-exists': ALREADY_EXISTS,
  'namespace-not-empty': { status: 409, type: 'NamespaceNotEmptyException' },
  'namespace-not-found': { status: 404, type: 'NoSuchNamespaceException' },
  'namespace-update-invalid': UNPROCESSABLE,
  'not-acceptable': UNSUPPORTED,
  'not-implemented': UNSUPPORTED,
  overloaded: { status: 429, type: 'TooManyRequestsException' },
  'page-token-invalid': BAD_REQUEST,
  'partitioning-invalid': BAD_REQUEST,
  'permission-denied': { status: 403, type: 'ForbiddenException' },
  'plan-not-found': { status: 404, type: 'NoSuchPlanIdException' },
  'plan-task-not-found': { status: 404, type: 'NoSuchPlanTaskException' },
  'precondition-failed': { status: 412, type: 'BadRequestException' },
  'precondition-required': { status: 428, type: 'BadRequestException' },
  'range-not-satisfiable': { status: 416, type: 'BadRequestException' },
  'request-invalid': BAD_REQUEST,
  'route-not-found': NOT_FOUND,
  'row-invalid': BAD_REQUEST,
  'schema-change-invalid': BAD_REQUEST,
  'schema-change-rewrites-files': UNSUPPORTED,
  'schema-invalid': BAD_REQUEST,
  'snapshot-not-found': NOT_FOUND,
  'storage-full': { status: 507, type: 'ServiceFailureException' },
  'table-already-exists': ALREADY_EXISTS,
  'table-not-found': { status: 404, type: 'NoSuchTableException' },
  'transaction-aborted': CONFLICT,
  'transaction-committed': CONFLICT,
  'transaction-expired': CONFLICT,
  'transaction-not-found': NOT_FOUND,
  'transaction-too-large': BAD_REQUEST,
  'update-invalid': BAD_REQUEST,
  'view-already-exists': ALREADY_EXISTS,
  'view-not-found': { status: 404, type: 'NoSuchViewException' },
}

const MESSAGE_LENGTH_MAX = 2_000

/** Iceberg REST specification, `ErrorModel`, of any error; what was unforeseen goes to the log only. */
export function errorReply(request: IncomingMessage, error: unknown): IcebergReply {
  const foreseen = error instanceof CatalogError ? error : undefined
  if (foreseen === undefined || ICEBERG_ERRORS[foreseen.code] === FAILURE) {
    const errorId = randomUUID()
    request.log.error({ err: error, errorId }, 'a request failed')
    return modelOf({
      ...FAILURE,
      message: `Internal Server Error; the log has it under ${errorId}`,
    })
  }
  const { status } = ICEBERG_ERRORS[foreseen.code]
  const reply = modelOf({ status, type: typeOf(foreseen), message: foreseen.message })
  return status === 429 || status === 503 ? { ...reply, headers: { 'Retry-After': '1' } } : reply
}

/**
 * Java's client throws for a view's bad version what it would throw itself, if it is told so. For tables it is not:
 * only after a BadRequestException does it delete the files of a refused commit.
 */
function typeOf({ code, facts }: CatalogError): string {
  const isBadVersion = code === 'update-invalid' && facts['action'] === 'add-view-version'
  return isBadVersion ? 'IllegalArgumentException' : ICEBERG_ERRORS[code].type
}

/** Whether a repetition of the request must get the same refusal. */
export function isFinalRefusal({ status }: IcebergReply): boolean {
  return status >= 400 && status < 500 && status !== 429
}

export function modelOf({
  status,
  type,
  message,
}: IcebergError & { readonly message: string }): IcebergReply {
  const shown = message.slice(0, MESSAGE_LENGTH_MAX)
  return json({ error: { message: shown, type, code: status } }, { status })
}
