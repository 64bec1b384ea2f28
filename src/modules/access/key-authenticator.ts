import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { KeyRecord } from '../../catalog/key-store.ts'
import { isFresh } from '../../core/is-fresh.ts'
import type { Authenticator } from '../../http/authenticator.ts'
import { ANONYMOUS, type KnownPrincipal, type Principal } from '../../http/authorizer.ts'
import { TrustedProxies } from '../../http/serve/trusted-proxies.ts'
import { ProblemError } from '../../problem/problems.ts'
import type { AccessTokens } from './access-tokens.ts'
import type { CkanCallers } from './ckan/ckan-callers.ts'
import { parseKeyText, sha256 } from './key-text.ts'
import { expiredCredential, invalidCredential } from './oidc/credential-problems.ts'
import type { OidcTokens, VerifiedUser } from './oidc/oidc-tokens.ts'

/** Tokens that were verified, by hash: verifying costs more than all else of a request. */
const VERIFIED_MAX = 10_000
/** A provider may have withdrawn the key since: with the age of its keys, ten minutes in all. */
const REMEMBERED_MS = 5 * 60_000

const NO_BEARER = 'Send the key or token as `Authorization: Bearer <key>`, and as nothing else'

interface Remembered {
  readonly verified: Verified | VerifiedUser
  readonly atMs: number
}
const HOUR_MS = 3_600_000
/** What proxies add to requests of others. */
const FORWARDED = ['x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'forwarded', 'via']
const TOKEN_EXPIRED = 'The token has expired: get a new one'
/** Longer ones are no credential of this service. */
const CREDENTIAL_LENGTH_MAX = 16_384

export interface KeyRing {
  readonly keys: ReadonlyMap<string, KeyRecord>
}

export interface AuthenticatorOptions {
  readonly ring: KeyRing
  readonly tokens: AccessTokens
  readonly oidc: OidcTokens | undefined
  readonly ckan: CkanCallers | undefined
  readonly nowMs: () => number
  readonly trustedProxies: readonly string[]
}

interface Verified {
  readonly keyId: string
  readonly expiresAtMs: number
}

/** Signs callers in by the keys of the catalog, and by tokens that were given for one. */
export class KeyAuthenticator implements Authenticator {
  readonly #options: AuthenticatorOptions
  readonly #proxies: TrustedProxies
  readonly #verified = new Map<string, Remembered>()
  #uses = new Map<string, number>()

  constructor(options: AuthenticatorOptions) {
    this.#options = options
    this.#proxies = new TrustedProxies(options.trustedProxies)
  }

  authenticate(request: IncomingMessage): Principal | Promise<Principal> {
    const { authorization } = request.headers
    const ofCkan = this.#options.ckan?.find(request.headers)
    if (ofCkan === undefined && authorization === undefined) return ANONYMOUS
    this.requirePrivate(request)
    if (ofCkan !== undefined) return ofCkan
    const [, token] = /^bearer +(\S+) *$/i.exec(authorization ?? '') ?? []
    if (token === undefined) throw invalidCredential(NO_BEARER)
    if (token.length > CREDENTIAL_LENGTH_MAX) throw invalidCredential()
    if (token.startsWith('mor_')) return this.signInByKey(token)
    const hash = sha256(token)
    const known = this.#verified.get(hash)
    const isKnown = known && isFresh(known.atMs, REMEMBERED_MS, this.#options.nowMs())
    return isKnown ? this.#ofToken(known.verified) : this.#verify(token, hash)
  }

  /** Throws `credential-over-plain-http` when others on the way could read the credential. */
  requirePrivate(request: IncomingMessage): void {
    const address = request.socket.remoteAddress ?? ''
    const { 'x-forwarded-proto': proto } = request.headers
    if (this.#proxies.has(address) && proto !== undefined) {
      if (proto === 'https') return
    } else if (isLoopback(address) && this.#isFromHere(request)) return
    const detail =
      `A key came over plain HTTP from ${this.#proxies.clientOf(request) ?? address}: use https ` +
      'behind a trusted proxy, which says so in X-Forwarded-Proto'
    throw new ProblemError('credential-over-plain-http', detail)
  }

  /** Whether a trusted proxy on this machine, if there is one in between, has it from here, too. */
  #isFromHere(request: IncomingMessage): boolean {
    const { socket, headers } = request
    const isForwarded = FORWARDED.some((name) => headers[name] !== undefined)
    if (!isForwarded || !this.#proxies.has(socket.remoteAddress ?? '')) return true
    const isToldWhence = headers['x-forwarded-for'] !== undefined
    return isToldWhence && isLoopback(this.#proxies.clientOf(request) ?? '')
  }

  /** Throws `credential-invalid` or `credential-expired`. */
  signInByKey(text: string): KnownPrincipal {
    const key = parseKeyText(text)
    const record = key === undefined ? undefined : this.#options.ring.keys.get(key.keyId)
    if (key === undefined || record === undefined) throw invalidCredential()
    const [given, kept] = [Buffer.from(key.hash), Buffer.from(record.secretHash)]
    if (given.length !== kept.length || !timingSafeEqual(given, kept)) throw invalidCredential()
    return this.#principalOf(record)
  }

  /** How many tokens are remembered as verified. */
  get rememberedCount(): number {
    return this.#verified.size
  }

  /** The hours in which keys were used since the last call. */
  takeUses(): ReadonlyMap<string, number> {
    const uses = this.#uses
    this.#uses = new Map()
    return uses
  }

  /** Takes them back, if they could not be written: what was used since then is later. */
  giveBack(uses: ReadonlyMap<string, number>): void {
    this.#uses = new Map([...uses, ...this.#uses])
  }

  async #verify(token: string, hash: string): Promise<Principal> {
    const verified = (await this.#options.oidc?.verify(token)) ?? (await this.#verifyOwn(token))
    const principal = this.#ofToken(verified)
    if (this.#verified.size >= VERIFIED_MAX) this.#verified.clear()
    this.#verified.set(hash, { verified, atMs: this.#options.nowMs() })
    return principal
  }

  async #verifyOwn(token: string): Promise<Verified> {
    const verified = await this.#options.tokens.verify(token)
    if (verified === 'expired') throw expiredCredential(TOKEN_EXPIRED)
    if (verified === 'invalid') throw invalidCredential()
    return verified
  }

  #ofToken(verified: Verified | VerifiedUser): Principal {
    if (verified.expiresAtMs <= this.#options.nowMs()) throw expiredCredential(TOKEN_EXPIRED)
    if ('user' in verified) return verified.user
    const record = this.#options.ring.keys.get(verified.keyId)
    if (record === undefined) throw invalidCredential()
    return this.#principalOf(record)
  }

  #principalOf({ keyId, scopes, revokedAtMs, expiresAtMs }: KeyRecord): KnownPrincipal {
    if (revokedAtMs !== null) throw invalidCredential()
    const nowMs = this.#options.nowMs()
    if (expiresAtMs !== null && expiresAtMs <= nowMs) throw expiredCredential('The key has expired')
    this.#uses.set(keyId, nowMs - (nowMs % HOUR_MS))
    return { kind: 'key', name: `key:${keyId}`, scopes }
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./.test(address)
}
