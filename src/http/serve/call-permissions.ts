import type { Found } from '../../core/access/found.ts'
import { includes, type Privilege } from '../../core/access/privilege.ts'
import type { RequirePaths } from '../../core/access/require-paths.ts'
import type { Readers, Visibility } from '../../core/access/visibility.ts'
import { CatalogError } from '../../core/errors.ts'
import type { AnswerKeeper, AskedNamespace, KeptWithEffect } from '../../core/replay.ts'
import { nameKey } from '../../core/table/name-key.ts'
import { shown, shownName, shownNamespace } from '../../core/table/shown-name.ts'
import { parseTableIdentifier } from '../../core/table/table-name.ts'
import type { HeldPolicy } from '../../core/table/table-policy.ts'
import { ProblemError } from '../../problem/problems.ts'
import type { Authorizer, Decision, Principal, Target } from '../authorizer.ts'
import type { Asked, AuthorizeFound, Requirement, RowsShown, TargetCall } from '../permission.ts'

/** One call may ask for a thousand; so many are kept to tell of. */
const ASKED_KEPT_MAX = 50

/** What is told of a question, once it was decided. */
type Noted = { -readonly [Key in keyof Asked]: Asked[Key] }

/** What was allowed, if it keeps to the policies in that way. */
interface Allowed extends Asked {
  readonly rows: RowsShown | undefined
}

const CATALOG: Target = { on: 'catalog', name: undefined }

/** For a table of which nobody says what is left, though a policy holds for the caller. */
const SHOWS_NOTHING: HeldPolicy = { rowFilter: null, except: [], isTrusted: false }

/** The permission checks of one call. */
export class CallPermissions {
  readonly principal: Principal
  readonly #authorizer: Authorizer
  #hasAsked = false
  readonly #asked: Asked[] = []
  #refused: Asked | undefined
  /** Names of tables from which rows or columns are withheld. */
  readonly #restricted = new Set<unknown>()
  /** By the key of the name by which it was asked for. */
  readonly #allowed = new Map<string, Allowed[]>()
  /** On which changes were allowed. */
  readonly #namespaces: AskedNamespace[] = []
  /** UUIDs of what was found by a name: from then on it means that. */
  readonly #found = new Map<string, string>()

  constructor(authorizer: Authorizer, principal: Principal) {
    this.#authorizer = authorizer
    this.principal = principal
  }

  /** Whether any permission was checked. */
  get hasAsked(): boolean {
    return this.#hasAsked
  }

  /** What was asked for, in order; of very many only the first. */
  get asked(): readonly Asked[] {
    return this.#asked
  }

  /** The last that was refused. */
  get refused(): Asked | undefined {
    return this.#refused
  }

  /**
   * Throws `permission-denied`, that the thing is not found, or `credential-missing`.
   * Returns a promise only if the authorizer must look something up.
   */
  require(
    privilege: Privilege,
    target: Target,
    rows?: Requirement['rows'],
  ): Promise<void> | undefined {
    this.#hasAsked = true
    const asked: Noted = { privilege, target }
    if (this.#asked.length < ASKED_KEPT_MAX) this.#asked.push(asked)
    const decision = this.#decide(privilege, target)
    const decide = (made: Decision) => {
      if (made === 'restricted' && rows !== undefined) this.#restricted.add(target.name)
      else if (made !== 'allowed') throw this.#refuse(asked, made)
      asked.decision = 'allowed'
      this.#noteAllowed({ ...asked, rows })
      return undefined
    }
    return typeof decision === 'string' ? decide(decision) : decision.then(decide)
  }

  /** Whether the principal has the privilege; that it is lacking is no refusal. */
  async may(privilege: Privilege, target: Target): Promise<boolean> {
    this.#hasAsked = true
    const isAllowed = (await this.#decide(privilege, target)) === 'allowed'
    if (isAllowed) this.#noteAllowed({ privilege, target, rows: undefined })
    return isAllowed
  }

  #decide(privilege: Privilege, target: Target): Decision | Promise<Decision> {
    const isChange = privilege !== 'describe' && privilege !== 'select'
    if (target.on === 'namespace' && target.name.length > 0 && isChange) {
      const near = this.#authorizer.namespaceOf?.(target.name)
      if (near !== undefined) return this.#decideOn(near, privilege, target)
    }
    const key = this.#found.size === 0 ? undefined : keyOf(target)
    const uuid = this.#found.get(key ?? '')
    const meant = uuid === undefined ? target : ({ on: target.on, name: uuid } as Target)
    return this.#authorizer.authorize(this.principal, privilege, meant)
  }

  /** The change is made only while the name leads there. */
  async #decideOn(
    near: Promise<AskedNamespace | undefined>,
    privilege: Privilege,
    target: Extract<Target, { on: 'namespace' }>,
  ): Promise<Decision> {
    const found = await near
    const meant = found === undefined ? target : { ...target, uuid: found.namespaceUuid }
    const decision = await this.#authorizer.authorize(this.principal, privilege, meant)
    if (found !== undefined && decision === 'allowed') this.#namespaces.push(found)
    return decision
  }

