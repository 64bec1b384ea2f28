import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface PrefixProxy {
  /** Origin and prefix, as clients know the service. */
  readonly url: string
  /** The service behind it, known only after the proxy has its port. */
  target: string
  close(): Promise<void>
}

/** A reverse proxy that serves another server below `prefix`, which it strips or passes on. */
export async function startPrefixProxy(
  prefix: string,
  headers: Readonly<Record<string, string>> = {},
  { strips = true } = {},
): Promise<PrefixProxy> {
  const forward = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { url = '', method } = incoming
    if (!url.startsWith(`${prefix}/`)) {
      outgoing.writeHead(404).end('this path is not of the service')
      return
    }
    const path = strips ? url.slice(prefix.length) : url
    const passed = request(proxy.target, {
      ...{ method, path, headers: { ...incoming.headers, ...headers } },
    })
    passed.on('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(outgoing)
    })
    passed.on('error', () => outgoing.destroy())
    incoming.pipe(passed)
  }
  const server = createServer(forward)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const proxy = {
    url: `http://127.0.0.1:${port}${prefix}`,
    target: '',
    close: () => {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  return proxy
}
