import { createServer, IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Express } from 'express'
import { type AppOptions, createApp } from './app.ts'
import { limitConnections } from './connection-limit.ts'
import { watchEventLoop } from './event-loop.ts'
import { cutIdleSockets } from './idle-sockets.ts'
import { endSlowReaders, READER_PACE, type ReaderPace } from './slow-readers.ts'
import { endSlowUploads, UPLOAD_PACE, type UploadPace } from './slow-uploads.ts'
import { answerUnparsed } from './unparsed-requests.ts'

/** How long open requests may continue after the stop. */
const STOP_GRACE_MS = 10_000
/** A client that neither sends nor receives for this long is disconnected. */
const IDLE_SOCKET_MS = 120_000
const CONNECTIONS_MAX = 4_000

export interface Address {
  readonly host: string
  /** 0 picks any free port. */
  readonly port: number
}

export interface ServerOptions extends AppOptions {
  /** Connections above it are refused; 4,000 if absent. */
  readonly connectionsMax?: number
  /** How fast bodies must arrive. */
  readonly uploadPace?: UploadPace
  /** How fast responses must be read. */
  readonly readerPace?: ReaderPace
  /** How long a client may neither send nor receive; two minutes if absent. */
  readonly idleMs?: number
}

export interface OpenServer {
  readonly url: string
  /** Accepts no new requests; open ones may continue for a while. */
  close(): Promise<void>
}

/** Starts to listen. On failure, rejects with the system's error and leaves nothing open. */
export async function openServer(address: Address, options: ServerOptions): Promise<OpenServer> {
  const server = createHttpServer(createApp(options))
  cutIdleSockets(server, options.idleMs ?? IDLE_SOCKET_MS)
  limitConnections(server, options.connectionsMax ?? CONNECTIONS_MAX)
  const endUploadPace = endSlowUploads(server, options.uploadPace ?? UPLOAD_PACE)
  const endReaderPace = endSlowReaders(server, options.readerPace ?? READER_PACE)
  answerUnparsed(server, options.log)
  // Otherwise Node asks for every body, also for one that is refused at once.
  server.on('checkContinue', (request, response) => server.emit('request', request, response))
  server.requestTimeout = 0 // uploads may take long; the idle timeout ends stalled ones
  await listen(server, address)
  // A connection that cannot be accepted; unheard, the event would end the process.
  server.on('error', (err) => options.log.warn({ err }, 'a connection could not be accepted'))
  const endWatch = watchEventLoop((seconds) => options.metrics.eventLoopHeld(seconds))
  return {
    url: urlOf(server, address),
    close() {
      endWatch()
      endUploadPace()
      endReaderPace()
      return stop(server)
    },
  }
}

/**
 * A server whose requests and responses are created with the prototypes that Express would set.
 * Changing the prototype of an object makes V8 forget its shape, which cost four times as much as
 * everything else for a small request. Express sets them again, which costs nothing.
 */
export function createHttpServer(app: Express): Server {
  class AppRequest extends IncomingMessage {}
  class AppResponse extends ServerResponse {}
  Object.setPrototypeOf(AppRequest.prototype, app.request)
  Object.setPrototypeOf(AppResponse.prototype, app.response)
  app.request = AppRequest.prototype as Express['request']
  app.response = AppResponse.prototype as Express['response']
  const types = { IncomingMessage: AppRequest, ServerResponse: AppResponse }
  // The guard refuses a request without a Host, with a problem document.
  return createServer({ ...types, requireHostHeader: false }, app)
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
