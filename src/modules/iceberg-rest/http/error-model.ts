import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { CodedError } from '../../../core/errors.ts'
import { jsonReply, type Reply } from '../../../http/reply.ts'
import { type IcebergError, INTERNAL_ERROR } from '../../../problem/problem-row.ts'
import { asProblem, PROBLEMS, type ProblemCode } from '../../../problem/problems.ts'

const MESSAGE_LENGTH_MAX = 2_000

/**
 * Iceberg REST specification, `ErrorModel`, of any error; what was unforeseen goes to the log only.
 */
export function errorReply(request: IncomingMessage, error: unknown): Reply {
  const foreseen = asProblem(error)
  if (foreseen === undefined || PROBLEMS[foreseen.code].iceberg === INTERNAL_ERROR) {
    const errorId = randomUUID()
    request.log.error({ err: error, errorId }, 'a request failed')
    return modelOf({
      ...INTERNAL_ERROR,
      message: `Internal Server Error; the log has it under ${errorId}`,
    })
  }
  const { status } = PROBLEMS[foreseen.code].iceberg
  const reply = modelOf({ status, type: typeOf(foreseen), message: foreseen.message })
  return status === 429 || status === 503 ? { ...reply, headers: { 'Retry-After': '1' } } : reply
}

/**
 * Java's client throws for a view's bad version what it would throw itself, if it is told so. For
 * tables it is not: only after a BadRequestException does it delete the files of a refused commit.
 */
function typeOf({ code, facts }: CodedError<ProblemCode>): string {
  const isBadVersion = code === 'update-invalid' && facts['action'] === 'add-view-version'
  return isBadVersion ? 'IllegalArgumentException' : PROBLEMS[code].iceberg.type
}

function modelOf({ status, type, message }: IcebergError & { readonly message: string }): Reply {
  const shown = message.slice(0, MESSAGE_LENGTH_MAX)
  return jsonReply({ error: { message: shown, type, code: status } }, { status })
}
