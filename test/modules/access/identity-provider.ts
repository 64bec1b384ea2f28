import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK } from 'jose'

/** The real `oidc-provider`, which has no types of its own: what is used of it. */
interface Provider {
  callback(): RequestListener
}
type NewProvider = new (issuer: string, configuration: object) => Provider

const CLIENT = { client_id: 'loader', client_secret: 'of the loader' }
/** These send their secret in the form, as engines of Iceberg do. */
const ENGINES = ['engine', 'analyst'].map((name) => ({
  ...{ client_id: name, client_secret: `${name}-secret` },
  token_endpoint_auth_method: 'client_secret_post',
}))
const LIFETIME_SECONDS = 300

export interface IdentityProvider {
  readonly issuer: string
  /** How many requests came, by path. */
  readonly asked: Map<string, number>
  /** A token by client credentials; its subject is the client. */
  token(options?: { readonly audience?: string; readonly client?: string }): Promise<string>
  /** Signs with another key from now on, and publishes only that. */
  rotate(): Promise<void>
  stop(): Promise<void>
  /** Again, at the same address. */
  start(): Promise<void>
}

export interface ProviderOptions {
  /** Further claims of every token. */
  readonly claims?: object
  readonly path?: string
  readonly port?: number
  readonly lifetimeSeconds?: number
}

/** A whole identity provider in this process, on a port of its own. */
export async function startIdentityProvider({
  claims = {},
  path = '',
  port: wantedPort = 0,
  lifetimeSeconds = LIFETIME_SECONDS,
}: ProviderOptions = {}): Promise<IdentityProvider> {
  // It warns of what is for production only.
  Object.assign(console, { warn: () => undefined, info: () => undefined })
  const name = 'oidc-provider'
  const { default: Provider } = (await import(name)) as { default: NewProvider }
  let listener: RequestListener = (_request, response) => response.writeHead(503).end()
  const asked = new Map<string, number>()
  const server: Server = createServer((request, response) => {
    const url = request.url ?? ''
    asked.set(url, (asked.get(url) ?? 0) + 1)
    request.url = url.slice(path.length)
    Object.assign(request, { originalUrl: url })
    listener(request, response)
  })
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()))
  await listen(wantedPort)
  const { port } = server.address() as AddressInfo
  const issuer = `http://127.0.0.1:${port}${path}`
  let count = 0
  const rotate = async () => {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true })
    const key: JWK = { ...(await exportJWK(privateKey)), kid: `key-${++count}`, use: 'sig' }
    const clients = [CLIENT, { ...CLIENT, client_id: 'reader' }, ...ENGINES].map((client) => ({
      ...client,
      ...{ grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
    }))
    const provider = new Provider(issuer, {
      ...{ clients, jwks: { keys: [key] }, extraTokenClaims: () => claims },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          // Engines name none.
          defaultResource: () => 'urn:moraine',
          getResourceServerInfo: (_context: unknown, resource: string) => ({
            ...{ scope: '', audience: resource.replace('urn:', ''), accessTokenFormat: 'jwt' },
            accessTokenTTL: lifetimeSeconds,
            jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
    })
    listener = provider.callback()
  }
  await rotate()
  return {
    issuer,
    asked,
    rotate,
    token: async ({ audience = 'moraine', client = CLIENT.client_id } = {}) => {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: {
          Authorization: `Basic ${btoa(`${client}:${encodeURIComponent(CLIENT.client_secret)}`)}`,
          'Content-Type': 'application/x-www-form-urlencoded',
        },
        body: `grant_type=client_credentials&resource=urn:${audience}`,
      })
      const { access_token } = (await response.json()) as { access_token: string }
      return access_token
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
    start: () => listen(port),
  }
}
