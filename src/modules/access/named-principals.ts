import { ANONYMOUS_NAME } from '../../core/access/principal-name.ts'
import { ANONYMOUS, type Principal } from '../../http/authorizer.ts'
import { ProblemError } from '../../problem/problems.ts'
import { type AccessPlatform, requireAccess } from './access-platform.ts'

const KEY = 'key:'
const ROLE = 'role:'

/**
 * Returns the roles among those to whom something is given, without `role:`: they must be there,
 * still, when it is. Throws `key-not-found` or `role-not-found`: what is given to a name that was
 * mistyped is of use to nobody, or to somebody else later. Users and groups only their provider
 * knows, and roles, too, if its tokens name some.
 */
export async function requirePrincipals(
  platform: AccessPlatform,
  principals: readonly string[],
): Promise<readonly string[]> {
  const { keeper, hasForeignRoles } = requireAccess(platform)
  const isKnown = (name: string) => {
    if (name.startsWith(KEY)) return keeper.keys.get(name.slice(KEY.length))?.revokedAtMs === null
    return !name.startsWith(ROLE) || hasForeignRoles || keeper.book.hasRole(name)
  }
  // What another replica has just made is not known yet.
  if (!principals.every(isKnown)) await keeper.catchUp()
  const missing = principals.find((name) => !isKnown(name))
  if (missing?.startsWith(KEY)) throw keyNotFound(missing)
  if (missing !== undefined) {
    const detail = `There is no ${missing}: make it with its first members`
    throw new ProblemError('role-not-found', detail, { facts: { principal: missing } })
  }
  if (hasForeignRoles) return []
  return principals.flatMap((name) => (name.startsWith(ROLE) ? name.slice(ROLE.length) : []))
}

/** For who named a role that was dropped before anything was given to it. */
export function roleGone(): ProblemError {
  return new ProblemError('role-not-found', 'A role that is named was dropped just now')
}

/** Somebody of that name, without what only a token would say. */
export function namedPrincipal(principal: string): Principal {
  if (principal === ANONYMOUS_NAME) return ANONYMOUS
  const kind = principal.startsWith(KEY) ? 'key' : 'user'
  return { kind, name: principal, scopes: null }
}

/**
 * Whoever signs in under that name, with their scopes; `undefined` for a key that is revoked or has
 * expired. Throws `key-not-found`.
 */
export async function signedInAs(
  platform: AccessPlatform,
  name: string,
): Promise<Principal | undefined> {
  const { keeper, mode } = requireAccess(platform)
  const named = namedPrincipal(name)
  if (named.kind === 'anonymous') return named
  if (named.kind === 'user') {
    // As those have it who sign in by what CKAN knows.
    const isOfCkan = mode === 'ckan' && name.startsWith('user:')
    return isOfCkan ? { ...named, scopes: ['select'] } : named
  }
  const find = () => keeper.keys.get(name.slice(KEY.length))
  if (find() === undefined) await keeper.catchUp()
  const record = find()
  if (record === undefined) throw keyNotFound(name)
  const { scopes, revokedAtMs, expiresAtMs } = record
  const isOver = expiresAtMs !== null && expiresAtMs <= platform.ambient.nowMs()
  return revokedAtMs !== null || isOver ? undefined : { ...named, scopes }
}

function keyNotFound(principal: string): ProblemError {
  const detail = `There is no key ${principal.slice(KEY.length)}, or it is revoked`
  return new ProblemError('key-not-found', detail, { facts: { principal } })
}
