import { connect } from 'node:net'

const CANCEL_REQUEST_CODE = 80_877_102
const CANCEL_MS_MAX = 5_000

/** What pg's client knows of its connection and does not document. */
interface Cancellable {
  readonly host?: string
  readonly port?: number
  readonly processID?: number | null
  readonly secretKey?: number | null
}

/**
 * Asks the server to stop what this connection runs: closing it would not, and the statement would
 * go on for nobody. Over a connection of its own, as the protocol has it ("Canceling Requests in
 * Progress"); never throws, and nobody waits for it.
 */
export function cancelStatement(client: object): void {
  const { host, port, processID, secretKey } = client as Cancellable
  if (host === undefined || port === undefined) return
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return
  const socket = host.startsWith('/')
    ? connect(`${host}/.s.PGSQL.${port}`)
    : connect({ host, port })
  const message = Buffer.alloc(16)
  message.writeInt32BE(message.length, 0)
  message.writeInt32BE(CANCEL_REQUEST_CODE, 4)
  message.writeInt32BE(processID, 8)
  message.writeInt32BE(secretKey, 12)
  socket.on('error', () => undefined)
  socket.setTimeout(CANCEL_MS_MAX, () => socket.destroy())
  socket.unref()
  socket.end(message)
}
