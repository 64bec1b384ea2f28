import { type RawBuilder, sql } from 'kysely'
import { AHEAD_MS_MAX, PASSED_AHEAD_MS_MAX } from '../../core/limits.ts'
import type {
  CancelledJob,
  ClaimedJob,
  HeldJob,
  JobCancellation,
  JobClaim,
  JobEnding,
  JobQuery,
  JobRecord,
  JobRenewal,
  JobState,
  JobStore,
  NewJob,
  SubmittedJob,
  Tick,
} from '../job-store.ts'
import {
  type Connection,
  forgetInRounds,
  read,
  type SqlEngine,
  type SqlTransaction,
  write,
} from './engine/sql-engine.ts'
import type { JobRow } from './engine/sql-schema.ts'
import { claimTick } from './hold/sql-ticks.ts'
import { Unchanged } from './hold/unchanged.ts'
import { isAsker } from './jobs/job-askers.ts'
import { instant, jobOf, submitJob, textOf } from './jobs/submit-job.ts'

/** Rows that are forgotten in one transaction. */
const ROWS_AT_ONCE = 1_000
/** Running jobs that are ahead which are looked at: more are looked at when these have ended. */
const AHEAD_ROWS_MAX = 100

type Lapse = Pick<JobRow, 'job_id' | 'due_at_ms' | 'fencing_token'>

