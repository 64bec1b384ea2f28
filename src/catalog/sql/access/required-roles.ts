import type { SqlTransaction } from '../engine/sql-engine.ts'

/**
 * Those of these roles that are not there. The others stay until the transaction ends: one that is
 * dropped at the same time is waited for, or waits, and so takes what is given to it now with it.
 */
export async function missingRoles(
  transaction: SqlTransaction,
  roles: readonly string[],
): Promise<readonly string[]> {
  const there = new Set<string>()
  for (const role of [...new Set(roles)].sort()) {
    const held = await transaction
      .updateTable('roles')
      .set((column) => ({ role: column.ref('role') }))
      .where('role', '=', role)
      .executeTakeFirst()
    if (held.numUpdatedRows === 1n) there.add(role)
  }
  return roles.filter((role) => !there.has(role))
}
