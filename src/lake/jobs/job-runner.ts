import type { ClaimedJob, JobEnding, JobProblem, JobRecord } from '../../catalog/job-store.ts'
import { CatalogError, CodedError } from '../../core/errors.ts'
import { LEASE_MS } from '../../core/limits.ts'
import { Bell } from './bell.ts'
import { newClosing } from './closing.ts'
import { type JobDependencies, JobHold } from './job-hold.ts'
import { type JobKind, JobNotYet } from './job-kind.ts'
import { causeOf, isAway, isLasting } from './lasting.ts'

/** Jobs that run at once in one process. */
const SLOTS = 8
/** How long a job of another process may wait here before it is seen. */
const POLL_MS = 1_000
const ATTEMPTS_MAX = 10
const BACKOFF_MS = 1_000
/** A bucket or a disk that is away is so for longer. */
const AWAY_BACKOFF_MS = 10_000
const BACKOFF_MS_MAX = 60_000

export interface JobRunnerOptions {
  readonly kinds: readonly JobKind[]
  readonly slots?: number
  readonly pollMs?: number
  readonly leaseMs?: number
}

interface RunningJob {
  readonly kind: string
  readonly hold: JobHold
  readonly done: Promise<void>
}

/**
 * Claims jobs and does them, until it is closed. A job that a killed process had is claimed when
 * its lease ends.
 */
export class JobRunner {
  readonly #deps: JobDependencies
  readonly #kinds: ReadonlyMap<string, JobKind>
  readonly #slots: number
  readonly #pollMs: number
  readonly #leaseMs: number
  readonly #owner: string
  readonly #running = new Map<string, RunningJob>()
  readonly #closing = newClosing()
  readonly #bell = new Bell()
  #loop: Promise<void> | undefined

  constructor(deps: JobDependencies, { kinds, slots, pollMs, leaseMs }: JobRunnerOptions) {
    this.#deps = deps
    this.#kinds = new Map(kinds.map((kind) => [kind.kind, kind]))
    this.#slots = slots ?? SLOTS
    this.#pollMs = pollMs ?? POLL_MS
    this.#leaseMs = leaseMs ?? LEASE_MS
    this.#owner = deps.ambient.newUuid()
  }

  start(): void {
    this.#loop ??= this.#claimUntilClosed()
  }

  /** Looks for work at once. */
  wake(): void {
    this.#bell.ring()
  }

  /** Looks at once whether a job that runs here was cancelled. */
  async look(jobId: string): Promise<void> {
    await this.#running.get(jobId)?.hold.look()
  }

  /** Tells the kind of a job that was cancelled, unless it was asked for again meanwhile. */
  async tellCancelled({ kind, key, jobId, input }: JobRecord): Promise<void> {
    const handler = this.#kinds.get(kind)
    try {
      const { ambient, catalog } = this.#deps
      const newest = await catalog.jobs.findByKey({ kind, key, nowMs: ambient.nowMs() })
      if (newest !== undefined && newest.jobId !== jobId) return
      await handler?.cancelled?.(handler.input(input))
    } catch (err) {
      this.#deps.log.warn({ err, jobId }, 'that a job was cancelled could not be told')
    }
  }

  /** Gives back what runs here; another process, or the next start, does it. */
  async close(): Promise<void> {
    this.#closing.abort(new CatalogError('overloaded', 'the service stops: try again soon'))
    await this.#loop
    await Promise.all([...this.#running.values()].map(({ done }) => done))
  }

  async #claimUntilClosed(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      const claimedAtMs = performance.now()
      const job = await this.#claim()
      if (job === undefined) await this.#bell.wait(this.#pollMs, signal)
      else this.#begin(job, claimedAtMs)
    }
  }

  async #claim(): Promise<ClaimedJob | undefined> {
    const kinds = this.#claimable()
    if (kinds.length === 0) return undefined
    const { catalog, ambient, log } = this.#deps
    try {
      return await catalog.jobs.claim({
        kinds,
        owner: this.#owner,
        nowMs: ambient.nowMs(),
        durationMs: this.#leaseMs,
        exceptJobIds: [...this.#running.keys()],
      })
    } catch (err) {
      log.warn({ err }, 'jobs could not be claimed; trying again')
      return undefined
    }
  }

