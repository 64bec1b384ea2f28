import { createServer, IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Express } from 'express'
import { type AppOptions, createApp } from './app.ts'
import { watchEventLoop } from './event-loop.ts'
import { cutIdleSockets } from './idle-sockets.ts'

/** Requests that still run get this long at the stop. */
const STOP_GRACE_MS = 10_000
/** A client that sends or takes nothing for so long is cut off. */
const IDLE_SOCKET_MS = 120_000

export interface Address {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

export interface OpenServer {
  readonly url: string
  /** Takes no new requests; those that run may end, for a while. */
  close(): Promise<void>
}

/** Listens. Rejects with what the operating system says when it cannot, and leaves nothing open. */
export async function openServer(address: Address, options: AppOptions): Promise<OpenServer> {
  const server = createHttpServer(createApp(options))
  cutIdleSockets(server, IDLE_SOCKET_MS)
  server.requestTimeout = 0 // an upload may take long; a stalled one ends by the idle timeout
  await listen(server, address)
  // A connection that cannot be accepted; unheard, the event would end the process.
  server.on('error', (err) => options.log.warn({ err }, 'a connection could not be accepted'))
  const endWatch = watchEventLoop((seconds) => options.metrics.eventLoopHeld(seconds))
  return {
    url: urlOf(server, address),
    close() {
      endWatch()
      return stop(server)
    },
  }
}

/**
 * A server whose requests and responses are born with the prototypes that Express would give them.
 * Changing the prototype of a living object makes V8 forget its shape: that cost four times what
 * Node and Express do for a small request. Express sets them again, which costs nothing.
 */
export function createHttpServer(app: Express): Server {
  class AppRequest extends IncomingMessage {}
  class AppResponse extends ServerResponse {}
  Object.setPrototypeOf(AppRequest.prototype, app.request)
  Object.setPrototypeOf(AppResponse.prototype, app.response)
  app.request = AppRequest.prototype as Express['request']
  app.response = AppResponse.prototype as Express['response']
  return createServer({ IncomingMessage: AppRequest, ServerResponse: AppResponse }, app)
}

function listen(server: Server, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function urlOf(server: Server, { host }: Address): string {
  const { port } = server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

async function stop(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeIdleConnections()
  const grace = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS)
  await closed
  clearTimeout(grace)
}
