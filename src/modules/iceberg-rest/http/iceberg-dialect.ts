import type { IncomingMessage } from 'node:http'
import { CatalogError } from '../../../core/errors.ts'
import { hasBody } from '../../../http/body/json-body.ts'
import { requireMediaType } from '../../../http/body/media-type.ts'
import type { Dialect } from '../../../http/dialect.ts'
import { UUID_KEY_DOC, uuidKey } from '../../../http/idempotency/keyed-request.ts'
import { noSuchRoute } from '../../../http/problem.ts'
import { JSON_MEDIA_TYPE } from '../../../http/reply.ts'
import type { Route } from '../../../http/route.ts'
import { PROBLEMS } from '../../../problem/problems.ts'
import type { RestServices } from '../rest-services.ts'
import { errorReply } from './error-model.ts'
import { rebuildAnswer } from './rebuild-answer.ts'
import { icebergRoutes } from './rest-route-table.ts'
import { RestError } from './shapes/rest-answer-shapes.ts'

/** Root of the API. */
export const ICEBERG_ROOT = '/iceberg'

/**
 * The protocol of the Iceberg REST specification: unknown members, which newer clients send, are
 * ignored, and errors follow its error model.
 */
export function icebergDialect(deps: RestServices): Dialect {
  return {
    root: ICEBERG_ROOT,
    routes: icebergRoutes(deps),
    paths: {
      // This service uses no prefix.
      served: (path) => path.replace('/{prefix}', ''),
      decode: decodeSegment,
      allowsEmpty: true,
      headIsGet: false,
      notFound: (method, path) => noSuchRoute(method, ICEBERG_ROOT + path),
    },
    bodies: { isRead: takesBody, unread: 'ignored', read: (json) => json },
    errors: {
      reply: errorReply,
      statusOf: (code) => PROBLEMS[code].iceberg.status,
      mediaType: JSON_MEDIA_TYPE,
      shape: RestError,
    },
    keyRule: uuidKey(
      () => new CatalogError('request-invalid', 'Invalid Idempotency-Key: not a UUID'),
    ),
    keyDoc: UUID_KEY_DOC,
    readQuery: (query) => new Map(new URLSearchParams(query)),
    rebuild: (from, repeated) => rebuildAnswer(deps, from, repeated),
  }
}

function takesBody(route: Route, request: IncomingMessage): boolean {
  if (route.method !== 'post') return false
  // Pages of other sites may send anything else without asking.
  if (hasBody(request)) requireMediaType(request, route)
  return true
}

/** A plus means a space, as Java's clients encode it; all clients encode a plus as `%2B`. */
function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment.replaceAll('+', ' '))
  } catch (cause) {
    const detail = 'The path is not a valid percent-encoding of UTF-8'
    throw new CatalogError('request-invalid', detail, { cause })
  }
}
