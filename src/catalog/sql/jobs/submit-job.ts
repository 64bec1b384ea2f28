import { AHEAD_MS_MAX } from '../../../core/limits.ts'
import type { JobProblem, JobRecord, JobState, NewJob, SubmittedJob } from '../../job-store.ts'
import type { SqlTransaction } from '../engine/sql-engine.ts'
import type { JobRow } from '../engine/sql-schema.ts'
import { numberOf } from '../rows/sql-rows.ts'
import { addAsker } from './job-askers.ts'

/** As `JobStore.submit`, with what else is done in the transaction. */
export async function submitJob(transaction: SqlTransaction, job: NewJob): Promise<SubmittedJob> {
  for (;;) {
    const submitted = await submitOnce(transaction, job)
    if (submitted === undefined) continue // That of the key has ended since it was in the way.
    await addAsker(transaction, submitted.job.jobId, job.asker)
    return submitted
  }
}

/** `undefined` when the key's job has ended between two statements. */
async function submitOnce(
  transaction: SqlTransaction,
  job: NewJob,
): Promise<SubmittedJob | undefined> {
  const inserted = await transaction
    .insertInto('jobs')
    .values({
      job_id: job.jobId,
      kind: job.kind,
      unique_key: job.key,
      state: 'waiting',
      input: textOf(job.input),
      attempts: 0n,
      due_at_ms: instant(job.notBeforeMs ?? job.nowMs),
      owner: '',
      fencing_token: 0n,
      is_cancelled: 0n,
      created_at_ms: instant(job.nowMs),
    })
    .onConflict((conflict) =>
      conflict.columns(['kind', 'unique_key']).where('ended_at_ms', 'is', null).doNothing(),
    )
    .returningAll()
    .executeTakeFirst()
  if (inserted !== undefined) return { job: jobOf(inserted), isNew: true }
  const joined = await transaction
    .updateTable('jobs')
    // Who asks now wants it done, whoever wanted it to stop before, or by what clock it would come.
    .set((row) => ({
      is_cancelled: 0n,
      due_at_ms: row
        .case()
        .when(
          row.and([
            row('state', '=', 'waiting'),
            row('due_at_ms', '>', instant((job.notBeforeMs ?? job.nowMs) + AHEAD_MS_MAX)),
          ]),
        )
        .then(instant(job.nowMs))
        .else(row.ref('due_at_ms'))
        .end(),
    }))
    .where('kind', '=', job.kind)
    .where('unique_key', '=', job.key)
    .where('ended_at_ms', 'is', null)
    .returningAll()
    .executeTakeFirst()
  return joined === undefined ? undefined : { job: jobOf(joined), isNew: false }
}

export function jobOf(row: JobRow): JobRecord {
  return {
    jobId: row.job_id,
    kind: row.kind,
    key: row.unique_key,
    state: row.state as JobState,
    input: valueIn(row.input),
    progress: valueIn(row.progress),
    result: valueIn(row.result),
    problem: valueIn(row.problem) as JobProblem | undefined,
    attempts: Number(row.attempts),
    dueAtMs: Number(row.due_at_ms),
    isCancelled: row.is_cancelled === 1n,
    createdAtMs: Number(row.created_at_ms),
    startedAtMs: numberOf(row.started_at_ms),
    endedAtMs: numberOf(row.ended_at_ms),
  }
}

export function instant(ms: number): bigint {
  return BigInt(Math.ceil(ms))
}

export function textOf(value: unknown): string {
  return JSON.stringify(value ?? null)
}

function valueIn(text: string | null): unknown {
  return text === null ? undefined : JSON.parse(text)
}
