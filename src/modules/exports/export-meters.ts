import { mapBounded } from '../../core/bounded.ts'
import { askedGauge, type Meter } from '../../http/metrics.ts'
import { sourceOf } from './export-run.ts'
import { overdueMs } from './export-schedule.ts'
import { EXPORT_KIND, type ExportJobDependencies } from './run-job.ts'

const READS_AT_ONCE = 16
/** More would make each scrape long. */
const TASKS_MAX = 1_000

/** What an operator wants to be woken for. */
export function exportMeters(deps: ExportJobDependencies): readonly Meter[] {
  return [
    askedGauge(
      'moraine_export_failing',
      'Whether the last run of an export that has ended has failed, or none could begin.',
      'task',
      () => ofEach(deps, (task) => failing(deps, task)),
    ),
    askedGauge(
      'moraine_export_overdue_seconds',
      'For how long a time of the schedule of an export has passed without a run.',
      'task',
      async () => {
        const paused = await deps.files.listPaused()
        return ofEach(deps, async (task) => (paused.has(task) ? 0 : overdueSeconds(deps, task)))
      },
    ),
  ]
}

async function ofEach(
  { folder }: ExportJobDependencies,
  measure: (task: string) => Promise<number>,
): Promise<readonly (readonly [string, number])[]> {
  const tasks = (await folder.list()).slice(0, TASKS_MAX)
  return mapBounded(tasks, READS_AT_ONCE, async (task) => [task, await measure(task)] as const)
}

async function failing(deps: ExportJobDependencies, task: string): Promise<number> {
  try {
    sourceOf(deps, await deps.folder.read(task))
  } catch {
    return 1
  }
  const last = await deps.jobs.findByKey({ kind: EXPORT_KIND, key: task })
  if (last === undefined) return 0
  // Of one that goes on, a failed attempt is known.
  return last.state === 'failed' || (last.endedAtMs === undefined && last.problem) ? 1 : 0
}

async function overdueSeconds(deps: ExportJobDependencies, name: string): Promise<number> {
  const { ambient, folder, jobs } = deps
  const task = await folder.read(name).catch(() => undefined)
  if (task?.schedule === undefined) return 0
  const last = await jobs.findByKey({ kind: EXPORT_KIND, key: name })
  const { changedAtMs, schedule } = task
  const asked = { changedAtMs, lastAskedAtMs: last?.createdAtMs, nowMs: ambient.nowMs() }
  return overdueMs(schedule, asked) / 1_000
}
