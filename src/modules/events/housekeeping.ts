import type { Catalog } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import { forgetOldTransactions } from '../../lake/commit/transactions.ts'
import { forgetOldLeases } from '../../lake/jobs/old-leases.ts'
import type { Task } from '../../lake/jobs/task.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const EVENTS_KEPT_MS = 30 * DAY_MS
const JOBS_KEPT_MS = 7 * DAY_MS

export interface HousekeepingPlatform {
  readonly catalog: Pick<
    Catalog,
    'deletions' | 'events' | 'holds' | 'jobs' | 'leases' | 'replays' | 'transactions'
  >
  readonly ambient: Ambient
}

/** Tasks that remove old records, each run hourly by one replica. */
export function housekeepingTasks(platform: HousekeepingPlatform): readonly Task[] {
  const { catalog, ambient } = platform
  return [
    hourly('forget events', () => forgetEvents(platform)),
    hourly('forget jobs', () => catalog.jobs.forget(ambient.nowMs() - JOBS_KEPT_MS)),
    hourly('forget replays', () => catalog.replays.forget(ambient.nowMs())),
    hourly('forget transactions', () => forgetOldTransactions(platform)),
    hourly('forget leases', () => forgetOldLeases(platform)),
    hourly('forget holds', () => catalog.holds.forget(ambient.nowMs())),
  ]
}

function forgetEvents({ catalog, ambient }: HousekeepingPlatform): Promise<number> {
  const nowMs = ambient.nowMs()
  return catalog.events.forget({ beforeMs: nowMs - EVENTS_KEPT_MS, nowMs })
}

function hourly(name: string, forget: () => Promise<number>): Task {
  return {
    name,
    everyMs: HOUR_MS,
    run: async () => {
      await forget()
    },
  }
}
