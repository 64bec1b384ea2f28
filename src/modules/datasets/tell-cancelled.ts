import type { Stores } from '../../catalog/catalog.ts'
import { isUnfinished } from '../../catalog/dataset-store.ts'
import type { JobRecord } from '../../catalog/job-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { Task } from '../../lake/jobs/task.ts'
import { endCancelled } from './prepare-formats.ts'
import { inputOf, KIND } from './query-dataset.ts'

const MINUTE_MS = 60_000
/** Cancelled jobs that are looked at: with more, the oldest are not. */
const LOOKED_AT_MAX = 1_000
/** What was not told by then is not told any more. */
const TOLD_WITHIN_MS = 24 * 60 * MINUTE_MS

type CancelledDependencies = Stores<'datasets' | 'jobs'> & {
  readonly ambient: Pick<Ambient, 'nowMs'>
}

/** Fails datasets whose jobs were cancelled by a process that died before it said so. */
export function tellCancelled(deps: CancelledDependencies): Task {
  return {
    name: 'tell cancelled datasets',
    everyMs: MINUTE_MS,
    run: async (signal) => {
      const { jobs } = deps.catalog
      const cancelled = await jobs.list({ kind: KIND, state: 'cancelled', limit: LOOKED_AT_MAX })
      const sinceMs = deps.ambient.nowMs() - TOLD_WITHIN_MS
      for (const job of cancelled) {
        signal.throwIfAborted()
        if ((job.endedAtMs ?? 0) >= sinceMs) await tell(deps, job)
      }
    },
  }
}

async function tell({ catalog, ambient }: CancelledDependencies, job: JobRecord): Promise<void> {
  const { kind, key, jobId, input } = job
  const { tableUuid } = inputOf(input)
  const dataset = await catalog.datasets.find({ tableUuid })
  if (dataset === undefined || !isUnfinished(dataset)) return
  // Somebody may have asked for it again.
  const newest = await catalog.jobs.findByKey({ kind, key, nowMs: ambient.nowMs() })
  if (newest?.jobId !== jobId) return
  await endCancelled({ catalog, ambient }, tableUuid)
}
