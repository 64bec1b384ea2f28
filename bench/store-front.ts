import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Delays {
  /** Before each GET and HEAD, in ms. */
  readonly readMs: number
  /** Before everything else, in ms. */
  readonly writeMs: number
}

/** What went through: method, address with its query, in the order of arrival. */
export interface PassedRequest {
  readonly method: string
  readonly url: string
}

/** Between a service and its store: writes down each request and lets it wait first. */
export interface StoreFront {
  readonly endpoint: string
  /** Those since the last call. */
  taken(): readonly PassedRequest[]
  delay(delays: Delays): void
  close(): Promise<void>
}

export async function openStoreFront(store: string): Promise<StoreFront> {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 })
  let passed: PassedRequest[] = []
  let delays: Delays = { readMs: 0, writeMs: 0 }
  const server = createServer(async (incoming, response) => {
    const { method = '', url = '' } = incoming
    passed.push({ method, url })
    const isRead = method === 'GET' || method === 'HEAD'
    const ms = isRead ? delays.readMs : delays.writeMs
    if (ms > 0) await sleep(ms)
    pass(incoming, response, { store, agent })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    taken: () => {
      const taken = passed
      passed = []
      return taken
    },
    delay: (next) => {
      delays = next
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      agent.destroy()
    },
  }
}

function pass(
  incoming: IncomingMessage,
  response: ServerResponse,
  { store, agent }: { readonly store: string; readonly agent: Agent },
): void {
  // With the host that was signed.
  const { method, url, headers } = incoming
  const passed = request(new URL(url ?? '/', store), { method, headers, agent }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    answer.pipe(response)
  })
  passed.once('error', () => response.destroy())
  response.once('close', () => passed.destroy())
  incoming.pipe(passed)
}
