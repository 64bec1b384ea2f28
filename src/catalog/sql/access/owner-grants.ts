import { EVERYONE, isSignedIn } from '../../../core/access/principal-name.ts'
import { CatalogError } from '../../../core/errors.ts'
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
  by: {
    readonly principal: string | undefined
    readonly replaces?: string | undefined
    /** Whether it was there before, with a UUID that nobody chose. */
    readonly isThere?: true
  },
): Promise<void> {
  const { principal, replaces, isThere = replaces === securable } = by
  if (!isThere) await requireOwnDatasets(transaction, securable, principal)
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

/**
 * Throws `request-invalid` if there were datasets of a dropped table with this UUID, or one with
 * this hidden table, unless the principal owned it: what is granted on it reads them, their files
 * by path, or the cards that are left of them.
 */
async function requireOwnDatasets(
  transaction: SqlTransaction,
  uuid: string,
  principal: string | undefined,
): Promise<void> {
  if (principal === undefined) return
  const living = await transaction
    .selectFrom('datasets')
    .select('name')
    .where((where) =>
      where.or([
        where('source_uuid', '=', uuid),
        where(
          'table_uuid',
          'in',
          transaction
            .selectFrom('dataset_sources')
            .select('table_uuid')
            .where('securable', '=', uuid),
        ),
        where.and([where('table_uuid', '=', uuid), where('ended_at_ms', 'is not', null)]),
      ]),
    )
    .limit(1)
    .executeTakeFirst()
  if (living === undefined || (await owned(transaction, uuid, principal))) return
  if (!isSignedIn(principal) && !(await hasAdministrator(transaction))) return
  throw new CatalogError(
    'request-invalid',
    `the UUID ${uuid} is that of a dropped table of which there are datasets: only who owned it, ` +
      'or an administrator, brings it back: choose another UUID',
    { facts: { uuid } },
  )
}

/** Without one, nobody is asked who they are. */
async function hasAdministrator(transaction: SqlTransaction): Promise<boolean> {
  const admin = await transaction
    .selectFrom('grants')
    .select('principal')
    .where('securable', '=', CATALOG_SECURABLE)
    .where('privilege', '=', 'admin')
    .limit(1)
    .executeTakeFirst()
  return admin !== undefined
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
