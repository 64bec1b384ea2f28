import { EVERYONE, isSignedIn } from '../../../core/access/principal-name.ts'
import { CATALOG_SECURABLE } from '../../grant-store.ts'
import type { SqlTransaction } from '../engine/sql-engine.ts'
import { movePolicy } from './sql-policies.ts'

/**
 * Gives `own` on a new thing to who made it, if they are signed in. What replaces another thing
 * takes over who may do what with that, in place of it. What was granted on a dropped thing comes
 * back with it for one who owned it or is an administrator, and is forgotten for another.
 */
export async function grantOwner(
  transaction: SqlTransaction,
  securable: string,
  by: { readonly principal: string | undefined; readonly replaces?: string | undefined },
): Promise<void> {
  const { principal, replaces } = by
  if (replaces !== undefined) return moveGrants(transaction, { from: replaces, to: securable })
  if (principal === undefined || !isSignedIn(principal)) return
  if (!(await owned(transaction, securable, principal))) {
    await transaction.deleteFrom('grants').where('securable', '=', securable).execute()
  }
  await transaction
    .insertInto('grants')
    .values({ securable, principal, privilege: 'own', orphaned_at_ms: null })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** Whether the signed-in principal, or a role that they have, owns it or the whole catalog. */
async function owned(
  transaction: SqlTransaction,
  securable: string,
  principal: string,
): Promise<boolean> {
  const onIt = transaction.selectFrom('grants').select('principal')
  const owners = await onIt
    .where((where) =>
      where.or([
        where.and([where('securable', '=', securable), where('privilege', '=', 'own')]),
        where.and([
          where('securable', '=', CATALOG_SECURABLE),
          where('privilege', 'in', ['own', 'admin']),
        ]),
      ]),
    )
    .execute()
  const names = new Set(owners.map((owner) => owner.principal))
  const seen = new Set<string>()
  let next: readonly string[] = [principal, EVERYONE]
  while (next.length > 0) {
    if (next.some((name) => names.has(name))) return true
    for (const name of next) seen.add(name)
    const rows = await transaction
      .selectFrom('role_members')
      .select('role')
      .where('member', 'in', next)
      .execute()
    next = rows.map(({ role }) => `role:${role}`).filter((name) => !seen.has(name))
  }
  return false
}

async function moveGrants(
  transaction: SqlTransaction,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  if (from === to) return
  await movePolicy(transaction, { from, to })
  await transaction.deleteFrom('grants').where('securable', '=', to).execute()
  await transaction
    .updateTable('grants')
    .set({ securable: to, orphaned_at_ms: null })
    .where('securable', '=', from)
    .execute()
}
