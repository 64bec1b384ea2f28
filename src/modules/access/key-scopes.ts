import { includes, type Privilege } from '../../core/access/privilege.ts'
import type { Principal } from '../../http/authorizer.ts'

/** Whether a key's scopes, if it has some, go so far. */
export function isInScope(principal: Principal, wanted: Privilege): boolean {
  if (principal.kind === 'anonymous' || principal.scopes === null) return true
  return wanted === 'describe' || principal.scopes.some((scope) => includes(scope, wanted))
}
