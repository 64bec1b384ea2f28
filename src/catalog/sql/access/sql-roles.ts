import type { Role, RoleChange } from '../../grant-store.ts'
import { type Connection, chunks, Refusal, type SqlTransaction } from '../engine/sql-engine.ts'
import type { RaisedEvent, RaisedEvents } from '../mutation/sql-raised-events.ts'
import { keepingAdmin } from './admins.ts'

export async function listRoles(connection: Connection): Promise<readonly Role[]> {
  const roles = await connection.selectFrom('roles').select('role').orderBy('role').execute()
  const rows = await connection
    .selectFrom('role_members')
    .select(['role', 'member'])
    .orderBy('member')
    .execute()
  const members = new Map<string, string[]>(roles.map(({ role }) => [role, []]))
  for (const { role, member } of rows) members.get(role)?.push(member)
  return roles.map(({ role }) => ({ role, members: members.get(role) ?? [] }))
}

/** Throws `Refusal`. */
export async function changeRole(
  transaction: SqlTransaction,
  { role, add, remove, nowMs }: RoleChange,
  raised: RaisedEvents,
): Promise<'changed'> {
  await keepingAdmin(transaction, nowMs, async () => {
    await transaction
      .insertInto('roles')
      .values({ role, created_at_ms: BigInt(Math.ceil(nowMs)) })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    for (const some of chunks(remove)) {
      await transaction
        .deleteFrom('role_members')
        .where('role', '=', role)
        .where('member', 'in', some)
        .execute()
    }
    for (const some of chunks(add.map((member) => ({ role, member })))) {
      await transaction
        .insertInto('role_members')
        .values(some)
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    }
    if (isCyclic(await listRoles(transaction), role)) throw new Refusal('cyclic')
  })
  raised.raise(roleChanged(role, { added: add, removed: remove }))
  return 'changed'
}

/** Throws `Refusal`. */
export async function dropRole(
  transaction: SqlTransaction,
  { role, nowMs }: Pick<RoleChange, 'role' | 'nowMs'>,
  raised: RaisedEvents,
): Promise<'dropped'> {
  const principal = `role:${role}`
  await keepingAdmin(transaction, nowMs, async () => {
    const deleted = await transaction
      .deleteFrom('roles')
      .where('role', '=', role)
      .returning('role')
      .executeTakeFirst()
    if (deleted === undefined) throw new Refusal('not-found')
    await transaction.deleteFrom('role_members').where('role', '=', role).execute()
    await transaction.deleteFrom('role_members').where('member', '=', principal).execute()
    await transaction.deleteFrom('grants').where('principal', '=', principal).execute()
  })
  raised.raise(roleChanged(role, { dropped: true }))
  return 'dropped'
}

function roleChanged(role: string, data: RaisedEvent['data']): RaisedEvent {
  return { type: 'moraine.role.changed.v1', subject: `role:${role}`, name: role, version: 0, data }
}

function isCyclic(roles: readonly Role[], start: string): boolean {
  const membersOf = new Map(roles.map(({ role, members }) => [`role:${role}`, members]))
  const seen = new Set<string>()
  let next: readonly string[] = membersOf.get(`role:${start}`) ?? []
  while (next.length > 0) {
    if (next.includes(`role:${start}`)) return true
    const news = next.filter((member) => !seen.has(member))
    for (const member of news) seen.add(member)
    next = news.flatMap((member) => membersOf.get(member) ?? [])
  }
  return false
}
