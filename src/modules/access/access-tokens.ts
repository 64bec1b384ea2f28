import { randomBytes } from 'node:crypto'
import type { Stores } from '../../catalog/catalog.ts'
import type { SigningKey } from '../../catalog/key-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { dayOf } from '../../core/value/date-time.ts'

const LIFETIME_SECONDS = 900
const SECRET_BYTES = 32
const ISSUER = 'moraine'
const ALGORITHM = 'HS256'
const DAY = /^\d{4}-\d{2}-\d{2}$/
const SKEW_SECONDS = 60
const DAY_MS = 86_400_000
const REMEMBERED_MAX = 8

export interface AccessToken {
  readonly token: string
  readonly expiresInSeconds: number
}

/**
 * Short-lived tokens for keys, signed by a secret of the catalog that all replicas share and that
 * is another each day.
 */
export class AccessTokens {
  readonly #deps: Stores<'keys'> & { readonly ambient: Ambient }
  /** The secret of a day never changes. */
  readonly #keys = new Map<string, SigningKey>()

  constructor(deps: Stores<'keys'> & { readonly ambient: Ambient }) {
    this.#deps = deps
  }

  /** A token for the key, which ends no later than the key does. */
  async issue(keyId: string, keyExpiresAtMs: number | null = null): Promise<AccessToken> {
    const { SignJWT } = await import('jose')
    const nowMs = this.#deps.ambient.nowMs()
    const { id, secret } = await this.#keyOfDay(dayOf(nowMs))
    const nowSeconds = Math.floor(nowMs / 1_000)
    const keyEndsAt = Math.floor((keyExpiresAtMs ?? Number.POSITIVE_INFINITY) / 1_000)
    const endsAt = Math.min(nowSeconds + LIFETIME_SECONDS, keyEndsAt)
    const token = await new SignJWT()
      .setProtectedHeader({ alg: ALGORITHM, kid: id })
      .setIssuer(ISSUER)
      .setAudience(ISSUER)
      .setSubject(keyId)
      .setIssuedAt(nowSeconds)
      .setExpirationTime(endsAt)
      .sign(Buffer.from(secret, 'base64url'))
    return { token, expiresInSeconds: endsAt - nowSeconds }
  }

  /** One of a clock that was ahead counts as expired: it would live for longer than it may. */
  async verify(
    token: string,
  ): Promise<{ readonly keyId: string; readonly expiresAtMs: number } | 'expired' | 'invalid'> {
    const { decodeProtectedHeader, errors, jwtVerify } = await import('jose')
    try {
      const { kid = '' } = decodeProtectedHeader(token)
      const key = await this.#findKey(kid)
      if (key === undefined) return 'invalid'
      const nowMs = this.#deps.ambient.nowMs()
      const { payload } = await jwtVerify(token, Buffer.from(key.secret, 'base64url'), {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: ISSUER,
        requiredClaims: ['sub', 'iat', 'exp'],
        currentDate: new Date(nowMs),
      })
      const { iat = Number.POSITIVE_INFINITY } = payload
      if (iat * 1_000 > nowMs + SKEW_SECONDS * 1_000) return 'expired'
      return { keyId: payload.sub ?? '', expiresAtMs: (payload.exp ?? 0) * 1_000 }
    } catch (error) {
      if (error instanceof errors.JWTExpired) return 'expired'
      if (error instanceof errors.JOSEError || error instanceof TypeError) return 'invalid'
      throw error
    }
  }

  async #keyOfDay(id: string): Promise<SigningKey> {
    const known = this.#keys.get(id)
    if (known !== undefined) return known
    const secret = randomBytes(SECRET_BYTES).toString('base64url')
    const createdAtMs = this.#deps.ambient.nowMs()
    return this.#remember(await this.#deps.catalog.keys.keepSigningKey({ id, secret, createdAtMs }))
  }

  /** Only those of today and yesterday can have signed anything: a forged id is not looked up. */
  async #findKey(id: string): Promise<SigningKey | undefined> {
    const nowMs = this.#deps.ambient.nowMs()
    const skewMs = (LIFETIME_SECONDS + SKEW_SECONDS) * 1_000
    const days = [dayOf(nowMs - DAY_MS), dayOf(nowMs), dayOf(nowMs + skewMs)]
    if (!DAY.test(id) || !days.includes(id)) return undefined
    // Made if nobody has: then a forged token costs one look-up a day, not one each.
    return this.#keyOfDay(id)
  }

  #remember(key: SigningKey): SigningKey {
    if (this.#keys.size >= REMEMBERED_MAX) this.#keys.clear()
    this.#keys.set(key.id, key)
    return key
  }
}