  #noteAllowed(allowed: Allowed): void {
    const key = keyOf(allowed.target)
    if (key === undefined) return
    const known = this.#allowed.get(key)
    if (known === undefined) this.#allowed.set(key, [allowed])
    else if (known.every((each) => !isSame(each, allowed))) known.push(allowed)
  }

  readonly found: Found = ({ on, name, uuid }) => {
    const key = keyOf({ on, name })
    if (key === undefined) return undefined
    this.#found.set(key, uuid)
    const allowed = this.#allowed.get(key)
    return allowed && this.#requireOn(uuid, allowed)
  }

  async #requireOn(uuid: string, allowed: readonly Allowed[]): Promise<void> {
    for (const { privilege, target, rows } of allowed) {
      const meant = { on: target.on, name: uuid } as Target
      const decision = await this.#authorizer.authorize(this.principal, privilege, meant)
      if (decision === 'restricted' && rows !== undefined) this.#restricted.add(target.name)
      else if (decision !== 'allowed') throw this.#refuse({ privilege, target }, decision)
    }
  }

  /** The policy on the table, if it holds for the principal; `asked` as `PolicyOn` has it. */
  policyOn(tableUuid: string, asked?: string): HeldPolicy | undefined {
    const policy = this.#authorizer.policyOn(this.principal, tableUuid)
    if (policy !== undefined) return policy
    const isOne = asked === undefined ? this.#restricted.size > 0 : this.#restricted.has(asked)
    return isOne ? SHOWS_NOTHING : undefined
  }

  #refuse(asked: Asked, decision: Exclude<Decision, 'allowed'>): Error {
    this.#refused = { ...asked, decision }
    // Whoever is told that it is there may be told its name.
    const name = decision === 'hidden' ? undefined : this.#authorizer.nameOf?.(asked.target)
    return refusalOf(this.principal, decision, { ...asked, ...(name !== undefined && { name }) })
  }

  /** What lists show the principal; `undefined`: everything. */
  get visibleTo(): Visibility | undefined {
    return this.#authorizer.visibilityOf(this.principal)
  }

  /** By whom rows are read that lists tell of; `undefined`: all are. */
  get readBy(): Readers | undefined {
    return this.#authorizer.readersOf(this.principal)
  }

  readonly requirePaths: RequirePaths = (paths, ownLocation) =>
    this.#authorizer.requirePaths(this.principal, paths, ownLocation)

  /** It is no privilege more than the name was asked for: of what is allowed nothing is told. */
  readonly requireFound: AuthorizeFound = (privilege, { asked: name, tableUuid }, rows) =>
    this.#requireOn(tableUuid, [{ privilege, target: { on: 'table', name }, rows }])

  /** Whether the principal may change anything at all. */
  get mayChange(): boolean {
    return this.#authorizer.mayChange?.(this.principal) ?? true
  }

  /** Every change passes by the keeper of its call: of who may make none, it throws. */
  keeperOf(keeper: AnswerKeeper): AnswerKeeper {
    if (this.mayChange) return this.#holding(keeper)
    const decision = this.principal.kind === 'anonymous' ? 'unauthenticated' : 'denied'
    const refuse = () => {
      throw this.#refuse({ privilege: 'modify', target: CATALOG }, decision)
    }
    return { withEffect: refuse, keeping: () => refuse, withoutEffect: refuse }
  }

  #holding(keeper: AnswerKeeper): AnswerKeeper {
    const hold = (kept: KeptWithEffect): KeptWithEffect =>
      this.#namespaces.length === 0 ? kept : { ...kept, namespaces: [...this.#namespaces] }
    return {
      withEffect: (answer) => hold(keeper.withEffect(answer)),
      keeping: (answer) => {
        const keep = keeper.keeping(answer)
        return (result) => hold(keep(result))
      },
      withoutEffect: (answer) => keeper.withoutEffect(answer),
    }
  }

  async requireAll(
    privilege: Privilege,
    targets: readonly Target[],
    rows?: Requirement['rows'],
  ): Promise<void> {
    this.#hasAsked = true
    for (const target of targets) await this.require(privilege, target, rows)
  }
}

