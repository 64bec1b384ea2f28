import { isSignedIn } from '../../../core/access/principal-name.ts'
import type { SqlTransaction } from '../engine/sql-engine.ts'

/**
 * Gives `own` on a new thing to who made it, if they are signed in. What replaces another thing
 * takes over who may do what with that, in place of it.
 */
export async function grantOwner(
  transaction: SqlTransaction,
  securable: string,
  by: { readonly principal: string | undefined; readonly replaces?: string | undefined },
): Promise<void> {
  const { principal, replaces } = by
  if (replaces !== undefined) return moveGrants(transaction, { from: replaces, to: securable })
  if (principal === undefined || !isSignedIn(principal)) return
  await transaction
    .insertInto('grants')
    .values({ securable, principal, privilege: 'own', orphaned_at_ms: null })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

async function moveGrants(
  transaction: SqlTransaction,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  if (from === to) return
  await transaction.deleteFrom('grants').where('securable', '=', to).execute()
  await transaction
    .updateTable('grants')
    .set({ securable: to, orphaned_at_ms: null })
    .where('securable', '=', from)
    .execute()
}
