import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/**
 * Disconnects clients that neither send nor receive for too long. A client that waits for the first
 * byte of its response is left alone: converting a large file takes longer than a reader may stall.
 */
export function cutIdleSockets(server: Server, idleMs: number): void {
  const exchanges = new WeakMap<Socket, Exchange>()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    exchanges.set(request.socket, { request, response })
  })
  // With a listener, Node no longer ends the socket itself.
  server.setTimeout(idleMs, (socket: Socket) => {
    const exchange = exchanges.get(socket)
    const isOurTurn =
      exchange?.request.complete === true &&
      !exchange.response.headersSent &&
      !exchange.response.writableEnded
    if (!isOurTurn) socket.destroy()
  })
}
