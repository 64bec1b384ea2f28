import type { Connection, SqlTransaction } from '../engine/sql-engine.ts'

/** Whether somebody has asked for the job under the name, withdrawn or not. */
export async function isAsker(
  connection: Connection,
  { jobId, asker }: { readonly jobId: string; readonly asker: string },
): Promise<boolean> {
  const row = await connection
    .selectFrom('job_askers')
    .select('asker')
    .where('job_id', '=', jobId)
    .where('asker', '=', asker)
    .executeTakeFirst()
  return row !== undefined
}

/** Somebody wants the job, again if they had withdrawn. */
export async function addAsker(
  transaction: SqlTransaction,
  jobId: string,
  asker: string | undefined,
): Promise<void> {
  if (asker === undefined) return
  await transaction
    .insertInto('job_askers')
    .values({ job_id: jobId, asker, is_withdrawn: 0n })
    .onConflict((conflict) =>
      conflict.columns(['job_id', 'asker']).doUpdateSet({ is_withdrawn: 0n }),
    )
    .execute()
}
