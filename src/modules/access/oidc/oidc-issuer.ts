import type { createLocalJWKSet, JSONWebKeySet } from 'jose'
import { z } from 'zod'
import { isPrivateAddress } from '../../../core/access/private-address.ts'
import { isFresh } from '../../../core/is-fresh.ts'
import type { Log } from '../../../core/log.ts'

const DISCOVERY = '/.well-known/openid-configuration'
const TIMEOUT_MS = 5_000
const BYTES_MAX = 1024 * 1024
/** Between two tries to reach a provider that is down. */
const RETRY_MS = 5_000
/** Between two looks for a key that is not known: whoever invents keys causes no more. */
const LOOK_MS = 30_000
/** Keys that are older are read again, at first without a wait for them. */
const FRESH_MS = 150_000
/** Nothing is verified by older ones while the provider answers. */
const WAITED_FOR_MS = 300_000
/** How long keys are believed while the provider cannot be asked. */
const BELIEVED_MS = 86_400_000

const Discovery = z.looseObject({
  issuer: z.string(),
  jwks_uri: z.url(),
  token_endpoint: z.string().optional(),
})
const KeySet = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) })

export interface Provider {
  /** As tokens name it. */
  readonly issuer: string
  /** Finds the key that a token names. */
  readonly keys: ReturnType<typeof createLocalJWKSet>
  readonly tokenEndpoint: string | undefined
  readonly readAtMs: number
}

export interface IssuerDependencies {
  readonly nowMs: () => number
  readonly log: Log
}

/** What an identity provider publishes, read when it is needed and again when it is old. */
export class OidcIssuer {
  /** Without a slash at its end. */
  readonly address: string
  readonly #deps: IssuerDependencies
  #known: Provider | undefined
  #triedAtMs = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined
  #isDown = false

  constructor(address: string, deps: IssuerDependencies) {
    this.address = address
    this.#deps = deps
  }

  /** As it was read last; `undefined` while it cannot be. */
  async provider(): Promise<Provider | undefined> {
    const ageMs = this.#ageMs()
    if (ageMs <= FRESH_MS) return this.#known
    const reading = this.#read(RETRY_MS)
    if (ageMs > WAITED_FOR_MS) await reading
    return this.#ageMs() > BELIEVED_MS ? undefined : this.#known
  }

  /** Reads again, for a key that is not known yet, unless that was done a moment ago. */
  async providerWithNewKeys(): Promise<Provider | undefined> {
    await this.#read(LOOK_MS)
    return this.#known
  }

  #ageMs(): number {
    const ageMs = this.#deps.nowMs() - (this.#known?.readAtMs ?? Number.NEGATIVE_INFINITY)
    // Read by a clock that was ahead.
    return ageMs < 0 ? Number.POSITIVE_INFINITY : ageMs
  }

  /** One at a time, for all who wait. Never rejects. */
  async #read(pauseMs: number): Promise<void> {
    if (this.#reading !== undefined) return this.#reading
    const nowMs = this.#deps.nowMs()
    if (isFresh(this.#triedAtMs, pauseMs, nowMs)) return
    this.#triedAtMs = nowMs
    this.#reading = this.#readNow(nowMs).finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readNow(readAtMs: number): Promise<void> {
    const { log } = this.#deps
    try {
      const found = Discovery.parse(await readJson(this.address + DISCOVERY))
      if (withoutSlash(found.issuer) !== this.address) {
        const told = JSON.stringify(found.issuer)
        throw new Error(`it calls itself ${told}: set MORAINE_OIDC_ISSUER to that`)
      }
      const { createLocalJWKSet: local } = await import('jose')
      const keys = local(KeySet.parse(await readJson(found.jwks_uri)) as JSONWebKeySet)
      const { issuer, token_endpoint: tokenEndpoint } = found
      this.#known = { issuer, keys, tokenEndpoint, readAtMs }
      if (this.#isDown) log.warn({}, `the identity provider ${this.address} answers again`)
      this.#isDown = false
    } catch (error) {
      if (this.#isDown) return
      this.#isDown = true
      log.warn({}, `the identity provider ${this.address} cannot be asked: ${causeOf(error)}`)
    }
  }
}

/** The issuer's name in its discovery address, with which it is often confused. */
export function withoutSlash(address: string): string {
  const end = address.indexOf(DISCOVERY)
  return (end < 0 ? address : address.slice(0, end)).replace(/\/+$/, '')
}

async function readJson(url: string): Promise<unknown> {
  if (!isPrivateAddress(url)) throw new Error(`${url} is not https`)
  const response = await fetch(url, {
    redirect: 'error',
    headers: { Accept: 'application/json' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (!response.ok) {
    await response.body?.cancel()
    throw new Error(`${url} answers ${response.status}`)
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk)
    bytes += chunk.byteLength
    if (bytes > BYTES_MAX) throw new Error(`${url} answers more than ${BYTES_MAX} bytes`)
  }
  return JSON.parse(Buffer.concat(chunks).toString()) as unknown
}

function causeOf(error: unknown): string {
  const { message, cause } = error as Error
  const deeper = cause instanceof Error ? ` (${cause.message})` : ''
  return (message + deeper).replaceAll(/\s+/g, ' ').slice(0, 300)
}
