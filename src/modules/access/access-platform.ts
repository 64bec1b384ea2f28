import type { Stores } from '../../catalog/catalog.ts'
import type { Administrators } from '../../catalog/grant-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { Authorizer } from '../../http/authorizer.ts'
import type { Tag } from '../../http/route.ts'
import { ProblemError } from '../../problem/problems.ts'
import type { KeyedAccess } from './keyed-access.ts'

export const ACCESS_TAG: Tag = {
  name: 'access',
  description: 'Keys, privileges and roles, where `MORAINE_AUTH` is not `none`.',
}

export type AccessPlatform = Stores<'grants' | 'keys' | 'policies' | 'tables'> & {
  readonly ambient: Ambient
  /** `undefined`: nobody is asked who they are. */
  readonly access: KeyedAccess | undefined
  /** Decides for all routes, also on datasets. */
  readonly authorizer: Authorizer
  /** Throws `export-not-found`. */
  requireExport(task: string): Promise<void>
}

/** Throws `access-off`. */
export function requireAccess({ access }: Pick<AccessPlatform, 'access'>): KeyedAccess {
  if (access !== undefined) return access
  throw new ProblemError('access-off', 'MORAINE_AUTH=none: no keys, roles or privileges are kept')
}

/** Who counts as an administrator now. Throws `access-off`. */
export function administrators(platform: Pick<AccessPlatform, 'access' | 'ambient'>) {
  const onlyKeysSignIn = requireAccess(platform).mode !== 'oidc'
  return { nowMs: platform.ambient.nowMs(), onlyKeysSignIn } satisfies Administrators
}

export function lastAdmin(): ProblemError {
  const detail = 'Nobody who can sign in would have admin: grant it to somebody else first'
  return new ProblemError('last-admin', detail)
}
