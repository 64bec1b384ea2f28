import type { Administrators, Role, RoleChange } from '../../grant-store.ts'
import { type Connection, chunks, Refusal, type SqlTransaction } from '../engine/sql-engine.ts'
import type { RaisedEvent, RaisedEvents } from '../mutation/sql-raised-events.ts'
import { keepingAdmin } from './admins.ts'
import { missingRoles } from './required-roles.ts'
import { forgetInPolicies } from './sql-policies.ts'

/** Members, and grants, of a dropped role that its event names. */
const TOLD_MAX = 500

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
  { role, add, remove, roles = [], hasForeignRoles = false, ...who }: RoleChange,
  raised: RaisedEvents,
): Promise<'changed'> {
  const named = [...new Set([...add, ...remove])]
  const { isNew, ...before } = await keepingAdmin(transaction, who, async () => {
    if ((await missingRoles(transaction, roles)).length > 0) throw new Refusal('role-gone')
    const made = await transaction
      .insertInto('roles')
      .values({ role, created_at_ms: BigInt(Math.ceil(who.nowMs)) })
      .onConflict((conflict) => conflict.doNothing())
      .returning('role')
      .execute()
    const members = await membersAmong(transaction, role, named)
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
    return { members, isNew: made.length > 0 }
  })
  // Policies may name one that was dropped before drops took the name out of them.
  if (isNew && !hasForeignRoles) await forgetInPolicies(transaction, `role:${role}`, raised)
  raised.raise(roleChanged(role, { added: add, removed: remove, before }))
  return 'changed'
}

/** Throws `Refusal`. */
export async function dropRole(
  transaction: SqlTransaction,
  { role, ...who }: Administrators & Pick<RoleChange, 'role'>,
  raised: RaisedEvents,
): Promise<'dropped'> {
  const principal = `role:${role}`
  const before = await keepingAdmin(transaction, who, async () => {
    const deleted = await transaction
      .deleteFrom('roles')
      .where('role', '=', role)
      .returning('role')
      .executeTakeFirst()
    if (deleted === undefined) throw new Refusal('not-found')
    const members = await transaction
      .deleteFrom('role_members')
      .where('role', '=', role)
      .returning('member')
      .execute()
    const memberOf = await transaction
      .deleteFrom('role_members')
      .where('member', '=', principal)
      .returning('role')
      .execute()
    const grants = await transaction
      .deleteFrom('grants')
      .where('principal', '=', principal)
      .returning(['securable', 'privilege'])
      .execute()
    return {
      members: members.map(({ member }) => member).slice(0, TOLD_MAX),
      members_count: members.length,
      member_of: memberOf.map((above) => `role:${above.role}`),
      grants: grants.slice(0, TOLD_MAX),
      grants_count: grants.length,
    }
  })
  await forgetInPolicies(transaction, principal, raised)
  raised.raise(roleChanged(role, { dropped: true, before }))
  return 'dropped'
}

/** Those of the names that are members of the role. */
async function membersAmong(
  transaction: SqlTransaction,
  role: string,
  names: readonly string[],
): Promise<readonly string[]> {
  const members: string[] = []
  for (const some of chunks(names)) {
    const rows = await transaction
      .selectFrom('role_members')
      .select('member')
      .where('role', '=', role)
      .where('member', 'in', some)
      .execute()
    members.push(...rows.map(({ member }) => member))
  }
  return members.sort()
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
