import { PASSED_AHEAD_MS_MAX } from '../../../core/limits.ts'
import type { Tick } from '../../job-store.ts'
import type { SqlTransaction } from '../engine/sql-engine.ts'

/**
 * As `JobStore.claimTick`, with what else is done in the transaction. One that is ahead of the
 * clock was claimed when that was ahead, unless it is this very one.
 */
export async function claimTick(
  transaction: SqlTransaction,
  { name, tickMs, nowMs }: Tick,
): Promise<boolean> {
  const tick_ms = BigInt(Math.floor(tickMs))
  const ahead = BigInt(Math.floor(nowMs)) + BigInt(PASSED_AHEAD_MS_MAX)
  const claimed = await transaction
    .insertInto('task_ticks')
    .values({ name, tick_ms })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet({ tick_ms })
        .where('task_ticks.tick_ms', '<>', tick_ms)
        .where((where) =>
          where.or([
            where('task_ticks.tick_ms', '<', tick_ms),
            where('task_ticks.tick_ms', '>', ahead),
          ]),
        ),
    )
    .returning('name')
    .executeTakeFirst()
  return claimed !== undefined
}
