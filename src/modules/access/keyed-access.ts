import type { Ambient } from '../../core/ambient.ts'
import type { Authorizer } from '../../http/authorizer.ts'
import { AccessTokens } from './access-tokens.ts'
import { type BookDependencies, BookKeeper } from './book-keeper.ts'
import { GrantAuthorizer } from './grant-authorizer.ts'
import { KeyAuthenticator } from './key-authenticator.ts'
import { PathRule, type PathRuleDependencies } from './path-rule.ts'

type AccessDependencies = BookDependencies & PathRuleDependencies & { readonly ambient: Ambient }

/** Access control by keys and grants, with everything that a check needs in memory. */
export class KeyedAccess {
  readonly keeper: BookKeeper
  readonly authorizer: GrantAuthorizer & Authorizer
  readonly authenticator: KeyAuthenticator
  readonly tokens: AccessTokens
  readonly #deps: BookDependencies

  private constructor(
    keeper: BookKeeper,
    deps: AccessDependencies,
    trustedProxies: readonly string[],
  ) {
    const { nowMs } = deps.ambient
    this.keeper = keeper
    this.#deps = deps
    this.authorizer = new GrantAuthorizer(keeper, new PathRule(keeper, deps))
    this.tokens = new AccessTokens(deps)
    const { tokens } = this
    this.authenticator = new KeyAuthenticator({ ring: keeper, tokens, nowMs, trustedProxies })
  }

  static async open(
    deps: AccessDependencies,
    { trustedProxies }: { readonly trustedProxies: readonly string[] },
  ): Promise<KeyedAccess> {
    return new KeyedAccess(await BookKeeper.open(deps), deps, trustedProxies)
  }

  /** Makes known what this process has changed; a failure is mended by the next look at events. */
  async follow(): Promise<void> {
    try {
      await this.keeper.catchUp()
    } catch (err) {
      this.#deps.log.warn({ err }, 'a change of names could not be followed; trying again')
    }
  }

  /** Writes down when keys were used. */
  async noteUses(): Promise<void> {
    const uses = this.authenticator.takeUses()
    if (uses.size > 0) await this.#deps.catalog.keys.noteUses(uses)
  }

  async close(): Promise<void> {
    await this.keeper.close()
    await this.noteUses()
  }
}
