import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { PROBLEMS, ProblemError } from '../../problem/problems.ts'
import { hasBody } from '../body/json-body.ts'
import { requireMediaType } from '../body/media-type.ts'
import type { Dialect } from '../dialect.ts'
import { ANY_TEXT_KEY_DOC, anyTextKey } from '../idempotency/keyed-request.ts'
import { noSuchRoute, Problem, problemReply, requestInvalid, zodErrors } from '../problem.ts'
import { parseQuery } from '../query.ts'
import { PROBLEM_MEDIA_TYPE } from '../reply.ts'
import type { Route } from '../route.ts'
import { plainMessage } from '../shape-messages.ts'

const NO_PARAMETERS = z.strictObject({})

/**
 * The service's own API: shapes are validated, unknown members refused, errors are problem
 * documents.
 */
export function plainDialect(routes: readonly Route[]): Dialect {
  return {
    root: '',
    routes,
    paths: {
      served: (path) => path,
      decode: decodeSegment,
      allowsEmpty: false,
      headIsGet: true,
      notFound: noSuchRoute,
    },
    bodies: { isRead: takesBody, unread: 'refused', read: readJson },
    errors: {
      reply: problemReply,
      statusOf: (code) => PROBLEMS[code].status,
      mediaType: PROBLEM_MEDIA_TYPE,
      shape: Problem,
    },
    keyRule: anyTextKey,
    keyDoc: ANY_TEXT_KEY_DOC,
    readQuery: (query, route) => parseQuery(query, route.query ?? NO_PARAMETERS),
  }
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw requestInvalid([{ path: 'path', message: 'is not a valid percent-encoding of UTF-8' }])
  }
}

function takesBody(route: Route, request: IncomingMessage): boolean {
  if (route.body === undefined) return false
  if (hasBody(request)) requireMediaType(request, route)
  return true
}

function readJson(json: unknown, route: Route): unknown {
  if (json === undefined && route.isBodyOptional !== true) {
    throw new ProblemError('body-invalid', 'the body is empty: send a JSON body')
  }
  const parsed = route.body?.safeParse(json ?? {}, { error: plainMessage })
  if (parsed?.success === false) throw requestInvalid(zodErrors(parsed.error, 'body'))
  return parsed?.data
}
