import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/**
 * Cuts off clients that send or take nothing for so long. A client that has sent all and waits for
 * the first byte of its answer is left alone: converting a large file takes longer than any reader
 * may stall.
 */
export function cutIdleSockets(server: Server, idleMs: number): void {
  const exchanges = new WeakMap<Socket, Exchange>()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    exchanges.set(request.socket, { request, response })
  })
  // With a listener of its own, Node leaves it to that to end the socket.
  server.setTimeout(idleMs, (socket: Socket) => {
    const exchange = exchanges.get(socket)
    const isOurTurn =
      exchange?.request.complete === true &&
      !exchange.response.headersSent &&
      !exchange.response.writableEnded
    if (!isOurTurn) socket.destroy()
  })
}
