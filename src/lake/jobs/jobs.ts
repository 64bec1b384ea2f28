import type {
  CancelledJob,
  DueRun,
  JobQuery,
  JobRecord,
  NewJob,
  SubmittedJob,
} from '../../catalog/job-store.ts'
import { CatalogError } from '../../core/errors.ts'
import { pause } from './bell.ts'
import type { JobDependencies } from './job-hold.ts'
import { JobRunner, type JobRunnerOptions } from './job-runner.ts'
import type { Waiters } from './waiters.ts'

/** How soon those who wait for a job learn of its end: the longer it takes, the later. */
const POLL_MS_MIN = 100
const POLL_MS_MAX = 1_000

export type JobWish = Pick<NewJob, 'kind' | 'input' | 'notBeforeMs' | 'asker'> & {
  /** As in `NewJob`; a job that nobody else can mean when absent. */
  readonly key?: string
}

/** Durable work in the background: asked for here, done by any process of the catalog. */
export class Jobs {
  readonly #deps: JobDependencies
  readonly #waiters: Waiters
  #runner: JobRunner | undefined

  constructor(deps: JobDependencies, waiters: Waiters) {
    this.#deps = deps
    this.#waiters = waiters
  }

  /** Does jobs in this process from now on; without it, others do. */
  start(options: JobRunnerOptions): void {
    if (this.#runner !== undefined) throw new Error('jobs are done already')
    this.#runner = new JobRunner(this.#deps, options)
    this.#runner.start()
  }

  /** Gives back what runs here. */
  async close(): Promise<void> {
    await this.#runner?.close()
  }

  /** Joins the job of the same kind and key that has not ended, if there is one. */
  async submit({ key, ...wish }: JobWish): Promise<SubmittedJob> {
    const { catalog, ambient } = this.#deps
    const jobId = ambient.newUuid()
    const submitted = await catalog.jobs.submit({
      ...{ ...wish, jobId, key: key ?? jobId, nowMs: ambient.nowMs() },
    })
    this.#runner?.wake()
    return submitted
  }

  /**
   * As `submit`, for a time of a schedule, which is one caller's: `undefined` if it is not this
   * one's.
   */
  async submitDue(
    due: DueRun,
    { key, ...wish }: JobWish & { readonly key: string },
  ): Promise<SubmittedJob | undefined> {
    const { catalog, ambient } = this.#deps
    const job = { ...wish, key, jobId: ambient.newUuid(), nowMs: ambient.nowMs() }
    const submitted = await catalog.schedules.claim(due, job)
    this.#runner?.wake()
    return submitted
  }

  find(jobId: string): Promise<JobRecord | undefined> {
    return this.#deps.catalog.jobs.find(jobId)
  }

  /** Throws `job-not-found`. */
  async get(jobId: string): Promise<JobRecord> {
    const job = await this.find(jobId)
    if (job === undefined) throw jobNotFound(jobId)
    return job
  }

  /** The first of these names under which somebody has asked for the job. */
  async findAsker(jobId: string, askers: readonly string[]): Promise<string | undefined> {
    const { jobs } = this.#deps.catalog
    for (const asker of askers) if (await jobs.isAsker({ jobId, asker })) return asker
    return undefined
  }

  findByKey(key: Pick<JobRecord, 'kind' | 'key'>): Promise<JobRecord | undefined> {
    const { catalog, ambient } = this.#deps
    return catalog.jobs.findByKey({ ...key, nowMs: ambient.nowMs() })
  }

  list(query: JobQuery): Promise<readonly JobRecord[]> {
    return this.#deps.catalog.jobs.list(query)
  }

  /**
   * The job when it has ended or the time is over, whichever is first. One that is asked for here
   * is not when too many wait. Throws as `get` and `Waiters.wait`.
   */
  waitForEnd(
    jobOrAsk: string | (() => Promise<string>),
    { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<JobRecord> {
    return this.#waiters.wait(signal, async (waiting) => {
      const jobId = typeof jobOrAsk === 'string' ? jobOrAsk : await jobOrAsk()
      const endMs = performance.now() + waitMs
      for (let pollMs = POLL_MS_MIN; ; pollMs = Math.min(1.5 * pollMs, POLL_MS_MAX)) {
        const job = await this.get(jobId)
        const leftMs = endMs - performance.now()
        if (job.endedAtMs !== undefined || leftMs <= 0 || waiting.aborted) return job
        await pause(Math.min(pollMs, leftMs), waiting)
      }
    })
  }

  /**
   * As `waitForEnd`, for who has asked for the job already, and would take a refusal of the wait
   * for one of the job: `undefined` when too many wait.
   */
  async waitIfRoom(
    jobId: string,
    wait: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<JobRecord | undefined> {
    try {
      return await this.waitForEnd(jobId, wait)
    } catch (error) {
      if (error instanceof CatalogError && error.code === 'overloaded') return undefined
      throw error
    }
  }

  /** Withdraws one asker, or all; the job ends when none is left. Throws `job-not-found`. */
  async cancel(jobId: string, asker?: string): Promise<CancelledJob> {
    const { catalog, ambient } = this.#deps
    const cancellation = {
      jobId,
      nowMs: ambient.nowMs(),
      ...(asker === undefined ? {} : { asker }),
    }
    const job = await catalog.jobs.cancel(cancellation)
    if (job === undefined) throw jobNotFound(jobId)
    if (job.state !== 'cancelled') {
      if (job.isCancelled) await this.#runner?.look(jobId)
    } else if (job.isWithdrawn) await this.#runner?.tellCancelled(job)
    return job
  }
}

export function jobNotFound(jobId: string): CatalogError {
  return new CatalogError('job-not-found', `there is no job ${jobId}`, { facts: { jobId } })
}
