import { type Administrators, CATALOG_SECURABLE } from '../../grant-store.ts'
import { Refusal, type SqlTransaction } from '../engine/sql-engine.ts'

/** Its row is held by whoever may take away the last administrator. */
const LOCK = 'access: administrators'
/** In the list of a key's scopes. */
const ADMIN = '%"admin"%'

/**
 * Runs work that may take `admin` away. Throws `Refusal` of `last-admin` when somebody had it
 * before and nobody has it afterwards.
 */
export async function keepingAdmin<T>(
  transaction: SqlTransaction,
  who: Administrators,
  work: () => Promise<T>,
): Promise<T> {
  await transaction
    .insertInto('settings')
    .values({ name: LOCK, value: '' })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: '' }))
    .execute()
  const hadAdmin = await hasAdmin(transaction, who)
  const result = await work()
  if (hadAdmin && !(await hasAdmin(transaction, who))) throw new Refusal('last-admin')
  return result
}

/** Whether anybody who can sign in has `admin`, by a role or not. */
async function hasAdmin(
  transaction: SqlTransaction,
  { nowMs, onlyKeysSignIn = false }: Administrators,
): Promise<boolean> {
  const granted = await transaction
    .selectFrom('grants')
    .select('principal')
    .where('securable', '=', CATALOG_SECURABLE)
    .where('privilege', '=', 'admin')
    .execute()
  const seen = new Set<string>()
  let next: readonly string[] = granted.map(({ principal }) => principal)
  while (next.length > 0) {
    const news = next.filter((principal) => !seen.has(principal))
    for (const principal of news) seen.add(principal)
    const isUser = (principal: string) => /^(?:user|group):/.test(principal)
    if (!onlyKeysSignIn && news.some(isUser)) return true
    if (await anyKeyWorks(transaction, idsOf(news, 'key:'), nowMs)) return true
    next = await membersOf(transaction, idsOf(news, 'role:'))
  }
  return false
}

function idsOf(principals: readonly string[], prefix: string): readonly string[] {
  return principals.flatMap((name) => (name.startsWith(prefix) ? name.slice(prefix.length) : []))
}

async function anyKeyWorks(
  transaction: SqlTransaction,
  keyIds: readonly string[],
  nowMs: number,
): Promise<boolean> {
  if (keyIds.length === 0) return false
  const row = await transaction
    .selectFrom('access_keys')
    .select('key_id')
    .where('key_id', 'in', keyIds)
    .where('revoked_at_ms', 'is', null)
    // A key that was made to do less is no administrator's, whatever is granted to it.
    .where((where) => where.or([where('scopes', 'is', null), where('scopes', 'like', ADMIN)]))
    .where((where) =>
      where.or([
        where('expires_at_ms', 'is', null),
        where('expires_at_ms', '>', BigInt(Math.ceil(nowMs))),
      ]),
    )
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

async function membersOf(
  transaction: SqlTransaction,
  roles: readonly string[],
): Promise<readonly string[]> {
  if (roles.length === 0) return []
  const rows = await transaction
    .selectFrom('role_members')
    .select('member')
    .where('role', 'in', roles)
    .execute()
  return rows.map(({ member }) => member)
}
