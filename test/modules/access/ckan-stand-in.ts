import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One look-up, as it came. */
export interface CkanLookUp {
  readonly action: string
  readonly id: string
  readonly headers: IncomingHttpHeaders
}

export interface CkanStandIn {
  readonly address: string
  readonly lookUps: CkanLookUp[]
  /** Who may read a resource: `public`, or the credentials of those who may. */
  readonly readers: Map<string, 'public' | readonly string[]>
  /** Answers in place of what CKAN would say; `undefined`: as CKAN. */
  instead: ((response: ServerResponse) => void) | undefined
  stop(): Promise<void>
}

/**
 * No CKAN, but the one part of its API that is asked here: `resource_show`, with the statuses and
 * bodies of CKAN 2.11, which takes its credential from either header.
 */
export async function startCkanStandIn(): Promise<CkanStandIn> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://ckan')
    const id = searchParams.get('id') ?? ''
    const { headers } = request
    const action = pathname.slice('/api/3/action/'.length)
    standIn.lookUps.push({ action, id, headers })
    if (standIn.instead !== undefined) return standIn.instead(response)
    const credential = String(headers['x-ckan-api-key'] ?? headers.authorization ?? '')
    const readers = standIn.readers.get(id)
    if (readers === undefined) return refuse(response, 404, 'Not Found Error', 'Not found')
    if (readers === 'public' || readers.includes(credential)) {
      return send(response, 200, { success: true, result: { id, name: 'flights' } })
    }
    const denied = `Access denied: User not authorized to read resource ${id}`
    return refuse(response, 403, 'Authorization Error', denied)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const standIn: CkanStandIn = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lookUps: [],
    readers: new Map(),
    instead: undefined,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return standIn
}

function refuse(response: ServerResponse, status: number, type: string, message: string): void {
  send(response, status, { success: false, error: { __type: type, message } })
}

function send(response: ServerResponse, status: number, json: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify({ help: 'https://docs.ckan.org', ...json }))
}
