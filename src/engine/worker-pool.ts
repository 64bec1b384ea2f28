import { setMaxListeners } from 'node:events'
import { CatalogError } from '../core/errors.ts'
import { LinkedStop } from '../core/linked-stop.ts'
import type { JobOptions } from './engine.ts'
import type { TaskRequest, TaskResult } from './protocol.ts'
import { WorkerProcess } from './worker-process.ts'

export interface PoolOptions {
  readonly processes: number
  readonly memoryBytes: number
  /** Folder for the folders of jobs. */
  readonly folder: string
  readonly jobTimeoutMs: number
  /** Largest number of waiting jobs; one more is `overloaded`. */
  readonly queueMax: number
}

interface RunOptions extends Pick<JobOptions, 'onRead' | 'timeoutMs'> {
  readonly inNewChild: boolean
}

/** With `inNewChild`, the task runs in a child that has done no other tasks. */
export type RunTask = (request: TaskRequest, options?: RunOptions) => Promise<TaskResult>

interface Turn {
  readonly signal?: AbortSignal | undefined
  /** Whether it may take minutes. */
  readonly isLong?: boolean
}

interface Waiting {
  readonly isLong: boolean
  readonly start: () => void
  readonly refuse: (reason: unknown) => void
}

/**
 * A pool with as many children as tasks run at once, first come, first served, but that long ones
 * leave a place to the others where there are several. A dead child is replaced when it is needed.
 */
export class WorkerPool {
  readonly #options: PoolOptions
  readonly #idle: WorkerProcess[] = []
  readonly #jobs = new Set<Promise<unknown>>()
  #running = 0
  #runningLong = 0
  readonly #waiting: Waiting[] = []
  readonly #closing = new AbortController()

  constructor(options: PoolOptions) {
    this.#options = options
    // One for each that waits or runs, however many.
    setMaxListeners(0, this.#closing.signal)
  }

  /**
   * Runs `use` when its turn comes, in the order of the calls. It passes its task to a child by
   * `run`, and may do related work before and after.
   */
  async inTurn<T>({ signal, isLong = false }: Turn, use: (run: RunTask) => Promise<T>): Promise<T> {
    signal?.throwIfAborted()
    this.#closing.signal.throwIfAborted()
    const job = this.#takePlace(signal, isLong).then(() => this.#inPlace({ signal, isLong }, use))
    this.#jobs.add(job)
    try {
      return await job
    } finally {
      this.#jobs.delete(job)
    }
  }

  /** Kills running tasks and refuses waiting ones. */
  async close(): Promise<void> {
    this.#closing.abort(new CatalogError('engine-failed', 'The engine is closing.'))
    for (const { refuse } of this.#waiting.splice(0)) refuse(this.#closing.signal.reason)
    await Promise.allSettled([
      ...this.#jobs,
      ...this.#idle.splice(0).map((worker) => worker.kill()),
    ])
  }

  async #runNow(
    request: TaskRequest,
    { signal, inNewChild, ...limits }: RunOptions & { readonly signal: AbortSignal },
  ): Promise<TaskResult> {
    const timeoutMs = Math.min(limits.timeoutMs ?? Infinity, this.#options.jobTimeoutMs)
    const idle = inNewChild ? undefined : this.#takeIdle()
    const worker = idle ?? (await WorkerProcess.start(this.#options, signal))
    try {
      return await worker.run(request, { ...limits, timeoutMs, signal })
    } finally {
      if (worker.isUsable && !this.#closing.signal.aborted) this.#idle.push(worker)
      else await worker.kill()
    }
  }

  #takeIdle(): WorkerProcess | undefined {
    let worker = this.#idle.pop()
    while (worker !== undefined && !worker.isUsable) worker = this.#idle.pop()
    return worker
  }

  #takePlace(signal: AbortSignal | undefined, isLong: boolean): Promise<void> {
    if (this.#running < this.#options.processes && this.#mayStart(isLong)) {
      this.#count(isLong, 1)
      return Promise.resolve()
    }
    const { queueMax } = this.#options
    if (this.#waiting.length >= queueMax) {
      const detail = `${queueMax} conversions are already waiting: try again soon.`
      return Promise.reject(new CatalogError('overloaded', detail, { facts: { queueMax } }))
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        isLong,
        start: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
        refuse: (reason) => {
          signal?.removeEventListener('abort', onAbort)
          reject(reason)
        },
      }
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiting)
    })
  }

  #mayStart(isLong: boolean): boolean {
    return !isLong || this.#runningLong < Math.max(1, this.#options.processes - 1)
  }

  #count(isLong: boolean, by: 1 | -1): void {
    this.#running += by
    if (isLong) this.#runningLong += by
  }

  async #inPlace<T>(
    { signal, isLong }: Turn & { readonly isLong: boolean },
    use: (run: RunTask) => Promise<T>,
  ): Promise<T> {
    const signals = signal === undefined ? [] : [signal]
    const ends = new LinkedStop(this.#closing.signal, ...signals)
    try {
      return await use((request, options = { inNewChild: false }) =>
        this.#runNow(request, { ...options, signal: ends.signal }),
      )
    } finally {
      ends.unlink()
      this.#count(isLong, -1)
      this.#startNext()
    }
  }

  /** The first that may: two, where a long one has ended and others waited behind it. */
  #startNext(): void {
    while (this.#running < this.#options.processes) {
      const i = this.#waiting.findIndex((each) => this.#mayStart(each.isLong))
      const [next] = i < 0 ? [] : this.#waiting.splice(i, 1)
      if (next === undefined) return
      this.#count(next.isLong, 1)
      next.start()
    }
  }
}
