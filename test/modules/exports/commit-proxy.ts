import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

const COMMIT = Buffer.from('commit\0')
/** What a pooler says that has lost its server, and is ready for the next statement. */
const REFUSAL = refusal('S:ERROR', 'C:58000', 'M:the pooler has lost the server')

/** What becomes of a COMMIT on its way to the source, and of everything after it. */
export type Fate = 'answered' | 'held back' | 'answer lost' | 'refused by another'

/** A way to a PostgreSQL server that may lose a COMMIT, or its answer. */
export interface CommitProxy {
  readonly port: number
  fate: Fate
  /** Resolves when the next COMMIT came by. */
  nextCommit(): Promise<void>
  /** Ends all connections. */
  cut(): void
  close(): Promise<void>
}

export async function openCommitProxy(target: URL): Promise<CommitProxy> {
  const sockets = new Set<Socket>()
  let seen: (() => void) | undefined
  const server: Server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    let isLost = false
    let isRefused = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        if (isLost && socket === upstream) return
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (chunk) => {
      const isCommit = chunk.includes(COMMIT) && chunk[0] === 0x51
      isRefused ||= isCommit && proxy.fate === 'refused by another'
      if (isCommit && ['held back', 'answer lost'].includes(proxy.fate)) isLost = true
      if (!isLost || (isCommit && proxy.fate === 'answer lost')) upstream.write(chunk)
      if (isCommit) seen?.()
    })
    upstream.on('data', (chunk) => {
      if (!isLost) client.write(isRefused ? REFUSAL : chunk)
      isRefused = false
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: CommitProxy = {
    port: (server.address() as AddressInfo).port,
    fate: 'answered',
    nextCommit: () =>
      new Promise((resolve) => {
        seen = resolve
      }),
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
    close: () => {
      proxy.cut()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
  return proxy
}

/** ErrorResponse and ReadyForQuery. */
function refusal(...fields: readonly string[]): Buffer {
  const texts = fields.map((field) => `${field[0]}${field.slice(2)}\0`)
  const body = Buffer.from(`${texts.join('')}\0`)
  const head = Buffer.from('E\0\0\0\0', 'latin1')
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body, Buffer.from('Z\0\0\0\u0005I', 'latin1')])
}
