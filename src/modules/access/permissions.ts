import {
  CATALOG_SECURABLE,
  exportOfSecurable,
  exportSecurable,
  type Grant,
  isPlaceSecurable,
  type Place,
} from '../../catalog/grant-store.ts'
import type { Found } from '../../core/access/found.ts'
import { ANONYMOUS_NAME, EVERYONE } from '../../core/access/principal-name.ts'
import type { Privilege } from '../../core/access/privilege.ts'
import { CatalogError } from '../../core/errors.ts'
import type { AnswerKeeper } from '../../core/replay.ts'
import type { Principal, Target } from '../../http/authorizer.ts'
import { ProblemError } from '../../problem/problems.ts'
import { type AccessPlatform, administrators, lastAdmin, requireAccess } from './access-platform.ts'
import type { Reason } from './grant-book.ts'
import { isInScope } from './key-scopes.ts'
import { requirePrincipals, roleGone } from './named-principals.ts'

type PlaceTarget = Exclude<Target, { on: 'transaction' }>
interface PermissionCheck {
  readonly allowed: boolean
  /** Whether only a policy takes it away. */
  readonly restricted: boolean
  readonly because: readonly Reason[]
}

type Bestowed = Omit<Grant, 'securable'>

/** In place of a principal: no principal is called so. */
const THROUGH_POLICY = 'policy'
/** Whom nobody can sign in as, so that nothing may be left to them. */
const NOBODY_IN_PARTICULAR = [ANONYMOUS_NAME, EVERYONE]

/** A thing, and who is told of what its name was found to be. */
export interface AskedPlace {
  readonly target: PlaceTarget
  readonly found: Found
}

/** Those given on the thing itself, by principal and privilege. */
export async function listPermissions(
  platform: AccessPlatform,
  asked: AskedPlace,
): Promise<readonly Bestowed[]> {
  return await listOn(platform, (await securableOf(platform, asked)).securable)
}

async function listOn(
  { catalog }: AccessPlatform,
  securable: string,
): Promise<readonly Bestowed[]> {
  const grants = await catalog.grants.listOn([securable])
  return grants
    .map(({ principal, privilege }) => ({ principal, privilege }))
    .sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1))
}

/** Returns those given on the thing from then on, whatever is called so by then. */
export async function changePermissions(
  platform: AccessPlatform,
  asked: AskedPlace,
  change: {
    readonly grant: readonly Bestowed[]
    readonly revoke: readonly Bestowed[]
    readonly keeper: AnswerKeeper
  },
): Promise<readonly Bestowed[]> {
  const { target } = asked
  const { grant, revoke, keeper } = change
  for (const { principal, privilege } of grant) {
    const isTooMuch = privilege === 'admin' && NOBODY_IN_PARTICULAR.includes(principal)
    if (isTooMuch) throw new CatalogError('request-invalid', `${principal} cannot be given admin`)
  }
  if (target.on === 'export' && grant.length > 0) await platform.requireExport(target.name)
  const roles = await requirePrincipals(
    platform,
    grant.map(({ principal }) => principal),
  )
  const { securable, name } = await securableOf(platform, asked)
  const outcome = await platform.catalog.grants.change(
    { securable, name, grant, revoke, roles, ...administrators(platform) },
    keeper.withEffect({ status: 200 }),
  )
  if (outcome === 'role-gone') throw roleGone()
  if (outcome === 'last-admin') throw lastAdmin()
  if (outcome === 'not-found') throw gone(target)
  await requireAccess(platform).keeper.catchUp()
  // Who gave its own privileges away may see that.
  return await listOn(platform, securable)
}

/**
 * Whether the principal has the privilege, and every grant that gives it; last comes the policy
 * that takes it away, if one does. `undefined`: who cannot sign in any longer.
 */
