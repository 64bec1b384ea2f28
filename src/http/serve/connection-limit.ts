import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { CatalogError } from '../../core/errors.ts'

/** Connections above the limit that are still told so; more are closed without a word. */
const TOLD_MAX = 1_000
/** How long a connection above the limit may take to send its request. */
const SURPLUS_MS = 5_000
/** Whoever watches the service must not take it for dead because it is busy. */
const ALWAYS_ANSWERED: ReadonlySet<string> = new Set(['/health', '/metrics'])

const SURPLUS = new WeakSet<Socket>()

/** Counts connections; requests on those above the limit are refused by `requireConnection`. */
export function limitConnections(server: Server, connectionsMax: number): void {
  let open = 0
  server.maxConnections = connectionsMax + TOLD_MAX
  server.on('connection', (socket: Socket) => {
    open += 1
    socket.once('close', () => {
      open -= 1
    })
    if (open <= connectionsMax) return
    SURPLUS.add(socket)
    const timer = setTimeout(() => socket.destroy(), SURPLUS_MS)
    socket.once('close', () => clearTimeout(timer))
  })
}

/** Throws `overloaded` if the request came on a connection above the limit. */
export function requireConnection({ socket, url = '' }: IncomingMessage): void {
  if (!SURPLUS.has(socket) || ALWAYS_ANSWERED.has(url)) return
  throw new CatalogError(
    'overloaded',
    'the service has as many connections as it may: close some, or try again soon',
  )
}

/** Whether the connection must be closed after its response. */
export function isSurplus(socket: Socket): boolean {
  return SURPLUS.has(socket)
}
