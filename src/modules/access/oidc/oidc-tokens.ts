import type { JWTPayload, JWTVerifyOptions } from 'jose'
import { isPrincipalName } from '../../../core/access/principal-name.ts'
import type { KnownPrincipal } from '../../../http/authorizer.ts'
import { ProblemError } from '../../../problem/problems.ts'
import { type ClaimPaths, namesOfClaims } from './claim-names.ts'
import { expiredCredential, invalidCredential } from './credential-problems.ts'
import { type IssuerDependencies, OidcIssuer, type Provider, withoutSlash } from './oidc-issuer.ts'

/** Only those of key pairs: `none` and HMAC with a public key as its secret are forgeries. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]
const SKEW_SECONDS = 60
const RETRY_SECONDS = 5

export interface OidcOptions {
  /** Addresses of providers, with or without a slash at the end. */
  readonly issuers: readonly string[]
  readonly audiences: readonly string[]
  readonly claims: ClaimPaths
}

export interface VerifiedUser {
  readonly user: KnownPrincipal
  readonly expiresAtMs: number
}

/** Tokens of identity providers. */
export class OidcTokens {
  readonly #options: OidcOptions
  readonly #issuers: ReadonlyMap<string, OidcIssuer>
  readonly #nowMs: () => number

  constructor(options: OidcOptions, deps: IssuerDependencies) {
    this.#options = options
    this.#nowMs = deps.nowMs
    this.#issuers = new Map(
      options.issuers.map(withoutSlash).map((address) => [address, new OidcIssuer(address, deps)]),
    )
  }

  /** Asks all providers, so that a mistake in the settings is in the log at once. */
  async lookForAll(): Promise<void> {
    await Promise.all([...this.#issuers.values()].map((issuer) => issuer.provider()))
  }

  /** Where clients get tokens: that of the first provider; `undefined` if it is not known. */
  async tokenEndpoint(): Promise<string | undefined> {
    const [first] = this.#issuers.values()
    return (await first?.provider())?.tokenEndpoint
  }

  /**
   * `undefined` for a token that names none of the issuers. Throws `credential-invalid`,
   * `credential-expired` or `identity-provider-unavailable`.
   */
  async verify(token: string): Promise<VerifiedUser | undefined> {
    const issuer = this.#issuers.get(withoutSlash(await issuerOf(token)))
    if (issuer === undefined) return undefined
    const provider = await issuer.provider()
    if (provider === undefined) throw unavailable(issuer.address)
    const checked = await this.#check(token, provider)
    if (checked !== 'no-such-key') return this.#userOf(checked)
    const later = await issuer.providerWithNewKeys()
    if (later === undefined || later === provider) throw invalidCredential()
    const again = await this.#check(token, later)
    if (again === 'no-such-key') throw invalidCredential()
    return this.#userOf(again)
  }

  async #check(token: string, provider: Provider): Promise<JWTPayload | 'no-such-key'> {
    const { errors } = await import('jose')
    const options = {
      algorithms: ALGORITHMS,
      issuer: provider.issuer,
      audience: [...this.#options.audiences],
      requiredClaims: ['sub', 'exp'],
      clockTolerance: SKEW_SECONDS,
      currentDate: new Date(this.#nowMs()),
    }
    try {
      return await verifyBy(token, provider, options)
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return 'no-such-key'
      if (error instanceof errors.JWTExpired) {
        throw expiredCredential('The token has expired: get a new one from the identity provider')
      }
      // The signature was right, so the caller may be told what is in the token.
      if (error instanceof errors.JWTClaimValidationFailed) throw wrongClaim(error, this.#options)
      if (error instanceof errors.JOSEError || error instanceof TypeError) throw invalidCredential()
      throw error
    }
  }

  #userOf(payload: JWTPayload): VerifiedUser {
    const { iss = '', sub = '', exp = 0 } = payload
    const name = `user:${iss}~${sub}`
    if (!isPrincipalName(name)) throw invalidCredential('The subject of the token is no name')
    const memberOf = namesOfClaims(payload, this.#options.claims)
    const user: KnownPrincipal = { kind: 'user', name, scopes: null, memberOf }
    return { user, expiresAtMs: (exp + SKEW_SECONDS) * 1_000 }
  }
}

async function verifyBy(
  token: string,
  { keys }: Provider,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  const { errors, jwtVerify } = await import('jose')
  try {
    return (await jwtVerify(token, keys, options)).payload
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    // The token does not name its key.
    for await (const key of error) {
      const payload = await jwtVerify(token, key, options).then(
        (verified) => verified.payload,
        (refusal: unknown) => {
          if (refusal instanceof errors.JWSSignatureVerificationFailed) return undefined
          throw refusal
        },
      )
      if (payload !== undefined) return payload
    }
    throw new errors.JWSSignatureVerificationFailed()
  }
}

/** As the token says, unverified; empty if it says nothing. */
async function issuerOf(token: string): Promise<string> {
  const { decodeJwt } = await import('jose')
  try {
    const { iss } = decodeJwt(token)
    return typeof iss === 'string' ? iss : ''
  } catch {
    return ''
  }
}

function wrongClaim({ claim }: { readonly claim: string }, { audiences }: OidcOptions) {
  if (claim !== 'aud') return invalidCredential(`The token cannot be used: look at its "${claim}"`)
  return invalidCredential(
    `The token is for another audience than ${audiences.join(' or ')}: let the identity provider ` +
      'put that into "aud", or the operator change MORAINE_OIDC_AUDIENCE',
  )
}

function unavailable(address: string): ProblemError {
  const detail = `The keys of ${address} could not be read yet, so no token of it can be verified`
  const facts = { retryAfterSeconds: RETRY_SECONDS }
  return new ProblemError('identity-provider-unavailable', detail, { facts })
}
