import { askedGauge, gaugeOf, type Meter } from '../../../http/metrics.ts'
import { type ExportHealth, readHealth } from '../export-health.ts'
import type { ScheduleDependencies } from '../export-schedule.ts'
import { isUnreadable } from '../task-folder.ts'

/** A scrape tells of the first so many; events tell of all. */
const TASKS_MAX = 1_000

/** What an operator wants to be woken for; a scrape reads each task once. */
export function exportMeters(deps: ScheduleDependencies): readonly Meter[] {
  let reading: Promise<readonly ExportHealth[]> | undefined
  const read = () => {
    reading ??= readHealth(deps, TASKS_MAX).finally(() => {
      reading = undefined
    })
    return reading
  }
  return [
    gaugeOf(
      'moraine_exports_unreadable',
      'Whether the folder of export tasks is there and cannot be read.',
      () =>
        read().then(
          () => 0,
          (error: unknown) => (isUnreadable(error) ? 1 : 0),
        ),
    ),
    askedGauge(
      'moraine_export_failing',
      'Whether an export cannot be run, or its last run has failed.',
      'task',
      async () => (await read()).map(({ task, failing }) => [task, failing ? 1 : 0]),
    ),
    askedGauge(
      'moraine_export_overdue_seconds',
      'For how long a time of the schedule of an export has passed without a run.',
      'task',
      async () => {
        const health = await read()
        const nowMs = deps.ambient.nowMs()
        return health.map(({ task, overdueSinceMs = nowMs }) => [
          task,
          (nowMs - overdueSinceMs) / 1_000,
        ])
      },
    ),
  ]
}
