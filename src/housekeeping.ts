import type { Log } from './core/log.ts'

/** Something that is done now and then for as long as the service runs. */
export interface HousekeepingTask {
  /** What the log says when it fails. */
  readonly warning: string
  run(): Promise<unknown>
}

export interface Housekeeping {
  /** Starts no more; resolves when those under way have ended. */
  close(): Promise<void>
}

/** Runs the tasks every `everyMs`, first after that long. A failure is logged. */
export function startHousekeeping(
  tasks: readonly HousekeepingTask[],
  { everyMs, log }: { readonly everyMs: number; readonly log: Log },
): Housekeeping {
  let running = Promise.resolve()
  const runAll = async () => {
    for (const { warning, run } of tasks) await run().catch((err) => log.warn({ err }, warning))
  }
  const timer = setInterval(() => {
    running = running.then(runAll)
  }, everyMs)
  return {
    close() {
      clearInterval(timer)
      return running
    },
  }
}
