import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { BoundedMap } from '../../../core/bounded-map.ts'
import type { KnownPrincipal, Principal } from '../../../http/authorizer.ts'
import { invalidCredential } from '../oidc/credential-problems.ts'

const LENGTH_MAX = 16_384
/** Callers for whom CKAN has vouched that are remembered. */
const PROVEN_MAX = 10_000
const KEY = /mor_[a-z0-9]{12}_/

/** What a caller sends for CKAN, by header, as it came. Empty: nothing. */
export type CkanCredential = Readonly<Partial<Record<'authorization' | 'x-ckan-api-key', string>>>

const NOTHING: CkanCredential = {}
const SCOPES = ['select'] as const

/** Callers who sign in by what CKAN knows. Nobody here can read their credentials. */
export class CkanCallers {
  readonly #address: string
  /** Apart from the principals, which are in logs and events. */
  readonly #credentials = new WeakMap<Principal, CkanCredential>()
  readonly #proven = new BoundedMap<string, true>(PROVEN_MAX)
  readonly #letIn = new WeakSet<Principal>()
  /** Has what every credential has, known to CKAN or invented. */
  readonly stranger: Principal

  constructor(address: string) {
    this.#address = address
    // No such name can be granted anything.
    this.stranger = { kind: 'user', name: `user:${address}~`, scopes: SCOPES }
  }

  /**
   * `undefined` without a credential for CKAN: a key, or a token of this service, is sent as
   * `Bearer`. Throws `credential-invalid` for a key that is not: CKAN must not see it.
   */
  find(headers: IncomingHttpHeaders): Principal | undefined {
    const credential = credentialIn(headers)
    if (credential === undefined) return undefined
    const text = JSON.stringify(credential)
    if (text.length > LENGTH_MAX) throw invalidCredential()
    if (KEY.test(text)) throw invalidCredential('Send a key as `Authorization: Bearer <key>`')
    const name = `user:${this.#address}~${hashOf(text)}`
    const isProven = () => this.#proven.get(name) === true
    const isLetIn = () => this.#letIn.has(principal)
    const principal: Principal = { kind: 'user', name, scopes: SCOPES, isProven, isLetIn }
    this.#credentials.set(principal, credential)
    return principal
  }

  /** For this request only: CKAN has let the caller in, and does not say whether others, too. */
  letIn(principal: KnownPrincipal): void {
    this.#letIn.add(principal)
  }

  /** CKAN, or a grant, has let the caller in where not everybody is let in. */
  prove({ name }: KnownPrincipal): void {
    this.#proven.set(name, true)
  }

  credentialOf(principal: Principal): CkanCredential {
    return this.#credentials.get(principal) ?? NOTHING
  }
}

/** SHA-256, in base64url. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function credentialIn(headers: IncomingHttpHeaders): CkanCredential | undefined {
  const { authorization } = headers
  const apiKey = headers['x-ckan-api-key']
  // CKAN forgets what has a space, and a key may be in it.
  if (authorization !== undefined && /\s/.test(authorization.trim())) return undefined
  if (authorization === undefined && typeof apiKey !== 'string') return undefined
  return {
    ...(authorization !== undefined && { authorization }),
    ...(typeof apiKey === 'string' && { 'x-ckan-api-key': apiKey }),
  }
}
