import type { IncomingMessage, ServerResponse } from 'node:http'

const CONTINUED = new WeakSet<IncomingMessage>()

/** Whether the client waits to hear that its body is wanted (RFC 9110, section 10.1.1). */
export function isWaitingToSend(request: IncomingMessage): boolean {
  return request.headers.expect?.toLowerCase() === '100-continue' && !CONTINUED.has(request)
}

/** Asks for the body, once everything that is known without it was checked. */
export function letSend(request: IncomingMessage, response: ServerResponse): void {
  if (!isWaitingToSend(request) || response.headersSent) return
  CONTINUED.add(request)
  response.writeContinue()
}

/** The chunks of the body, which the client is let to send when the first is wanted. */
export async function* sentWhenRead(
  chunks: AsyncIterable<Uint8Array>,
  request: IncomingMessage,
  response: ServerResponse,
): AsyncGenerator<Uint8Array> {
  letSend(request, response)
  yield* chunks
}
