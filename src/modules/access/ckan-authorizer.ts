import type { Stores } from '../../catalog/catalog.ts'
import type { Privilege } from '../../core/access/privilege.ts'
import { ckanResourceOf } from '../../core/table-properties.ts'
import {
  ANONYMOUS,
  type Authorizer,
  type Decision,
  type KnownPrincipal,
  type Principal,
  type Target,
} from '../../http/authorizer.ts'
import type { CkanCallers } from './ckan/ckan-callers.ts'
import type { CkanDecisions } from './ckan/ckan-decisions.ts'
import type { GrantAuthorizer } from './grant-authorizer.ts'

/** Reading a table is reading its resource. */
const ACTION = 'resource_show'

export interface CkanAuthorizerDependencies extends Stores<'tables'> {
  readonly grants: GrantAuthorizer
  readonly callers: CkanCallers
  readonly decisions: CkanDecisions
}

interface Asked {
  readonly principal: Principal
  readonly privilege: Privilege
  readonly target: Target
}

/**
 * Decides by grants, as for keys; who has none may read the tables whose resources CKAN lets them
 * read. Only keys change anything.
 */
export class CkanAuthorizer implements Authorizer {
  readonly #deps: CkanAuthorizerDependencies
  readonly namespaceOf: NonNullable<Authorizer['namespaceOf']>
  readonly visibilityOf: Authorizer['visibilityOf']
  readonly readersOf: Authorizer['readersOf']
  readonly policyOn: Authorizer['policyOn']
  readonly nameOf: NonNullable<Authorizer['nameOf']>
  readonly requirePaths: Authorizer['requirePaths']

  constructor(deps: CkanAuthorizerDependencies) {
    this.#deps = deps
    this.namespaceOf = (levels) => deps.grants.namespaceOf(levels)
    this.visibilityOf = (principal) => deps.grants.visibilityOf(principal)
    this.readersOf = (principal) => deps.grants.readersOf(principal)
    this.policyOn = (principal, tableUuid) => deps.grants.policyOn(principal, tableUuid)
    this.nameOf = (target) => deps.grants.nameOf(target)
    this.requirePaths = (...asked) => deps.grants.requirePaths(...asked)
  }

  mayChange({ kind }: Principal): boolean {
    return kind === 'key'
  }

  authorize(
    principal: Principal,
    privilege: Privilege,
    target: Target,
  ): Decision | Promise<Decision> {
    const granted = this.#deps.grants.authorize(principal, privilege, target)
    if (principal.kind === 'key') return granted
    if (principal.kind === 'user' && principal.isProven?.() === false) {
      return this.#decideOn(principal, { granted, privilege, target })
    }
    return this.#decide(granted, { principal, privilege, target })
  }

  /** What is granted to the caller by name, and so to nobody's invention, proves who it is. */
  async #decideOn(
    principal: KnownPrincipal,
    {
      granted,
      ...asked
    }: {
      readonly granted: Decision | Promise<Decision>
      readonly privilege: Privilege
      readonly target: Target
    },
  ): Promise<Decision> {
    const { grants, callers } = this.#deps
    const [own, others] = await Promise.all([
      granted,
      grants.authorize(callers.stranger, asked.privilege, asked.target),
    ])
    if (own !== others) callers.prove(principal)
    return this.#decide(own, { principal, ...asked })
  }

  #decide(
    granted: Decision | Promise<Decision>,
    { principal, privilege, target }: Asked,
  ): Decision | Promise<Decision> {
    if (privilege !== 'describe' && privilege !== 'select') return withoutKey(principal, granted)
    return granted instanceof Promise
      ? granted.then((late) => this.#orAsk(late, { principal, privilege, target }))
      : this.#orAsk(granted, { principal, privilege, target })
  }

  #orAsk(granted: Decision, asked: Asked): Decision | Promise<Decision> {
    if (granted === 'allowed' || granted === 'restricted') return granted
    return asked.target.on === 'table' ? this.#ask(granted, asked.target, asked) : granted
  }

  async #ask(
    granted: Decision,
    target: Extract<Target, { on: 'table' }>,
    { principal, privilege }: { readonly principal: Principal; readonly privilege: Privilege },
  ): Promise<Decision> {
    const { grants, callers, decisions, catalog } = this.#deps
    const { place } = await grants.find(target)
    if (place === undefined) return granted
    const table = await catalog.tables.find({ tableUuid: place.uuid })
    if (table === undefined) return granted
    const resourceId = ckanResourceOf(table.definition.properties) ?? place.uuid
    const credential = callers.credentialOf(principal)
    if (!(await decisions.isAllowed({ credential, action: ACTION, resourceId }))) return granted
    if (principal.kind === 'user') await this.#prove(principal, resourceId)
    const isWithheld = grants.policyOn(principal, place.uuid) !== undefined
    return privilege === 'select' && isWithheld ? 'restricted' : 'allowed'
  }

  /** What CKAN shows to everybody, it shows to whoever sends an invention, too. */
  async #prove(principal: KnownPrincipal, resourceId: string): Promise<void> {
    if (principal.isProven?.() !== false) return
    const { callers, decisions } = this.#deps
    const asked = { credential: callers.credentialOf(ANONYMOUS), action: ACTION, resourceId }
    try {
      if (!(await decisions.isAllowed(asked))) callers.prove(principal)
    } catch {
      // It was let in all the same: the audit says who, and it is counted another time.
      callers.letIn(principal)
    }
  }
}

/** Whatever is granted to everybody. */
async function withoutKey(
  principal: Principal,
  granted: Decision | Promise<Decision>,
): Promise<Decision> {
  const decision = await granted
  if (decision !== 'allowed') return decision
  return principal.kind === 'anonymous' ? 'unauthenticated' : 'denied'
}
