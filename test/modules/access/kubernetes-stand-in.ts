import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

/** What an API server of Kubernetes publishes about its service accounts, and signs for them. */
export interface KubernetesStandIn {
  readonly issuer: string
  /** A projected token of a pod, as the kubelet asks for it. */
  token(account: {
    readonly namespace: string
    readonly name: string
    readonly audiences?: readonly string[]
  }): Promise<string>
  stop(): Promise<void>
}

/**
 * Its keys are at another address than the issuer, as `--service-account-jwks-uri` has them, and
 * it has no token endpoint, as Kubernetes has none.
 */
export async function startKubernetesStandIn(): Promise<KubernetesStandIn> {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const kid = 'fe3nQr2q-T7kQvSxZ'
  const keys = [{ ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' }]
  const keeper = await serve({ '/openid/v1/jwks': () => ({ keys }) })
  const server = await serve({
    '/.well-known/openid-configuration': () => ({
      issuer: server.address,
      jwks_uri: `${keeper.address}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    }),
  })
  return {
    issuer: server.address,
    token: ({ namespace, name, audiences = ['moraine', server.address] }) => {
      const nowSeconds = Math.floor(Date.now() / 1_000)
      const uid = '1a7b8c9d-0e1f-4a2b-8c3d-4e5f6a7b8c9d'
      const claims = {
        namespace,
        node: { name: 'worker-1', uid },
        pod: { name: `${name}-7d9c`, uid },
        serviceaccount: { name, uid },
      }
      return new SignJWT({ 'kubernetes.io': claims, jti: crypto.randomUUID() })
        .setProtectedHeader({ alg: 'RS256', kid })
        .setIssuer(server.address)
        .setAudience([...audiences])
        .setSubject(`system:serviceaccount:${namespace}:${name}`)
        .setIssuedAt(nowSeconds)
        .setNotBefore(nowSeconds)
        .setExpirationTime(nowSeconds + 3_607)
        .sign(privateKey)
    },
    stop: async () => {
      await Promise.all([keeper.stop(), server.stop()])
    },
  }
}

async function serve(documents: Readonly<Record<string, () => object>>) {
  const listener: RequestListener = ({ url = '' }, response) => {
    const document = documents[url]
    response.writeHead(document === undefined ? 404 : 200, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(document?.() ?? {}))
  }
  const server: Server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