export class SqlJobs implements JobStore {
  readonly #engine: SqlEngine
  readonly #runningAhead = new Unchanged()

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  submit(job: NewJob): Promise<SubmittedJob> {
    return write(this.#engine, (transaction) => submitJob(transaction, job))
  }

  async find(jobId: string): Promise<JobRecord | undefined> {
    const row = await read(this.#engine, (connection) => findRow(connection, jobId))
    return row === undefined ? undefined : jobOf(row)
  }

  async findByKey(
    asked: Pick<JobRecord, 'kind' | 'key'> & { readonly nowMs: number },
  ): Promise<JobRecord | undefined> {
    const row = await read(this.#engine, (connection) => findRowByKey(connection, asked))
    return row === undefined ? undefined : jobOf(row)
  }

  async list({
    kind,
    key,
    exceptKinds = [],
    state,
    before,
    limit,
  }: JobQuery): Promise<readonly JobRecord[]> {
    const rows = await read(this.#engine, (connection) => {
      let query = connection
        .selectFrom('jobs')
        .selectAll()
        .orderBy('created_at_ms', 'desc')
        .orderBy('job_id', 'desc')
        .limit(limit)
      if (kind !== undefined) query = query.where('kind', '=', kind)
      if (key !== undefined) query = query.where('unique_key', '=', key)
      if (exceptKinds.length > 0) query = query.where('kind', 'not in', exceptKinds)
      if (state !== undefined) query = query.where('state', '=', state)
      if (before !== undefined) {
        const position = [BigInt(before.createdAtMs), before.jobId] as const
        query = query.where((where) =>
          where(where.refTuple('created_at_ms', 'job_id'), '<', where.tuple(...position)),
        )
      }
      return query.execute()
    })
    return rows.map(jobOf)
  }

  async claim(claim: JobClaim): Promise<ClaimedJob | undefined> {
    if (claim.kinds.length === 0) return undefined
    // Whoever has nothing to do looks often: that is to be no burden on those who write.
    const lapsed = await this.#findLapsed(claim)
    const isAny = lapsed.length > 0 || (await read(this.#engine, (it) => isAnyDue(it, claim)))
    if (!isAny) return undefined
    const row = await write(this.#engine, (transaction) =>
      claimRow(transaction, claim, { lapsed, skipLocked: this.#engine.skipLocked }),
    )
    if (row === undefined) return undefined
    return { ...jobOf(row), owner: row.owner, fencingToken: row.fencing_token }
  }

  /** All kinds are watched: which of them one may claim changes from one poll to the next. */
  async #findLapsed({ nowMs, durationMs: forMs }: JobClaim): Promise<readonly Lapse[]> {
    const askedAtMs = performance.now()
    const ahead = await read(this.#engine, (connection) => findRunningAhead(connection, nowMs))
    this.#runningAhead.keepOnly(new Set(ahead.map((row) => row.job_id)))
    return ahead.filter(({ job_id, due_at_ms, fencing_token }) =>
      this.#runningAhead.isOver(job_id, `${due_at_ms} ${fencing_token}`, { askedAtMs, forMs }),
    )
  }

  renew(renewal: JobRenewal): Promise<'renewed' | 'cancelled' | 'lost'> {
    const { nowMs, durationMs, progress } = renewal
    return write(this.#engine, async (transaction) => {
      const renewed = await heldRow(transaction, renewal)
        .set({ due_at_ms: instant(nowMs + durationMs) })
        .$if(progress !== undefined, (update) => update.set({ progress: textOf(progress) }))
        .returning('is_cancelled')
        .executeTakeFirst()
      if (renewed === undefined) return 'lost'
      return renewed.is_cancelled === 1n ? 'cancelled' : 'renewed'
    })
  }

  end(held: HeldJob, ending: JobEnding): Promise<'ended' | 'lost'> {
    return write(this.#engine, async (transaction) => {
      const ended = await heldRow(transaction, held).set(columnsOf(ending)).executeTakeFirst()
      return ended.numUpdatedRows === 1n ? 'ended' : 'lost'
    })
  }

  cancel(cancellation: JobCancellation): Promise<CancelledJob | undefined> {
    return write(this.#engine, async (transaction) => {
      const isWithdrawn = await withdraw(transaction, cancellation)
      const hasWithdrawn = await hasLeft(transaction, cancellation)
      const row = await findRow(transaction, cancellation.jobId)
      return row === undefined ? undefined : { ...jobOf(row), isWithdrawn, hasWithdrawn }
    })
  }

  isAsker(asked: { readonly jobId: string; readonly asker: string }): Promise<boolean> {
    return read(this.#engine, (connection) => isAsker(connection, asked))
  }

  forget(beforeMs: number): Promise<number> {
    return forgetInRounds(this.#engine, ROWS_AT_ONCE, (transaction) =>
      forgetSome(transaction, beforeMs),
    )
  }

  claimTick(tick: Tick): Promise<boolean> {
    return write(this.#engine, (transaction) => claimTick(transaction, tick))
  }
}

async function findRow(connection: Connection, jobId: string): Promise<JobRow | undefined> {
  return connection.selectFrom('jobs').selectAll().where('job_id', '=', jobId).executeTakeFirst()
}

async function findRowByKey(
  connection: Connection,
  { kind, key, nowMs }: Pick<JobRecord, 'kind' | 'key'> & { readonly nowMs: number },
): Promise<JobRow | undefined> {
  const ofKey = connection
    .selectFrom('jobs')
    .selectAll()
    .where('kind', '=', kind)
    .where('unique_key', '=', key)
  const open = await ofKey.where('ended_at_ms', 'is', null).executeTakeFirst()
  if (open !== undefined) return open
  return await ofKey
    .where('created_at_ms', '<=', instant(nowMs + PASSED_AHEAD_MS_MAX))
    .orderBy('created_at_ms', 'desc')
    .orderBy('job_id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

function findRunningAhead(connection: Connection, nowMs: number): Promise<readonly Lapse[]> {
  return connection
    .selectFrom('jobs')
    .select(['job_id', 'due_at_ms', 'fencing_token'])
    .where('ended_at_ms', 'is', null)
    .where('state', '=', 'running')
    .where('due_at_ms', '>', instant(nowMs + AHEAD_MS_MAX))
    .orderBy('due_at_ms')
    .orderBy('job_id')
    .limit(AHEAD_ROWS_MAX)
    .execute()
}

/** Those open in the state that may be claimed, as the rest of a statement. */
function claimable(
  { kinds, exceptJobIds = [] }: JobClaim,
  state: JobState,
  isDue: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const isElsewhere =
    exceptJobIds.length === 0 ? sql`` : sql`and job_id not in (${sql.join(exceptJobIds)})`
  return sql`from jobs where ended_at_ms is null and state = ${state} and ${isDue}
    and kind in (${sql.join(kinds)}) ${isElsewhere}`
}

function isDueAt(nowMs: number): RawBuilder<unknown> {
  return sql`due_at_ms <= ${instant(nowMs)}`
}

function isAheadOf(nowMs: number): RawBuilder<unknown> {
  return sql`due_at_ms > ${instant(nowMs + AHEAD_MS_MAX)}`
}

async function isAnyDue(connection: Connection, claim: JobClaim): Promise<boolean> {
  const [due, ahead] = [isDueAt(claim.nowMs), isAheadOf(claim.nowMs)]
  const { rows } = await sql`
    select 1 where exists (select 1 ${claimable(claim, 'running', due)})
      or exists (select 1 ${claimable(claim, 'waiting', due)})
      or exists (select 1 ${claimable(claim, 'waiting', ahead)})`.execute(connection)
  return rows.length > 0
}

/** One statement: of all who claim at once, each gets another job. */
async function claimRow(
  transaction: SqlTransaction,
  claim: JobClaim,
  {
    lapsed,
    skipLocked,
  }: { readonly lapsed: readonly Lapse[]; readonly skipLocked: RawBuilder<unknown> },
): Promise<JobRow | undefined> {
  const { owner, nowMs, durationMs } = claim
  const first = (state: JobState, isDue: RawBuilder<unknown>) => sql`
    select job_id ${claimable(claim, state, isDue)}
    order by due_at_ms, job_id limit 1 ${skipLocked}`
  const due = isDueAt(nowMs)
  // Those of dead processes first: however many wait, none of them is left for long. Before them
  // those that a clock ahead made wait, which are few, and put right by that.
  const { rows } = await sql<JobRow>`
    update jobs
    set state = 'running', owner = ${owner}, fencing_token = fencing_token + 1,
      attempts = attempts + 1, due_at_ms = ${instant(nowMs + durationMs)},
      started_at_ms = coalesce(started_at_ms, ${instant(nowMs)})
    where job_id = coalesce((${first('running', isAnyOf(lapsed))}),
      (${first('waiting', isAheadOf(nowMs))}), (${first('running', due)}),
      (${first('waiting', due)}))
    returning *`.execute(transaction)
  return rows[0]
}

/** As they were seen: who has renewed since has the job. */
function isAnyOf(lapsed: readonly Lapse[]): RawBuilder<unknown> {
  if (lapsed.length === 0) return sql`1 = 0`
  const each = lapsed.map(
    ({ job_id, due_at_ms, fencing_token }) => sql`
      (job_id = ${job_id} and due_at_ms = ${due_at_ms} and fencing_token = ${fencing_token})`,
  )
  return sql`(${sql.join(each, sql` or `)})`
}

function heldRow(transaction: SqlTransaction, { jobId, owner, fencingToken }: HeldJob) {
  return transaction
    .updateTable('jobs')
    .where('job_id', '=', jobId)
    .where('owner', '=', owner)
    .where('fencing_token', '=', fencingToken)
    .where('state', '=', 'running')
}

function columnsOf(ending: JobEnding) {
  const now = instant(ending.nowMs)
  const ended = { ended_at_ms: now, due_at_ms: now, owner: '' }
  switch (ending.outcome) {
    case 'succeeded':
      return { ...ended, state: 'succeeded', result: textOf(ending.result), problem: null }
    case 'failed':
      return { ...ended, state: 'failed', problem: textOf(ending.problem) }
    case 'cancelled':
      return unlessCancelled({ dueAtMs: ending.nowMs, nowMs: ending.nowMs })
    case 'again': {
      const { notBeforeMs, nowMs, problem } = ending
      return { ...unlessCancelled({ dueAtMs: notBeforeMs, nowMs }), problem: textOf(problem) }
    }
    case 'released': {
      const { nowMs, notBeforeMs = nowMs } = ending
      return {
        ...unlessCancelled({ dueAtMs: notBeforeMs, nowMs }),
        attempts: sql<bigint>`attempts - 1`,
      }
    }
  }
}

/** It waits again; or ends, if it was asked to. */
function unlessCancelled({ dueAtMs, nowMs }: { dueAtMs: number; nowMs: number }) {
  return {
    owner: '',
    due_at_ms: instant(dueAtMs),
    state: sql<string>`case when is_cancelled = 1 then 'cancelled' else 'waiting' end`,
    ended_at_ms: sql<bigint | null>`
      case when is_cancelled = 1 then cast(${instant(nowMs)} as bigint) end`,
  }
}

async function withdraw(
  transaction: SqlTransaction,
  { jobId, asker, nowMs }: JobCancellation,
): Promise<boolean> {
  // Changes nothing, but who asks for it at the same time waits here.
  const open = await transaction
    .updateTable('jobs')
    .set((column) => ({ state: column.ref('state') }))
    .where('job_id', '=', jobId)
    .where('ended_at_ms', 'is', null)
    .returning('state')
    .executeTakeFirst()
  if (open === undefined) return false
  let askers = transaction
    .updateTable('job_askers')
    .set({ is_withdrawn: 1n })
    .where('job_id', '=', jobId)
    .where('is_withdrawn', '=', 0n)
  if (asker !== undefined) askers = askers.where('asker', '=', asker)
  const { numUpdatedRows } = await askers.executeTakeFirst()
  if (asker !== undefined) {
    if (numUpdatedRows === 0n) return false
    const [other] = await transaction
      .selectFrom('job_askers')
      .select('asker')
      .where('job_id', '=', jobId)
      .where('is_withdrawn', '=', 0n)
      .limit(1)
      .execute()
    if (other !== undefined) return true
  }
  const ended = { state: 'cancelled', ended_at_ms: instant(nowMs) }
  await transaction
    .updateTable('jobs')
    .set(open.state === 'waiting' ? { ...ended, is_cancelled: 1n } : { is_cancelled: 1n })
    .where('job_id', '=', jobId)
    .execute()
  return true
}

async function hasLeft(
  transaction: SqlTransaction,
  { jobId, asker = '' }: JobCancellation,
): Promise<boolean> {
  const left = { job_id: jobId, asker, is_withdrawn: 1n }
  const query = transaction.selectFrom('job_askers').select('asker')
  return (await query.where((row) => row.and(left)).execute()).length > 0
}

async function forgetSome(transaction: SqlTransaction, beforeMs: number): Promise<number> {
  const old = await transaction
    .selectFrom('jobs')
    .select('job_id')
    .where('ended_at_ms', '<', instant(beforeMs))
    .orderBy('ended_at_ms')
    .limit(ROWS_AT_ONCE)
    .execute()
  if (old.length === 0) return 0
  const ids = old.map((row) => row.job_id)
  await transaction.deleteFrom('job_askers').where('job_id', 'in', ids).execute()
  await transaction.deleteFrom('jobs').where('job_id', 'in', ids).execute()
  return old.length
}
