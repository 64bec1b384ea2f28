import type { ExpressionBuilder } from 'kysely'
import type { SqlTransaction } from '../engine/sql-engine.ts'
import type { Database } from '../engine/sql-schema.ts'

/** As `JobStore.claimTick`, with what else is done in the transaction. */
export async function claimTick(
  transaction: SqlTransaction,
  {
    name,
    tickMs,
    aheadMsMax,
  }: {
    readonly name: string
    readonly tickMs: number
    /** A tick further ahead than this was claimed by a clock that was. */
    readonly aheadMsMax?: number
  },
): Promise<boolean> {
  const tick_ms = BigInt(Math.floor(tickMs))
  const isPast = (where: ExpressionBuilder<Database, 'task_ticks'>) => {
    const isEarlier = where('task_ticks.tick_ms', '<', tick_ms)
    if (aheadMsMax === undefined) return isEarlier
    return where.or([isEarlier, where('task_ticks.tick_ms', '>', tick_ms + BigInt(aheadMsMax))])
  }
  const claimed = await transaction
    .insertInto('task_ticks')
    .values({ name, tick_ms })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ tick_ms }).where(isPast))
    .returning('name')
    .executeTakeFirst()
  return claimed !== undefined
}
