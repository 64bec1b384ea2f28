import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Reply } from '../reply.ts'
import type { Guard } from './guards.ts'

/** How long a browser may remember which requests are allowed. */
const REMEMBERED_SECONDS = 600

/** Lets pages of an allowed origin read the response. */
export function shareWithOrigin(
  guard: Guard,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const origin = guard.allowedOrigin(request)
  if (origin === undefined) return
  response.setHeader('Access-Control-Allow-Origin', origin)
  response.setHeader('Access-Control-Expose-Headers', '*')
  response.setHeader('Vary', 'Origin')
}

/** The response to a browser that asks whether a page of an allowed origin may send a request. */
export function preflightReply(guard: Guard, request: IncomingMessage): Reply | undefined {
  const { method, headers } = request
  const asked = headers['access-control-request-method']
  if (method !== 'OPTIONS' || asked === undefined) return undefined
  if (guard.allowedOrigin(request) === undefined) return undefined
  return {
    status: 204,
    headers: {
      'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'Access-Control-Allow-Headers': String(headers['access-control-request-headers'] ?? '*'),
      'Access-Control-Max-Age': String(REMEMBERED_SECONDS),
    },
  }
}
