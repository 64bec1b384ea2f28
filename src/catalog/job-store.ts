/**
 * Work that outlives the process that began it. One row a job; whoever claims it holds it for as
 * long as it renews, and each of its writes carries the token of the claim. The clock is the
 * caller's. Its contract: test/catalog/jobs.contract.ts.
 */
export interface JobStore {
  /** One job of a kind and key has not ended at a time: who asks for it again joins it. */
  submit(job: NewJob): Promise<SubmittedJob>
  find(jobId: string): Promise<JobRecord | undefined>
  /** The one with this key that has not ended; else the newest that no clock ahead has made. */
  findByKey(
    key: Pick<JobRecord, 'kind' | 'key'> & { readonly nowMs: number },
  ): Promise<JobRecord | undefined>
  /** Newest first. */
  list(query: JobQuery): Promise<readonly JobRecord[]>
  /**
   * Takes the job that is due the longest: of those whose owners did not renew in time, if there is
   * one, else of those that wait. What a clock ahead made wait comes before them; what it has made
   * run, when this process has seen for the duration that its owner does not renew it.
   */
  claim(claim: JobClaim): Promise<ClaimedJob | undefined>
  /** From now on for the duration. `cancelled`: it is still held, and is to stop. */
  renew(renewal: JobRenewal): Promise<'renewed' | 'cancelled' | 'lost'>
  /**
   * The last word of the holder; `lost` when somebody else holds it or it has ended: then nothing
   * changes.
   */
  end(held: HeldJob, ending: JobEnding): Promise<'ended' | 'lost'>
  /**
   * Withdraws one asker, or all. When none is left, a job that waits is cancelled at once, and one
   * that runs as soon as its holder renews. Returns the job as it is then; one that has ended stays
   * as it is.
   */
  cancel(cancellation: JobCancellation): Promise<CancelledJob | undefined>
  /** Whether somebody has asked for the job under this name, also one who has withdrawn since. */
  isAsker(asked: { readonly jobId: string; readonly asker: string }): Promise<boolean>
  /** Forgets jobs that ended before the instant; returns how many. */
  forget(beforeMs: number): Promise<number>
  /**
   * Whether this tick of the schedule with this name is the caller's: of all who ask for it, one is
   * told so.
   */
  claimTick(tick: Tick): Promise<boolean>
}

export interface Tick {
  readonly name: string
  readonly tickMs: number
  /** Claimed ticks that are well ahead of it hold up none: the clock was ahead. */
  readonly nowMs: number
}

/**
 * When schedules are due next, by name: each time is claimed by one caller, in one UPDATE. Its
 * contract: test/catalog/schedules.contract.ts.
 */
export interface ScheduleStore {
  list(): Promise<ReadonlyMap<string, NextRun>>
  find(name: string): Promise<NextRun | undefined>
  /** Notes what is next, if `before` still is; `undefined`: nothing is known yet. */
  set(name: string, next: NextRun, before: NextRun | undefined): Promise<'set' | 'changed'>
  /**
   * Moves the time from `dueAtMs` to `nextAtMs` and asks for the job, both or neither. One that is
   * open is joined, and then nothing moves. `undefined`: the time is another one since.
   */
  claim(due: DueRun, job: NewJob): Promise<SubmittedJob | undefined>
  forget(name: string): Promise<void>
}

export interface NextRun {
  /** What the schedule and its work were when the time was found: opaque. */
  readonly digest: string
  readonly nextAtMs: number
}

export interface DueRun {
  readonly name: string
  /** As it was noted. */
  readonly dueAtMs: number
  readonly nextAtMs: number
}

export type JobState = 'waiting' | 'running' | 'succeeded' | 'failed' | 'cancelled'

export interface NewJob {
  readonly jobId: string
  readonly kind: string
  /** What it is about; the job's own id when two of them never are the same work. */
  readonly key: string
  /** Plain JSON, like progress, result and problem. */
  readonly input: unknown
  /** Who wants it; without one, cancelling is for those who cancel for all. */
  readonly asker?: string
  readonly nowMs: number
  /** Not begun before. */
  readonly notBeforeMs?: number
}

export interface SubmittedJob {
  readonly job: JobRecord
  /** Otherwise it was there. */
  readonly isNew: boolean
}

export interface JobRecord {
  readonly jobId: string
  readonly kind: string
  readonly key: string
  readonly state: JobState
  readonly input: unknown
  /** As it was told last; `undefined` before. */
  readonly progress: unknown
  /** `undefined` unless it succeeded. */
  readonly result: unknown
  /** Why it failed, or why the last attempt did. */
  readonly problem: JobProblem | undefined
  /** How often it was claimed. */
  readonly attempts: number
  /** Not begun before, while it waits; when its lease ends, while it runs. */
  readonly dueAtMs: number
  /** It runs, and was asked to stop. */
  readonly isCancelled: boolean
  readonly createdAtMs: number
  readonly startedAtMs: number | undefined
  readonly endedAtMs: number | undefined
}

export type CancelledJob = JobRecord & {
  /** Whether somebody who wanted it no longer does: false of one that had ended. */
  readonly isWithdrawn: boolean
  /** Whether the asker has withdrawn, now or before, and has not asked again since. */
  readonly hasWithdrawn: boolean
}

/** What problem documents are made of. */
export interface JobProblem {
  readonly code: string
  readonly detail: string
  readonly facts?: Readonly<Record<string, unknown>>
}

export interface JobQuery {
  readonly kind?: string
  readonly key?: string
  readonly exceptKinds?: readonly string[]
  readonly state?: JobState
  /** Only jobs older than this one in the order. */
  readonly before?: Pick<JobRecord, 'createdAtMs' | 'jobId'>
  readonly limit: number
}

export interface JobClaim {
  readonly kinds: readonly string[]
  /** Unique to one process. */
  readonly owner: string
  readonly nowMs: number
  readonly durationMs: number
  /** Not taken: they run here. */
  readonly exceptJobIds?: readonly string[]
}

export interface HeldJob {
  readonly jobId: string
  readonly owner: string
  /** Greater than that of any earlier claim of the job. */
  readonly fencingToken: bigint
}

export type ClaimedJob = JobRecord & HeldJob

export interface JobRenewal extends HeldJob {
  readonly nowMs: number
  readonly durationMs: number
  /** Nothing new when absent. */
  readonly progress?: unknown
}

export type JobEnding =
  | { readonly outcome: 'succeeded'; readonly result: unknown; readonly nowMs: number }
  | { readonly outcome: 'failed'; readonly problem: JobProblem; readonly nowMs: number }
  /** Unless somebody has asked for it again since: then it waits for another attempt. */
  | { readonly outcome: 'cancelled'; readonly nowMs: number }
  /** It waits for another attempt, unless it was cancelled. */
  | {
      readonly outcome: 'again'
      readonly notBeforeMs: number
      readonly problem: JobProblem
      readonly nowMs: number
    }
  /** Given back, as by a process that stops: as if it had not been claimed. */
  | { readonly outcome: 'released'; readonly notBeforeMs?: number; readonly nowMs: number }

export interface JobCancellation {
  readonly jobId: string
  /** All when absent. */
  readonly asker?: string
  readonly nowMs: number
}
