import { isSignedIn } from '../../../core/access/principal-name.ts'
import type { Connection, SqlTransaction } from '../engine/sql-engine.ts'

/** Keeps who started the transaction, if they are signed in. */
export async function noteStarter(
  transaction: SqlTransaction,
  transactionId: string,
  principal: string | undefined,
): Promise<void> {
  if (principal === undefined || !isSignedIn(principal)) return
  await transaction
    .updateTable('transactions')
    .set({ principal })
    .where('transaction_id', '=', transactionId)
    .execute()
}

export async function findStarter(
  connection: Connection,
  transactionId: string,
): Promise<string | null | undefined> {
  const row = await connection
    .selectFrom('transactions')
    .select('principal')
    .where('transaction_id', '=', transactionId)
    .executeTakeFirst()
  return row?.principal
}
