import type { Catalog } from '../../catalog/catalog.ts'
import type { ClaimedJob, JobEnding } from '../../catalog/job-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { CatalogError } from '../../core/errors.ts'
import { LinkedStop } from '../../core/linked-stop.ts'
import type { Log } from '../../core/log.ts'
import type { JobFence } from './job-kind.ts'
import type { StoreChecks } from './lasting.ts'

export interface JobDependencies extends StoreChecks {
  readonly catalog: Pick<Catalog, 'jobs' | 'schedules'>
  readonly ambient: Ambient
  readonly log: Log
}

export type HoldState = 'held' | 'cancelled' | 'lost'

/** A claimed job while it runs here: renewed, with its progress, until it is let go. */
export class JobHold implements JobFence {
  readonly #deps: JobDependencies
  readonly #job: ClaimedJob
  readonly #leaseMs: number
  readonly #stop: LinkedStop
  readonly #stopped: LinkedStop
  readonly #renewal: NodeJS.Timeout
  #renewedAtMs: number
  #progress: unknown
  #state: HoldState
  /** Aborted when the job is cancelled or lost, or when its process stops. */
  readonly signal: AbortSignal

  constructor(
    deps: JobDependencies,
    job: ClaimedJob,
    {
      leaseMs,
      claimedAtMs,
      signal,
    }: {
      readonly leaseMs: number
      /** When the claim was sent: an answer that took long has used up its lease. */
      readonly claimedAtMs: number
      readonly signal: AbortSignal
    },
  ) {
    this.#renewedAtMs = claimedAtMs
    this.#deps = deps
    this.#job = job
    this.#leaseMs = leaseMs
    this.#state = job.isCancelled ? 'cancelled' : 'held'
    this.#stop = new LinkedStop(signal)
    this.signal = this.#stop.signal
    this.#stopped = new LinkedStop(signal)
    this.#renewal = setInterval(() => void this.#renewInTime(), leaseMs / 4)
    this.#renewal.unref()
  }

  get state(): HoldState {
    return this.#state
  }

  get isCancelled(): boolean {
    return this.#state === 'cancelled'
  }

  get stopped(): AbortSignal {
    return this.#stopped.signal
  }

  get token(): bigint {
    return this.#job.fencingToken
  }

  report(progress: unknown): void {
    this.#progress = progress
  }

  async confirm(): Promise<void> {
    this.signal.throwIfAborted()
    await this.#renew()
    this.signal.throwIfAborted()
  }

  /** Looks at once, instead of at the next renewal, whether the job was cancelled. */
  async look(): Promise<void> {
    await this.#renewInTime()
  }

  /** The last word; nothing is written when somebody else has the job. */
  async end(ending: JobEnding): Promise<void> {
    clearInterval(this.#renewal)
    this.#stop.unlink()
    this.#stopped.unlink()
    if (this.#state === 'lost') return
    if (this.#progress !== undefined && ending.outcome !== 'released') await this.#renew()
    await this.#deps.catalog.jobs.end(this.#job, ending)
  }

  async #renewInTime(): Promise<void> {
    try {
      await this.#renew()
    } catch (err) {
      this.#deps.log.warn({ err, jobId: this.#job.jobId }, 'a job could not be renewed')
      // By now somebody else may have it.
      if (performance.now() - this.#renewedAtMs > this.#leaseMs) this.#give('lost')
    }
  }

  async #renew(): Promise<void> {
    const { catalog, ambient } = this.#deps
    const progress = this.#progress
    const askedAtMs = performance.now()
    const { jobId, owner, fencingToken } = this.#job
    const outcome = await catalog.jobs.renew({
      jobId,
      owner,
      fencingToken,
      progress,
      nowMs: ambient.nowMs(),
      durationMs: this.#leaseMs,
    })
    if (this.#progress === progress) this.#progress = undefined
    if (outcome === 'renewed') this.#renewedAtMs = askedAtMs
    else this.#give(outcome)
  }

  #give(state: 'cancelled' | 'lost'): void {
    if (this.#state === 'lost') return
    this.#state = state
    const why = state === 'lost' ? 'another process took the job over' : 'the job was cancelled'
    const ended = new CatalogError('overloaded', why)
    this.#stop.abort(ended)
    if (state === 'lost') this.#stopped.abort(ended)
  }
}
