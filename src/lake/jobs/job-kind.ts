import type { JobRecord } from '../../catalog/job-store.ts'
import type { Privilege } from '../../core/access/privilege.ts'
import type { EventOrigin } from '../../core/event-origin.ts'

/** How jobs of one kind are done. */
export interface JobKind<Input = unknown> {
  /** Unique among all modules, and stored with the job, so it is never changed. */
  readonly kind: string
  /**
   * Claims after which a job that never ends, because its process dies or `run` fails, has failed;
   * 10 when absent.
   */
  readonly attemptsMax?: number
  /** If given, only who asked for a job sees and cancels it, and administrators. */
  readonly ofAskers?: OfAskers
  /**
   * Makes the input of what was stored, maybe by an older release. Throws when it cannot: the job
   * has failed.
   */
  input(stored: unknown): Input
  /**
   * Returns the result, a plain JSON value. It may run again, from the beginning, in another
   * process: what it has done before must be found or be safe to do twice. A `CatalogError` is the
   * end, unless it passes (lasting.ts); any other failure is tried again later. `signal` ends when
   * the job is cancelled, its lease is lost or the service stops.
   */
  run(job: RunningJob<Input>, fence: JobFence, signal: AbortSignal): Promise<unknown>
  /**
   * Told once the job is cancelled, whether it ran or not, by the process where that was done; a
   * process that dies then tells nobody, so that the kind looks for itself now and then.
   */
  cancelled?(input: Input): Promise<void>
}

export interface OfAskers {
  /** Who asks for what nobody in particular wants: no principal has the name. */
  readonly schedule: string
  /** By which others see a job that the schedule asked for, and withdraw for it. */
  permission(job: JobRecord): {
    readonly privilege: Privilege
    readonly on: 'export'
    readonly name: string
  }
  /** Called before somebody withdraws, for the audit. */
  noteCancel(job: JobRecord, origin: EventOrigin): Promise<void>
}

export interface RunningJob<Input> {
  readonly jobId: string
  readonly input: Input
  /** 1 the first time. */
  readonly attempt: number
  /**
   * Shows how far it is; a plain, small JSON value. Sent with the next renewal, so it may be called
   * often.
   */
  report(progress: unknown): void
}

/**
 * Thrown by `run` for a job whose turn has not come: it waits for so long at least, and this was no
 * attempt.
 */
export class JobNotYet extends Error {
  readonly afterMs: number

  constructor(afterMs: number) {
    super(`not before ${afterMs} ms`)
    this.afterMs = afterMs
  }
}

/** Proof of being the one that does the job. */
export interface JobFence {
  /** Greater than that of any earlier attempt. */
  readonly token: bigint
  /** Whether nobody wants the job any more. */
  readonly isCancelled: boolean
  /**
   * Aborted when the job is lost or the service stops, also once the job is cancelled: for what has
   * to be ended then.
   */
  readonly stopped: AbortSignal
  /**
   * Asked before what must not be done by two: throws unless the job is ours, from now on for a
   * whole lease.
   */
  confirm(): Promise<void>
}
