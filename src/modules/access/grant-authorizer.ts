import { CATALOG_SECURABLE, exportSecurable, type Place } from '../../catalog/grant-store.ts'
import { BIT_OF, bitsThatInclude, type Privilege } from '../../core/access/privilege.ts'
import type { Readers, Visibility } from '../../core/access/visibility.ts'
import type { AskedNamespace } from '../../core/replay.ts'
import { shownName } from '../../core/table/shown-name.ts'
import { parseTableIdentifier } from '../../core/table/table-name.ts'
import type { HeldPolicy } from '../../core/table/table-policy.ts'
import {
  type Authorizer,
  type Decision,
  nameOfPrincipal,
  type Principal,
  type Target,
} from '../../http/authorizer.ts'
import type { BookKeeper } from './book-keeper.ts'
import { chainOf, chainOfDropped } from './grant-book.ts'
import { holds, isInScope } from './key-scopes.ts'
import type { PathRule } from './path-rule.ts'

/** A place that may not be there: then what is above it counts. */
export interface Found {
  readonly place: Place | undefined
  /** What a privilege may be given on, the nearest first. */
  readonly chain: readonly string[]
  /** Whether it was dropped, and datasets of it live. */
  readonly isDropped?: boolean
}

interface Asked {
  readonly principal: Principal
  readonly target: Target
  readonly place: Place | undefined
}

const ONLY_CATALOG: Found = { place: undefined, chain: [CATALOG_SECURABLE] }

/** Whether there is an export task the folder of tasks knows, and its routes tell. */
const NEEDS_NO_PLACE: ReadonlySet<Target['on']> = new Set(['catalog', 'export'])

/** Decides by the grants of the catalog, from memory. */
export class GrantAuthorizer implements Authorizer {
  readonly #keeper: BookKeeper
  readonly #paths: PathRule

  constructor(keeper: BookKeeper, paths: PathRule) {
    this.#keeper = keeper
    this.#paths = paths
  }

  authorize(
    principal: Principal,
    privilege: Privilege,
    target: Target,
  ): Decision | Promise<Decision> {
    // A request may have waited, or sent its body for hours.
    if (principal.kind !== 'anonymous' && this.#keeper.isEnded(principal)) return 'unauthenticated'
    if (target.on === 'transaction') return this.#onTransaction(principal, target.name)
    const found = this.find(target)
    if (found instanceof Promise) {
      return found.then((late) => this.#decide(principal, privilege, { target, found: late }))
    }
    return this.#decide(principal, privilege, { target, found })
  }

  requirePaths(
    principal: Principal,
    paths: readonly string[],
    ownLocation?: string,
  ): Promise<void> | undefined {
    return this.#paths.require(principal, paths, ownLocation)
  }

  visibilityOf(principal: Principal): Visibility | undefined {
    const { book } = this.#keeper
    if (holds(book, principal, 'describe', [CATALOG_SECURABLE])) return undefined
    return { principals: book.namesOf(principal) }
  }

  nameOf(target: Target): string | undefined {
    if ((target.on !== 'table' && target.on !== 'view') || typeof target.name !== 'string') {
      return undefined
    }
    if (!('tableUuid' in parseTableIdentifier(target.name))) return undefined
    const found = this.find(target)
    if (found instanceof Promise || found.place === undefined) return undefined
    return shownName({ namespace: found.place.levels, name: found.place.name })
  }

  readersOf(principal: Principal): Readers {
    const { book } = this.#keeper
    if (!isInScope(principal, 'select')) return { principals: [], everywhere: 'none' }
    const principals = book.namesOf(principal)
    const bits = book.bitsOf(principals, [CATALOG_SECURABLE])
    const all = (bits & BIT_OF.admin) !== 0 ? 'all' : 'kept'
    return { principals, everywhere: (bits & bitsThatInclude('select')) === 0 ? 'none' : all }
  }

  policyOn(principal: Principal, tableUuid: string): HeldPolicy | undefined {
    const { book } = this.#keeper
    return book.policyFor(book.namesOf(principal), tableUuid)
  }

  /** The thing that a target names, and everything above it. Throws `name-invalid`. */
  find(target: Exclude<Target, { on: 'transaction' }>): Found | Promise<Found> {
    if (target.on === 'catalog') return ONLY_CATALOG
    if (target.on === 'namespace') return this.#findNamespace(target.name, target.uuid)
    if (target.on === 'export') {
      return { place: undefined, chain: [exportSecurable(target.name), CATALOG_SECURABLE] }
    }
    const { on: kind, name } = target
    const id = typeof name === 'string' ? parseTableIdentifier(name) : name
    const place =
      'tableUuid' in id
        ? this.#keeper.findByUuid(id.tableUuid, kind)
        : this.#keeper.findPlace({ kind, levels: id.namespace, name: id.name })
    const found = (at: Place | undefined) => {
      if (at !== undefined) return foundOf(at)
      return 'tableUuid' in id && kind === 'table' ? this.#findDropped(id.tableUuid) : ONLY_CATALOG
    }
    return place instanceof Promise ? place.then(found) : found(place)
  }

  /** A dropped table is there as long as datasets of it are, which are read by what it had. */
  #findDropped(tableUuid: string): Found {
    if (!this.#keeper.book.isDropped(tableUuid)) return ONLY_CATALOG
    return { place: undefined, chain: chainOfDropped(tableUuid), isDropped: true }
  }

  async namespaceOf(levels: readonly string[]): Promise<AskedNamespace | undefined> {
    for (let depth = levels.length; depth > 0; depth--) {
      const named = { kind: 'namespace', levels: levels.slice(0, depth) } as const
      const place = await this.#keeper.findPlaceNow(named)
      if (place !== undefined) return { levels: place.levels, namespaceUuid: place.uuid }
    }
    return undefined
  }

  /** Without a namespace of that name, the nearest one above it counts: of the UUID, if any. */
  #findNamespace(levels: readonly string[], uuid?: string): Found | Promise<Found> {
    if (levels.length === 0) return ONLY_CATALOG
    if (uuid !== undefined) return this.#findNear(levels, uuid)
    const place = this.#keeper.findPlace({ kind: 'namespace', levels })
    return place instanceof Promise
      ? place.then((late) => this.#namespaceOrAbove(late, levels))
      : this.#namespaceOrAbove(place, levels)
  }

  async #findNear(levels: readonly string[], uuid: string): Promise<Found> {
    const place = await this.#keeper.findByUuid(uuid, 'namespace')
    if (place === undefined) return ONLY_CATALOG
    const isIt = place.levels.length === levels.length
    return isIt ? foundOf(place) : { place: undefined, chain: chainOf(place) }
  }

  async #aboveNamespace(levels: readonly string[]): Promise<Found> {
    const { chain } = await this.#findNamespace(levels.slice(0, -1))
    return { place: undefined, chain }
  }

