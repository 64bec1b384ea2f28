import type { Stores } from '../../catalog/catalog.ts'
import { exportSecurable } from '../../catalog/grant-store.ts'
import type { JobRecord, NextRun } from '../../catalog/job-store.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CodedError } from '../../core/errors.ts'
import { timeText } from '../../http/common-shapes.ts'
import type { Task } from '../../lake/jobs/task.ts'
import { findNext, overdueSinceMs, type ScheduleDependencies } from './export-schedule.ts'
import type { ExportTask } from './export-task.ts'
import { EXPORT_KIND } from './run-job.ts'
import { sourceOf } from './settle-run.ts'
import { isUnreadable } from './task-folder.ts'

const LOOK_MS = 10_000
const READS_AT_ONCE = 16
/** The scheduler looks every ten seconds, and a run may wait for its turn. */
const OVERDUE_MS = 60_000

/** What an operator wants to be woken for. */
export interface ExportHealth {
  readonly task: string
  /** Why it fails: that it cannot be run, or how its last run, or the last attempt of it, ended. */
  readonly failing?: {
    readonly problem: string
    readonly runId: string | null
    readonly sinceMs: number
  }
  /** The instant of its schedule that has passed without a run. */
  readonly overdueSinceMs?: number
}

/** The first so many tasks, each read once. Throws `exports-unreadable`. */
export async function readHealth(
  deps: ScheduleDependencies,
  tasksMax = Number.POSITIVE_INFINITY,
): Promise<readonly ExportHealth[]> {
  const paused = await deps.files.pauses.list()
  const noted = await deps.catalog.schedules.list()
  const hindrance = (await deps.files.problem()) === null ? null : 'storage-unavailable'
  const tasks = (await deps.folder.list()).slice(0, tasksMax)
  const found = await mapBounded(tasks, READS_AT_ONCE, (task) =>
    healthOf(deps, task, { noted: noted.get(task), isPaused: paused.has(task), hindrance }).catch(
      (error: unknown) => {
        // Its files are gone since.
        if (error instanceof CodedError && error.code === 'export-not-found') return undefined
        throw error
      },
    ),
  )
  return found.filter((health) => health !== undefined)
}

async function healthOf(
  deps: ScheduleDependencies,
  name: string,
  {
    hindrance,
    isPaused,
    noted,
  }: {
    readonly hindrance: string | null
    readonly isPaused: boolean
    readonly noted: NextRun | undefined
  },
): Promise<ExportHealth> {
  const { folder, jobs } = deps
  const { task, problem, changedAtMs } = await folder.look(name, (read) => sourceOf(deps, read))
  const last = await jobs.findByKey({ kind: EXPORT_KIND, key: name })
  const unable = problem === null ? hindrance : 'export-task-unusable'
  const failing =
    unable === null ? failureOf(last) : { problem: unable, runId: null, sinceMs: changedAtMs }
  const isHeld = task === undefined || isPaused
  const lateMs = isHeld ? undefined : await lateSince(deps, task, { noted, newest: last })
  return {
    task: name,
    ...(failing !== undefined && { failing }),
    ...(lateMs !== undefined && { overdueSinceMs: lateMs }),
  }
}

async function lateSince(
  deps: ScheduleDependencies,
  task: ExportTask,
  known: { readonly noted: NextRun | undefined; readonly newest: JobRecord | undefined },
): Promise<number | undefined> {
  const { schedule } = task
  if (schedule === undefined) return undefined
  const nowMs = deps.ambient.nowMs()
  const nextAtMs = await findNext(deps, { ...task, schedule }, { ...known, nowMs })
  return nextAtMs === undefined ? undefined : overdueSinceMs(schedule, { nextAtMs, nowMs })
}

function failureOf(last: JobRecord | undefined): ExportHealth['failing'] {
  if (last === undefined) return undefined
  const { jobId: runId, createdAtMs: sinceMs, endedAtMs, problem, state } = last
  // Of one that goes on, a failed attempt is known.
  const isFailing = state === 'failed' || (endedAtMs === undefined && problem !== undefined)
  return isFailing ? { problem: problem?.code ?? 'internal', runId, sinceMs } : undefined
}

/** Raises an event for each run that fails, each task that cannot be run, each time that passed. */
export function healthTask(deps: ScheduleDependencies & Stores<'events'>): Task {
  return {
    name: 'tell of failing exports',
    everyMs: LOOK_MS,
    run: async () => {
      const found = await readHealth(deps).catch((error: unknown) => {
        // The schedule logs it.
        if (isUnreadable(error)) return []
        throw error
      })
      for (const health of found) await tell(deps, health)
    },
  }
}

async function tell(
  { ambient, catalog }: ScheduleDependencies & Stores<'events'>,
  { task, failing, overdueSinceMs: dueMs }: ExportHealth,
): Promise<void> {
  const nowMs = ambient.nowMs()
  const of = { subject: exportSecurable(task), name: task, nowMs }
  if (failing !== undefined) {
    const { problem, runId, sinceMs } = failing
    await catalog.events.raiseOnce({
      ...{ ...of, type: 'moraine.export.failing.v1', sinceMs },
      onceName: `export ${runId === null ? 'unusable' : 'failing'} ${task}`,
      data: { task, run_id: runId, problem: `/problems/${problem}` },
    })
  }
  if (dueMs === undefined || nowMs - dueMs < OVERDUE_MS) return
  await catalog.events.raiseOnce({
    ...{ ...of, type: 'moraine.export.overdue.v1', sinceMs: dueMs },
    onceName: `export overdue ${task}`,
    data: { task, due_at: timeText(dueMs) },
  })
}
