import { CatalogError } from '../core/errors.ts'
import type { JobOptions } from './engine.ts'
import type { TaskRequest, TaskResult } from './protocol.ts'
import { WorkerProcess } from './worker-process.ts'

export interface PoolOptions {
  readonly processes: number
  readonly memoryBytes: number
  /** Of the jobs' folders. */
  readonly folder: string
  readonly jobTimeoutMs: number
  /** Jobs that wait; one more is `overloaded`. */
  readonly queueMax: number
}

interface Waiting {
  readonly start: () => void
  readonly refuse: (reason: unknown) => void
}

/** As many children as tasks run at once, first come first served. A dead one is replaced when it is needed. */
export class WorkerPool {
  private readonly options: PoolOptions
  private readonly idle: WorkerProcess[] = []
  private readonly tasks = new Set<Promise<unknown>>()
  private running = 0
  private readonly waiting: Waiting[] = []
  private readonly closing = new AbortController()

  constructor(options: PoolOptions) {
    this.options = options
  }

  /** Throws when nothing may start any more. */
  requireOpen(): void {
    this.closing.signal.throwIfAborted()
  }

  async run(request: TaskRequest, { signal }: JobOptions = {}): Promise<TaskResult> {
    signal?.throwIfAborted()
    this.requireOpen()
    const task = this.takePlace(signal).then(() => this.runInPlace(request, signal))
    this.tasks.add(task)
    try {
      return await task
    } finally {
      this.tasks.delete(task)
    }
  }

  /** Kills what runs and refuses what waits. */
  async close(): Promise<void> {
    this.closing.abort(new CatalogError('engine-failed', 'The engine is closing.'))
    for (const { refuse } of this.waiting.splice(0)) refuse(this.closing.signal.reason)
    await Promise.allSettled([...this.tasks, ...this.idle.splice(0).map((worker) => worker.kill())])
  }

  private async runNow(request: TaskRequest, signal: AbortSignal): Promise<TaskResult> {
    const { jobTimeoutMs } = this.options
    const worker = this.takeIdle() ?? (await WorkerProcess.start(this.options, signal))
    try {
      return await worker.run(request, { timeoutMs: jobTimeoutMs, signal })
    } finally {
      if (worker.isUsable && !this.closing.signal.aborted) this.idle.push(worker)
      else await worker.kill()
    }
  }

  private takeIdle(): WorkerProcess | undefined {
    let worker = this.idle.pop()
    while (worker !== undefined && !worker.isUsable) worker = this.idle.pop()
    return worker
  }

  private takePlace(signal: AbortSignal | undefined): Promise<void> {
    if (this.running < this.options.processes) {
      this.running++
      return Promise.resolve()
    }
    const { queueMax } = this.options
    if (this.waiting.length >= queueMax) {
      const detail = `${queueMax} conversions are waiting already.`
      return Promise.reject(new CatalogError('overloaded', detail, { facts: { queueMax } }))
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        start: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
        refuse: reject,
      }
      const onAbort = (): void => {
        this.waiting.splice(this.waiting.indexOf(waiting), 1)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.waiting.push(waiting)
    })
  }

  private async runInPlace(
    request: TaskRequest,
    signal: AbortSignal | undefined,
  ): Promise<TaskResult> {
    try {
      const signals = signal === undefined ? [] : [signal]
      return await this.runNow(request, AbortSignal.any([this.closing.signal, ...signals]))
    } finally {
      // The place goes from task to task: only when nobody waits is it free.
      const next = this.waiting.shift()
      if (next === undefined) this.running--
      else next.start()
    }
  }
}
