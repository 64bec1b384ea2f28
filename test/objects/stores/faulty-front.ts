import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What happens to a request on its way to the store. */
export type Fault =
  /** The store does not see it. */
  | { readonly kind: 'answer'; readonly status: number; readonly body?: string }
  /** The store has done it, and nobody is told. */
  | { readonly kind: 'lost-answer' }
  /** Only so many bytes of the answer arrive. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** One bit of the answer's body arrives as another. */
  | { readonly kind: 'damaged' }
  /** The store does not see it, and nobody ever answers. */
  | { readonly kind: 'silence' }

export interface SeenRequest {
  readonly method: string
  readonly path: string
  /** Who signed it, or whose token it has. */
  readonly accessKey: string | undefined
  readonly authorization: string | undefined
}

/** A store behind a network that fails as it is told. */
export interface FaultyFront {
  readonly endpoint: string
  readonly seen: SeenRequest[]
  /** Each fault happens once, to the next request that is like this. */
  fail(isLike: (seen: SeenRequest) => boolean, ...faults: readonly Fault[]): void
  /** All, until it is undone. */
  failAll(fault: Fault | undefined): void
  close(): Promise<void>
}

export async function openFaultyFront(store: string): Promise<FaultyFront> {
  const planned: { isLike: (seen: SeenRequest) => boolean; fault: Fault }[] = []
  const seen: SeenRequest[] = []
  let always: Fault | undefined
  const server = createServer((incoming, response) => {
    const one = seenOf(incoming)
    seen.push(one)
    const index = planned.findIndex(({ isLike }) => isLike(one))
    const [next] = index === -1 ? [] : planned.splice(index, 1)
    pass(store, { incoming, response, fault: always ?? next?.fault })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    seen,
    fail: (isLike, ...faults) => planned.push(...faults.map((fault) => ({ isLike, fault }))),
    failAll: (fault) => {
      always = fault
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function seenOf({ method = '', url = '', headers }: IncomingMessage): SeenRequest {
  const { authorization } = headers
  const accessKey = /Credential=([^/]+)\//.exec(authorization ?? '')?.[1]
  return { method, path: url, accessKey: accessKey ?? issuerOf(authorization), authorization }
}

/** Whose own token it is. */
function issuerOf(authorization = ''): string | undefined {
  const payload = /^Bearer [\w-]+\.([\w-]+)\./.exec(authorization)?.[1]
  return payload && JSON.parse(Buffer.from(payload, 'base64url').toString()).iss
}

interface Passage {
  readonly incoming: IncomingMessage
  readonly response: ServerResponse
  readonly fault: Fault | undefined
}

function pass(store: string, { incoming, response, fault }: Passage): void {
  if (fault?.kind === 'answer') {
    incoming.resume().once('end', () => response.writeHead(fault.status).end(fault.body))
    return
  }
  if (fault?.kind === 'silence') {
    incoming.resume()
    return
  }
  // With the host that was signed.
  const { method, url, headers } = incoming
  const passed = request(new URL(url ?? '/', store), { method, headers }, (answer) => {
    if (fault?.kind === 'lost-answer') {
      answer.resume().once('end', () => response.destroy())
      return
    }
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    if (fault?.kind === 'cut') cut(answer, response, fault.afterBytes)
    else if (fault?.kind === 'damaged') damage(answer, response)
    else answer.pipe(response)
  })
  passed.once('error', () => response.destroy())
  incoming.pipe(passed)
}

function damage(answer: IncomingMessage, response: ServerResponse): void {
  let isFirst = true
  answer.on('data', (chunk: Buffer) => {
    const sent = Buffer.from(chunk)
    if (isFirst) sent[0] = (sent[0] ?? 0) ^ 1
    isFirst = false
    response.write(sent)
  })
  answer.once('end', () => response.end())
}

function cut(answer: IncomingMessage, response: ServerResponse, afterBytes: number): void {
  let left = afterBytes
  answer.on('data', (chunk: Buffer) => {
    if (left <= 0) return
    response.write(chunk.subarray(0, left), () => {
      if (left <= 0) response.destroy()
    })
    left -= chunk.length
    if (left <= 0) answer.destroy()
  })
}
