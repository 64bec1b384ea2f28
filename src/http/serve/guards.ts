import type { IncomingMessage } from 'node:http'
import { requestInvalid } from '../problem.ts'
import { requestUrl } from '../request-log.ts'

const NUL = /\0|%00/
const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Refuses requests that no route accepts. */
export function guardRequest(request: IncomingMessage): void {
  if (NUL.test(requestUrl(request))) {
    throw requestInvalid([{ path: 'url', message: 'must not contain a NUL character' }])
  }
  if (isFromOtherSite(request)) {
    const message = 'pages of other sites must not send requests that change data'
    throw requestInvalid([{ path: 'headers.origin', message }])
  }
}

/**
 * Browsers send some cross-site POST requests without a preflight, and this service may be
 * reachable only from its user's browser. Other clients send no Origin.
 */
function isFromOtherSite({ method = '', headers }: IncomingMessage): boolean {
  if (READING.has(method) || headers.origin === undefined) return false
  return !URL.canParse(headers.origin) || new URL(headers.origin).host !== headers.host
}
