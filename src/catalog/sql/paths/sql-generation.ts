import { type GenerationRequest, GENERATION_SETTING as NAME } from '../../deletion-store.ts'
import type { SqlTransaction } from '../engine/sql-engine.ts'

/** Returns false, and changes nothing, where the generation is not `from`. */
export async function beginGeneration(
  transaction: SqlTransaction,
  { from, to, waitUntilMs }: GenerationRequest,
): Promise<boolean> {
  const value = String(to)
  const changed =
    from === 0
      ? await transaction
          .insertInto('settings')
          .values({ name: NAME, value })
          .onConflict((conflict) => conflict.doNothing())
          .returning('name')
          .execute()
      : await transaction
          .updateTable('settings')
          .set({ value })
          .where('name', '=', NAME)
          .where('value', '=', String(from))
          .returning('name')
          .execute()
  if (changed.length === 0) return false
  if (waitUntilMs !== undefined) await postpone(transaction, BigInt(Math.ceil(waitUntilMs)))
  return true
}

async function postpone(transaction: SqlTransaction, untilMs: bigint): Promise<void> {
  await transaction
    .updateTable('file_deletions')
    .set({ due_at_ms: untilMs })
    .where('state', '!=', 'unlinked')
    .where('due_at_ms', '<', untilMs)
    .execute()
  // Nobody deletes them any more: a table that comes back may have them.
  await transaction
    .updateTable('file_deletions')
    .set({ state: 'doomed' })
    .where('state', '=', 'unlinking')
    .execute()
  await transaction
    .updateTable('purged_tables')
    .set({ due_at_ms: untilMs })
    .where('due_at_ms', '<', untilMs)
    .execute()
}
