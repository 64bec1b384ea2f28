import { bitsThatInclude, includes, type Privilege } from '../../core/access/privilege.ts'
import type { Principal } from '../../http/authorizer.ts'
import type { GrantBook } from './grant-book.ts'

/** Whether a key's scopes, if it has some, go so far. */
export function isInScope(principal: Principal, wanted: Privilege): boolean {
  if (principal.kind === 'anonymous' || principal.scopes === null) return true
  return wanted === 'describe' || principal.scopes.some((scope) => includes(scope, wanted))
}

/** Whether the privilege was given on any of the securables, and a key's scopes go so far. */
export function holds(
  book: GrantBook,
  principal: Principal,
  wanted: Privilege,
  securables: readonly string[],
): boolean {
  const bits = book.bitsOf(book.namesOf(principal), securables)
  return (bits & bitsThatInclude(wanted)) !== 0 && isInScope(principal, wanted)
}
