import { Cron } from 'croner'
import type { Schedule } from './task.ts'

/** The instants of a schedule: the same in every process, so that each is done once. */
export interface Ticks {
  /** The first after the instant; `undefined` when there is none. */
  next(afterMs: number): number | undefined
  /**
   * The last at or before the instant, for what was missed while nothing ran; `undefined` when
   * nothing was.
   */
  previous(nowMs: number): number | undefined
}

/** Throws when the pattern or the zone is none. */
export function ticksOf(schedule: Schedule): Ticks {
  if ('everyMs' in schedule) {
    const { everyMs } = schedule
    if (!(everyMs >= 1)) throw new Error(`a schedule of every ${everyMs} ms`)
    const previous = (nowMs: number) => Math.floor(nowMs / everyMs) * everyMs
    return { previous, next: (afterMs) => previous(afterMs) + everyMs }
  }
  const { cron, zone = 'UTC' } = schedule
  const pattern = new Cron(cron, { timezone: zone, mode: '5-or-6-parts' })
  // It looks at the zone only now.
  pattern.nextRun()
  return {
    next: (afterMs) => pattern.nextRun(new Date(afterMs))?.getTime(),
    // What was to happen at night does not happen in the morning instead.
    previous: () => undefined,
  }
}
