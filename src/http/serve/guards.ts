import type { IncomingMessage } from 'node:http'
import { requestInvalid } from '../problem.ts'
import { requestUrl } from '../request-log.ts'

const NUL = /\0|%00/
const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

/** What no route takes. */
export function guardRequest(request: IncomingMessage): void {
  if (NUL.test(requestUrl(request))) {
    throw requestInvalid([{ path: 'url', message: 'holds a NUL character' }])
  }
  if (isFromOtherSite(request)) {
    const message = 'a page of another site may not change anything here'
    throw requestInvalid([{ path: 'headers.origin', message }])
  }
}

/**
 * Browsers send some POST requests of any page without asking first, and this service may listen
 * where only its user's browser can reach it. Other clients send no Origin.
 */
function isFromOtherSite({ method = '', headers }: IncomingMessage): boolean {
  if (READING.has(method) || headers.origin === undefined) return false
  return !URL.canParse(headers.origin) || new URL(headers.origin).host !== headers.host
}
