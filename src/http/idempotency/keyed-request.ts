import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { parseUuid } from '../../core/value/bytes-text.ts'
import { mediaTypeOf } from '../body/media-type.ts'
import type { KeyRule } from '../dialect.ts'
import { requestInvalid } from '../problem.ts'
import { requestUrl } from '../request-log.ts'
import type { Route } from '../route.ts'

const KEY_LENGTH_MAX = 255
const CHANGING: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

export const IDEMPOTENCY_KEY = 'Idempotency-Key'
const KEY_DESCRIPTION =
  'Identifies the request for an hour: if repeated with the same key, it returns the first ' +
  'response and changes nothing again.'

/** Accepts any text of 1 to 255 characters. */
export const anyTextKey: KeyRule = (text) => {
  if (text.length >= 1 && text.length <= KEY_LENGTH_MAX) return text
  const message = `has 1 to ${KEY_LENGTH_MAX} characters`
  throw requestInvalid([{ path: 'headers.idempotency-key', message }])
}

export const ANY_TEXT_KEY_DOC = {
  description: KEY_DESCRIPTION,
  ...{ type: 'string', minLength: 1, maxLength: KEY_LENGTH_MAX },
}

export const UUID_KEY_DOC = { description: KEY_DESCRIPTION, type: 'string', format: 'uuid' }

/** Accepts a UUID of any version, since some clients send random ones; lower-cases it. */
export function uuidKey(refuse: () => Error): KeyRule {
  return (text) => {
    const key = text.toLowerCase()
    if (parseUuid(key) === undefined) throw refuse()
    return key
  }
}

/** Whether a repeated request would change something again. */
export function changes({ method, changesNothing }: Pick<Route, 'method' | 'changesNothing'>) {
  return CHANGING.has(method.toUpperCase()) && changesNothing !== true
}

/**
 * The key under which the request may be repeated; `undefined` if it has none or only reads.
 */
export function keyOf(request: IncomingMessage, rule: KeyRule): string | undefined {
  const given = request.headers['idempotency-key']
  if (given === undefined || !CHANGING.has(request.method ?? '')) return undefined
  return rule(String(given))
}

/** Hash of method, URL and body, which identify a request whose body was read. */
export function requestHash(request: IncomingMessage, body: Uint8Array): string {
  return hashOf([request.method ?? '', requestUrl(request), body])
}

/** Like `requestHash`, from what is known of an upload before its body is read. */
export function uploadHash(request: IncomingMessage): string {
  const { headers } = request
  return hashOf([
    request.method ?? '',
    requestUrl(request),
    mediaTypeOf(request) ?? '',
    headers['content-length'] ?? '',
    String(headers['content-digest'] ?? ''),
  ])
}

function hashOf(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('base64url')
}