/** What a table or view is known by that is named; `undefined` for all else. */
function keyOf({ on, name }: Target): string | undefined {
  if (on !== 'table' && on !== 'view') return undefined
  const id = typeof name === 'string' ? parseTableIdentifier(name) : name
  if ('tableUuid' in id) return undefined
  return [on, ...id.namespace.map(nameKey), nameKey(id.name)].join('\u001f')
}

function isSame(left: Allowed, right: Allowed): boolean {
  return left.privilege === right.privilege && left.rows === right.rows
}

/** The target that a route names for this call. */
export function targetOf<Query>(
  { on, target }: Requirement<Query>,
  call: TargetCall<Query, string>,
): Target {
  return { on, name: target(call) } as Target
}

function refusalOf(
  principal: Principal,
  decision: Exclude<Decision, 'allowed'>,
  { privilege, target, name }: Asked & { readonly name?: string },
): Error {
  if (decision === 'hidden') return notFound(target)
  if (decision === 'unauthenticated' && principal.kind !== 'anonymous') {
    const detail = 'The key or token has ended since the request began: use another one'
    return new ProblemError('credential-invalid', detail)
  }
  if (decision === 'unauthenticated') {
    const detail = 'Sign in: send a key or a token as Authorization: Bearer'
    return new ProblemError('credential-missing', detail)
  }
  const { on } = target
  const named = name ?? nameOfTarget(target)
  if (decision === 'restricted') {
    const table = named ?? ''
    const detail =
      `A policy withholds rows or columns of ${table} from you: with select, read what is left ` +
      `at /v1/tables/${table}/dump or /rows, or ask who has manage_grants on it to except you`
    return new ProblemError('table-restricted', detail, { facts: { privilege, table } })
  }
  const what = named === undefined ? `this ${on}` : `the ${on} ${named}`
  const scopes = scopesShortOf(principal, privilege)
  const told = scopes?.join(', ') || 'none'
  const ofKey =
    principal.kind === 'key'
      ? `whatever is granted, the scopes of your key (${told}) permit no more`
      : 'whoever sends no key may only read'
  const detail = `You lack the privilege ${privilege} on ${what}${scopes ? `: ${ofKey}` : ''}`
  const facts = {
    ...{ privilege, on, ...(named !== undefined && { [on]: named }) },
    ...(scopes !== undefined && { scopes }),
  }
  return new ProblemError('permission-denied', detail, { facts })
}

/** The scopes of the caller's key, where they do not go so far. */
function scopesShortOf(principal: Principal, wanted: Privilege): readonly Privilege[] | undefined {
  if (principal.kind === 'anonymous' || principal.scopes === null) return undefined
  const isShort = wanted !== 'describe' && !principal.scopes.some((each) => includes(each, wanted))
  return isShort ? principal.scopes : undefined
}

/** As if it did not exist. */
function notFound(target: Target): Error {
  const { on } = target
  const named = nameOfTarget(target) ?? ''
  const options = { facts: { [on]: named } }
  switch (on) {
    case 'namespace':
      return new CatalogError('namespace-not-found', `Namespace does not exist: ${named}`, options)
    case 'view':
      return new ProblemError('view-not-found', `View does not exist: ${named}`, options)
    case 'export':
      return new ProblemError('export-not-found', `There is no export ${named}`, {
        facts: { task: named },
      })
    case 'transaction':
      return new CatalogError('transaction-not-found', `there is no transaction ${named}`, options)
    default:
      return new CatalogError('table-not-found', `Table does not exist: ${named}`, options)
  }
}

function nameOfTarget({ name }: Target): string | undefined {
  if (name === undefined) return undefined
  if (typeof name === 'string') return shown(name)
  return 'namespace' in name ? shownName(name) : shownNamespace(name)
}
