import type { Catalog } from '../../catalog/catalog.ts'
import { pause } from './bell.ts'
import { newClosing } from './closing.ts'
import { Lease, type LeaseDependencies } from './lease.ts'
import { type Ticks, ticksOf } from './schedule.ts'
import type { Task } from './task.ts'

/** What was missed waits until the service has started. */
const CATCH_UP_MS = 30_000
/** No longer at once: the clock may be set, and timers count up to 2^31 ms. */
const PAUSE_MS_MAX = 60_000

export type TaskDependencies = LeaseDependencies & {
  readonly catalog: Pick<Catalog, 'jobs' | 'leases'>
}

/** Does tasks when they are due; of several replicas one does each tick. */
export class TaskRunner {
  readonly #deps: TaskDependencies
  readonly #tasks: readonly { readonly task: Task; readonly ticks: Ticks }[]
  readonly #catchUpMs: number
  readonly #closing = newClosing()
  #loops: readonly Promise<void>[] = []

  /** Throws when a schedule is none. */
  constructor(deps: TaskDependencies, tasks: readonly Task[], { catchUpMs = CATCH_UP_MS } = {}) {
    this.#deps = deps
    this.#tasks = tasks.map((task) => ({ task, ticks: ticksOf(task) }))
    this.#catchUpMs = catchUpMs
  }

  start(): void {
    this.#loops = this.#tasks.map(({ task, ticks }) => this.#follow(task, ticks))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#loops)
  }

  async #follow(task: Task, ticks: Ticks): Promise<void> {
    const { ambient } = this.#deps
    const { signal } = this.#closing
    const startedAtMs = ambient.nowMs()
    const missed = ticks.previous(startedAtMs)
    if (missed !== undefined) {
      await pause(this.#catchUpMs, signal)
      await this.#runTick(task, missed)
    }
    let tickMs = ticks.next(startedAtMs)
    let lookedAtMs = startedAtMs
    while (tickMs !== undefined && !signal.aborted) {
      const nowMs = ambient.nowMs()
      // The clock was ahead: else nothing was done until that time has come.
      if (nowMs < lookedAtMs) tickMs = ticks.next(nowMs) ?? tickMs
      lookedAtMs = nowMs
      const leftMs = tickMs - nowMs
      if (leftMs > 0) {
        await pause(Math.min(leftMs, PAUSE_MS_MAX), signal)
        continue
      }
      await this.#runTick(task, tickMs)
      // What passed while it ran is not made up for.
      tickMs = ticks.next(Math.max(tickMs, ambient.nowMs()))
    }
  }

  async #runTick(task: Task, tickMs: number): Promise<void> {
    const { signal } = this.#closing
    if (signal.aborted) return
    const { name } = task
    try {
      const lease = await Lease.tryAcquire(this.#deps, { name: `task ${name}`, signal })
      if (lease === undefined) return // One replica still does the last tick.
      try {
        const nowMs = this.#deps.ambient.nowMs()
        const isOurs = await this.#deps.catalog.jobs.claimTick({ name, tickMs, nowMs })
        if (isOurs) await task.run(lease.signal)
      } finally {
        await lease.release()
      }
    } catch (err) {
      if (!signal.aborted) this.#deps.log.warn({ err, task: name }, 'a task failed')
    }
  }
}