  /**
   * Kinds of which one more may run: none takes more than half of the slots, nor the last one that
   * another kind has, since some run for hours.
   */
  #claimable(): readonly string[] {
    const free = this.#slots - this.#running.size
    if (free <= 0) return []
    const counts = new Map([...this.#kinds.keys()].map((kind) => [kind, 0]))
    for (const { kind } of this.#running.values()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    if (counts.size === 1) return [...counts.keys()]
    const idle = [...counts.values()].filter((count) => count === 0).length
    const most = Math.ceil(this.#slots / 2)
    return [...counts]
      .filter(([, count]) => count === 0 || (count < most && free > idle))
      .map(([kind]) => kind)
  }

  #begin(job: ClaimedJob, claimedAtMs: number): void {
    const hold = new JobHold(this.#deps, job, {
      ...{ leaseMs: this.#leaseMs, claimedAtMs },
      signal: this.#closing.signal,
    })
    const done = this.#do(job, hold)
      .catch((err) => this.#deps.log.warn({ err, jobId: job.jobId }, 'a job could not be ended'))
      .finally(() => {
        if (this.#running.get(job.jobId)?.hold === hold) this.#running.delete(job.jobId)
        this.#bell.ring()
      })
    this.#running.set(job.jobId, { kind: job.kind, hold, done })
  }

  async #do(job: ClaimedJob, hold: JobHold): Promise<void> {
    const ending = await this.#run(job, hold)
    await hold.end(ending)
    if (ending.outcome !== 'cancelled') return
    // Somebody may have asked for it again.
    const ended = await this.#deps.catalog.jobs.find(job.jobId)
    if (ended?.state === 'cancelled') await this.tellCancelled(ended)
  }

  async #run(job: ClaimedJob, hold: JobHold): Promise<JobEnding> {
    const { ambient } = this.#deps
    const { kind, jobId, attempts } = job
    const handler = this.#kinds.get(kind)
    if (handler === undefined) throw new Error(`claimed a job of the unknown kind ${kind}`)
    const attemptsMax = handler.attemptsMax ?? ATTEMPTS_MAX
    if (hold.state === 'cancelled') return { outcome: 'cancelled', nowMs: ambient.nowMs() }
    if (attempts > attemptsMax) {
      const problem = job.problem ?? gaveUp(attemptsMax)
      return { outcome: 'failed', problem, nowMs: ambient.nowMs() }
    }
    try {
      const input = handler.input(job.input)
      const report = (progress: unknown) => hold.report(progress)
      const result = await handler.run(
        { jobId, input, attempt: attempts, report },
        hold,
        hold.signal,
      )
      return { outcome: 'succeeded', result, nowMs: ambient.nowMs() }
    } catch (error) {
      const cause = await causeOf(this.#deps, error)
      return this.#endingOf(cause, { job, hold, attemptsMax })
    }
  }

  #endingOf(
    error: unknown,
    { job, hold, attemptsMax }: { job: ClaimedJob; hold: JobHold; attemptsMax: number },
  ): JobEnding {
    const nowMs = this.#deps.ambient.nowMs()
    if (hold.state === 'cancelled') return { outcome: 'cancelled', nowMs }
    if (this.#closing.signal.aborted) return { outcome: 'released', nowMs }
    if (error instanceof JobNotYet) {
      return { outcome: 'released', notBeforeMs: nowMs + error.afterMs, nowMs }
    }
    if (!(error instanceof CodedError)) {
      this.#deps.log.warn({ err: error, jobId: job.jobId }, 'an attempt of a job failed')
    }
    const problem = problemOf(error)
    if (isLasting(error) || job.attempts >= attemptsMax)
      return { outcome: 'failed', problem, nowMs }
    const firstMs = isAway(error) ? AWAY_BACKOFF_MS : BACKOFF_MS
    const backoffMs = Math.min(firstMs * 2 ** (job.attempts - 1), BACKOFF_MS_MAX)
    return { outcome: 'again', notBeforeMs: nowMs + backoffMs, problem, nowMs }
  }
}

/** What is unforeseen goes to the log, not to clients. */
function problemOf(error: unknown): JobProblem {
  if (!(error instanceof CodedError)) {
    return { code: 'internal', detail: 'the job failed; the log of the service says why' }
  }
  return { code: error.code, detail: error.message, facts: error.facts }
}

function gaveUp(attemptsMax: number): JobProblem {
  return { code: 'internal', detail: `the job did not end in ${attemptsMax} attempts` }
}