  #namespaceOrAbove(place: Place | undefined, levels: readonly string[]): Found | Promise<Found> {
    return place === undefined ? this.#aboveNamespace(levels) : foundOf(place)
  }

  #decide(
    principal: Principal,
    privilege: Privilege,
    { target, found }: { readonly target: Target; readonly found: Found },
  ): Decision {
    const { book } = this.#keeper
    const names = book.namesOf(principal)
    const { place, chain } = found
    const isNamed = NEEDS_NO_PLACE.has(target.on) || isRoot(target)
    const isThere = place !== undefined || isNamed || found.isDropped === true
    const bits = book.bitsOf(names, chain)
    const isPath = this.#isPath(names, { principal, target, place })
    const isGranted = (bits & bitsThatInclude(privilege)) !== 0
    const has = isGranted || (privilege === 'describe' && isPath)
    // `modify` on the catalog is to read and change every table, by keys to all files.
    const isAll = target.on === 'catalog' && privilege === 'modify'
    if (isAll && book.isRestrictedAnywhere(names)) return 'denied'
    if (has && isInScope(principal, privilege)) {
      // Whoever has it from the catalog may be told by the route that nothing is there.
      const mayKnow = isThere || privilege === 'create' || (bits & BIT_OF.admin) !== 0
      return mayKnow ? 'allowed' : 'hidden'
    }
    const isWithheld = target.on === 'table' && this.#isWithheld(principal, privilege, found)
    if (isWithheld) return 'restricted'
    const isSeen = isPath || (bits & bitsThatInclude('describe')) !== 0
    return refusalOf(principal, privilege, { target, isThere, isSeen })
  }

  /** Whether only a policy on the table takes the privilege away. */
  #isWithheld(principal: Principal, privilege: Privilege, { chain }: Found): boolean {
    const { book } = this.#keeper
    const names = book.namesOf(principal)
    if (!book.isRestricted(names, chain[0]) || !isInScope(principal, privilege)) return false
    return (book.grantedTo(names, chain) & bitsThatInclude(privilege)) !== 0
  }

  /** Whether a namespace is on the way to something that is granted. */
  #isPath(names: readonly string[], { principal, target, place }: Asked): boolean {
    if (target.on !== 'namespace') return false
    const { book } = this.#keeper
    if (isRoot(target)) {
      return principal.kind !== 'anonymous' || book.hasGrantsWithin(names, CATALOG_SECURABLE)
    }
    if (place === undefined) return false
    const isGranted = book.hasGrantsWithin(names, place.uuid)
    // Who may make things in it may see it.
    return isGranted || (book.bitsOf(names, chainOf(place)) & bitsThatInclude('create')) !== 0
  }

  /** A transaction belongs to who started it, and to administrators. */
  #onTransaction(principal: Principal, id: string): Decision | Promise<Decision> {
    const decide = (starter: string | null | undefined): Decision => {
      if (starter === nameOfPrincipal(principal)) return 'allowed'
      if (holds(this.#keeper.book, principal, 'admin', [CATALOG_SECURABLE])) return 'allowed'
      return principal.kind === 'anonymous' ? 'unauthenticated' : 'hidden'
    }
    const starter = this.#keeper.findStarter(id)
    return starter instanceof Promise ? starter.then(decide) : decide(starter)
  }
}

function refusalOf(
  principal: Principal,
  privilege: Privilege,
  asked: { readonly target: Target; readonly isThere: boolean; readonly isSeen: boolean },
): Decision {
  const { target, isThere, isSeen } = asked
  if (principal.kind === 'anonymous') return 'unauthenticated'
  if (target.on === 'catalog' || isRoot(target)) return 'denied'
  // Whoever may not make things in it is not told whether the namespace is there.
  if (target.on === 'namespace' && privilege === 'create') return 'denied'
  return isThere && isSeen ? 'denied' : 'hidden'
}

function foundOf(place: Place): Found {
  return { place, chain: chainOf(place) }
}

function isRoot({ on, name }: Target): boolean {
  return on === 'namespace' && name.length === 0
}
