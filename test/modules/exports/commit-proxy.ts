import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

const COMMIT = Buffer.from('commit\0')

/** What becomes of a COMMIT on its way to the source, and of everything after it. */
export type Fate = 'answered' | 'held back' | 'answer lost'

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
      if (isCommit && proxy.fate !== 'answered') isLost = true
      if (!isLost || (isCommit && proxy.fate === 'answer lost')) upstream.write(chunk)
      if (isCommit) seen?.()
    })
    upstream.on('data', (chunk) => {
      if (!isLost) client.write(chunk)
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