export async function checkPermission(
  platform: AccessPlatform,
  principal: Principal | undefined,
  { privilege, target }: { readonly privilege: Privilege; readonly target: PlaceTarget },
): Promise<PermissionCheck> {
  const { grants, keeper } = requireAccess(platform)
  if (principal === undefined || !(await isThere(platform, target))) {
    return { allowed: false, restricted: false, because: [] }
  }
  const decision = await platform.authorizer.authorize(principal, privilege, target)
  const allowed = decision === 'allowed'
  const restricted = decision === 'restricted'
  if (!(allowed || restricted) || !isInScope(principal, privilege)) {
    return { allowed: false, restricted, because: [] }
  }
  const { chain } = await grants.find(target)
  const names = keeper.book.namesOf(principal)
  const reasons = keeper.book.reasonsFor(privilege, names, chain)
  const withheld = restricted ? [{ privilege, on: chain[0] ?? '', through: THROUGH_POLICY }] : []
  const shown = await namesOfPlaces(platform, chain)
  return {
    allowed,
    restricted,
    because: [...reasons, ...withheld].map((each) => ({
      ...each,
      on: shown.get(each.on) ?? exportOfSecurable(each.on) ?? each.on,
    })),
  }
}

/** The thing that its name leads to, by UUID if it has one. Throws that there is no such thing. */
export async function foundTarget(
  platform: AccessPlatform,
  { target, found }: AskedPlace,
): Promise<PlaceTarget> {
  if (target.on === 'export') await platform.requireExport(target.name)
  else if (!(await isThere(platform, target))) throw gone(target)
  if (target.on !== 'table' && target.on !== 'view') return target
  const { place } = await requireAccess(platform).grants.find(target)
  // One that was dropped was named by its UUID.
  if (place === undefined) return target
  await found(foundAt(target.on, place))
  return { on: target.on, name: place.uuid }
}

/** Administrators are allowed everything on what is not there, too: routes tell them so. */
async function isThere(platform: AccessPlatform, target: PlaceTarget): Promise<boolean> {
  if (target.on === 'catalog' || target.on === 'export') return true
  if (target.on === 'namespace' && target.name.length === 0) return true
  const { place, isDropped } = await requireAccess(platform).grants.find(target)
  return place !== undefined || isDropped === true
}

async function namesOfPlaces(
  platform: AccessPlatform,
  chain: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const uuids = chain.filter(isPlaceSecurable)
  const places = await platform.catalog.grants.findPlaces(uuids)
  return new Map(places.map((place) => [place.uuid, dotted(place)]))
}

/** Throws that there is no such thing. */
async function securableOf(
  platform: AccessPlatform,
  { target, found }: AskedPlace,
): Promise<{ readonly securable: string; readonly name: string }> {
  if (target.on === 'catalog') return { securable: CATALOG_SECURABLE, name: CATALOG_SECURABLE }
  if (target.on === 'export') return { securable: exportSecurable(target.name), name: target.name }
  const { place } = await requireAccess(platform).grants.find(target)
  if (place === undefined) throw gone(target)
  const { on } = target
  if (on !== 'namespace') await found(foundAt(on, place))
  return { securable: place.uuid, name: dotted(place) }
}

function foundAt(on: 'table' | 'view', { levels, name, uuid }: Place): Parameters<Found>[0] {
  return { on, name: { namespace: levels, name }, uuid }
}

/** The dotted name of a namespace, table or view. */
export function dotted({ levels, name }: Place): string {
  return [...levels, ...(name === '' ? [] : [name])].join('.')
}

function gone({ on, name }: PlaceTarget): Error {
  const options = { facts: { [on]: name } }
  const detail = `There is no such ${on}`
  if (on === 'namespace') return new CatalogError('namespace-not-found', detail, options)
  if (on === 'view') return new ProblemError('view-not-found', detail, options)
  return new CatalogError('table-not-found', detail, options)
}

function textOf({ principal, privilege }: Bestowed): string {
  return `${principal} ${privilege}`
}
