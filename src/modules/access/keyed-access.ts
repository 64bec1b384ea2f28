import type { IncomingMessage } from 'node:http'
import type { Stores } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { Authorizer } from '../../http/authorizer.ts'
import { type AccessToken, AccessTokens } from './access-tokens.ts'
import { type BookDependencies, BookKeeper } from './book-keeper.ts'
import { CkanCallers } from './ckan/ckan-callers.ts'
import { CkanDecisions } from './ckan/ckan-decisions.ts'
import { CkanAuthorizer } from './ckan-authorizer.ts'
import { GrantAuthorizer } from './grant-authorizer.ts'
import { KeyAuthenticator } from './key-authenticator.ts'
import { parseKeyText } from './key-text.ts'
import { invalidCredential } from './oidc/credential-problems.ts'
import { type OidcOptions, OidcTokens } from './oidc/oidc-tokens.ts'
import { PathRule, type PathRuleDependencies } from './path-rule.ts'

type AccessDependencies = BookDependencies &
  PathRuleDependencies &
  Stores<'tables'> & { readonly ambient: Ambient }

const HOUR_MS = 3_600_000

export interface KeyedAccessOptions {
  readonly trustedProxies: readonly string[]
  /** Identity providers whose tokens sign callers in; `undefined`: none. */
  readonly oidc?: OidcOptions | undefined
  /** Address of the CKAN that decides who else may read; `undefined`: none. */
  readonly ckanUrl?: string | undefined
  /** How often the last uses of keys are written; every hour by default. */
  readonly noteEveryMs?: number
}

/** Access control by keys and grants, with everything that a check needs in memory. */
export class KeyedAccess {
  readonly keeper: BookKeeper
  readonly mode: 'keys' | 'oidc' | 'ckan'
  /** Decides by grants alone. */
  readonly grants: GrantAuthorizer
  readonly authorizer: Authorizer
  readonly authenticator: KeyAuthenticator
  readonly tokens: AccessTokens
  /** Whether tokens of identity providers name roles, which need not be known here. */
  readonly hasForeignRoles: boolean
  /** Tokens of identity providers, if there are some. */
  readonly oidc: OidcTokens | undefined
  readonly #deps: BookDependencies
  readonly #noting: NodeJS.Timeout

  private constructor(
    keeper: BookKeeper,
    deps: AccessDependencies,
    { trustedProxies, oidc, ckanUrl, noteEveryMs = HOUR_MS }: KeyedAccessOptions,
  ) {
    const { nowMs } = deps.ambient
    this.keeper = keeper
    this.#deps = deps
    this.grants = new GrantAuthorizer(keeper, new PathRule(keeper, deps))
    const ckan = ckanUrl === undefined ? undefined : new CkanCallers(ckanUrl)
    this.mode = ckan !== undefined ? 'ckan' : oidc !== undefined ? 'oidc' : 'keys'
    this.tokens = new AccessTokens(deps)
    const { log, catalog } = deps
    if (ckanUrl === undefined || ckan === undefined) this.authorizer = this.grants
    else {
      const decisions = new CkanDecisions({ address: ckanUrl, nowMs, log })
      const { grants } = this
      this.authorizer = new CkanAuthorizer({ grants, callers: ckan, decisions, catalog })
    }
    this.hasForeignRoles = (oidc?.claims.roles.length ?? 0) > 0
    this.oidc = oidc === undefined ? undefined : new OidcTokens(oidc, { nowMs, log })
    const { tokens } = this
    const known = { ring: keeper, tokens, oidc: this.oidc, ckan }
    this.authenticator = new KeyAuthenticator({ ...known, nowMs, trustedProxies })
    // A provider that is down stops no start.
    void this.oidc?.lookForAll()
    // Each process has the uses of its own, so this is no task of one replica.
    this.#noting = setInterval(() => void this.noteUses(), noteEveryMs).unref()
  }

  static async open(deps: AccessDependencies, options: KeyedAccessOptions): Promise<KeyedAccess> {
    return new KeyedAccess(await BookKeeper.open(deps), deps, options)
  }

  /**
   * A token for whoever sends the id of a key and the key, or its secret part. Throws
   * `credential-invalid`, `credential-expired` or `credential-over-plain-http`.
   */
  async tokenFor(
    request: IncomingMessage,
    { id, secret }: { readonly id: string; readonly secret: string },
  ): Promise<AccessToken> {
    this.authenticator.requirePrivate(request)
    const text = secret.startsWith('mor_') ? secret : `mor_${id}_${secret}`
    if (parseKeyText(text)?.keyId !== id) throw invalidCredential()
    this.authenticator.signInByKey(text)
    return this.tokens.issue(id, this.keeper.keys.get(id)?.expiresAtMs)
  }

  /** Makes known what this process has changed; a failure is mended by the next look at events. */
  async follow(): Promise<void> {
    try {
      await this.keeper.catchUp()
    } catch (err) {
      this.#deps.log.warn({ err }, 'a change of names could not be followed; trying again')
    }
  }

  /** Writes down when keys were used; a failure is mended by the next time. */
  async noteUses(): Promise<void> {
    const uses = this.authenticator.takeUses()
    if (uses.size === 0) return
    try {
      await this.#deps.catalog.keys.noteUses(uses)
    } catch (err) {
      this.authenticator.giveBack(uses)
      this.#deps.log.warn({ err }, 'the last uses of keys could not be written; trying again')
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#noting)
    await this.keeper.close()
    await this.noteUses()
  }
}
