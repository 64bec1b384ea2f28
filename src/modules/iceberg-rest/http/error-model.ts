import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { CodedError } from '../../../core/errors.ts'
import { jsonReply, type Reply } from '../../../http/reply.ts'
import { type IcebergError, INTERNAL_ERROR } from '../../../problem/problem-row.ts'
import { asProblem, PROBLEMS, type ProblemCode } from '../../../problem/problems.ts'

const MESSAGE_LENGTH_MAX = 2_000

/**
 * The response to any error (Iceberg REST specification, `ErrorModel`). Details of unexpected
 * errors go to the log only.
 */
export function errorReply(request: IncomingMessage, error: unknown): Reply {
  const foreseen = asProblem(error)
  if (foreseen === undefined || PROBLEMS[foreseen.code].iceberg === INTERNAL_ERROR) {
    const errorId = randomUUID()
    request.log.error({ err: error, errorId }, 'a request failed')
    return modelOf({
      ...INTERNAL_ERROR,
      message: `Internal Server Error: the service's log has the cause under ${errorId}`,
    })
  }
  const { status } = PROBLEMS[foreseen.code].iceberg
  const reply = modelOf({ status, type: typeOf(foreseen), message: foreseen.message })
  return status === 429 || status === 503 ? { ...reply, headers: { 'Retry-After': '1' } } : reply
}

/**
 * For a view's invalid version, Java's client expects the exception that it would throw itself. For
 * tables, it deletes the files of a refused commit only after a BadRequestException.
 */
function typeOf({ code, facts }: CodedError<ProblemCode>): string {
  const isBadVersion = code === 'update-invalid' && facts['action'] === 'add-view-version'
  return isBadVersion ? 'IllegalArgumentException' : PROBLEMS[code].iceberg.type
}

function modelOf({ status, type, message }: IcebergError & { readonly message: string }): Reply {
  const shown = message.slice(0, MESSAGE_LENGTH_MAX)
  return jsonReply({ error: { message: shown, type, code: status } }, { status })
}
