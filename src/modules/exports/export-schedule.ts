import type { Stores } from '../../catalog/catalog.ts'
import type { DueRun, JobRecord, NextRun } from '../../catalog/job-store.ts'
import { CodedError } from '../../core/errors.ts'
import { AHEAD_MS_MAX } from '../../core/limits.ts'
import { type Ticks, ticksOf } from '../../lake/jobs/schedule.ts'
import type { Task } from '../../lake/jobs/task.ts'
import { requireRunnable } from './export-run.ts'
import type { ExportSchedule, ExportTask } from './export-task.ts'
import { EXPORT_KIND, type ExportJobDependencies, exportWish, SCHEDULE } from './run-job.ts'
import { isUnreadable } from './task-folder.ts'

export type ScheduleDependencies = ExportJobDependencies & Stores<'schedules'>

/** No task has this name. */
const ALL = ''
const LOOK_MS = 10_000
const GONE_LOOKS = 60
const MINUTE_MS = 60_000
const DAY_MS = 1_440 * MINUTE_MS
/** How late a run still begins: in time, or after the service was away. */
const LATE_MS = { none: 5 * MINUTE_MS, one: 6 * DAY_MS } as const
/** Each is searched from its beginning, so that few instants of a frequent schedule are passed. */
const SEARCHED_MS = [MINUTE_MS, 5 * MINUTE_MS, 60 * MINUTE_MS, 360 * MINUTE_MS, DAY_MS, 6 * DAY_MS]

/** Asks for runs at their times, each of which one process claims. A run that is open is joined. */
export function scheduleTask(deps: ScheduleDependencies): Task {
  /** Why tasks could not be asked for when they were last looked at: each is logged once. */
  let told: ReadonlyMap<string, string> = new Map()
  const missedBy = newMissed()
  return {
    name: 'schedule exports',
    everyMs: LOOK_MS,
    run: async (signal) => {
      const names = await deps.folder.list().catch((error: unknown) => {
        if (!isUnreadable(error)) throw error
        const { message: problem } = error
        if (told.get(ALL) !== problem) deps.log.warn({ problem }, 'no export could be scheduled')
        told = new Map([[ALL, problem]])
      })
      if (names === undefined) return
      const paused = await deps.files.pauses.list()
      const noted = await deps.catalog.schedules.list()
      const failed = new Map<string, string>()
      for (const name of names) {
        signal.throwIfAborted()
        if (paused.has(name)) continue
        await askIfDue(deps, name, noted.get(name)).catch((error: unknown) => {
          const problem = error instanceof Error ? error.message : String(error)
          failed.set(name, problem)
          if (told.get(name) !== problem) warn(deps, name, error)
        })
      }
      for (const { name, problem } of await deps.folder.listMisnamed()) {
        failed.set(name, problem)
        const at = { problem, task: name }
        if (told.get(name) !== problem) deps.log.warn(at, 'an export could not be scheduled')
      }
      for (const name of missedBy(names, noted)) await deps.catalog.schedules.forget(name)
      told = failed
    },
  }
}

/**
 * Which tasks were missing at each look for ten minutes: their folder may be mounted, or written
 * anew, at this moment. One that comes back after that begins anew.
 */
function newMissed() {
  let looks = new Map<string, number>()
  return (names: readonly string[], noted: ReadonlyMap<string, NextRun>): readonly string[] => {
    const there = new Set(names)
    const gone = [...noted.keys()].filter((task) => !there.has(task))
    looks = new Map(gone.map((task) => [task, (looks.get(task) ?? 0) + 1]))
    return gone.filter((task) => (looks.get(task) ?? 0) >= GONE_LOOKS)
  }
}

/** A line for what an operator can mend; else with the stack. */
function warn({ log }: ExportJobDependencies, task: string, err: unknown): void {
  const why = err instanceof CodedError ? { problem: err.message } : { err }
  log.warn({ ...why, task }, 'an export could not be scheduled')
}

/** Throws why it cannot be run. */
async function askIfDue(
  deps: ScheduleDependencies,
  name: string,
  noted: NextRun | undefined,
): Promise<void> {
  const { ambient, catalog, folder, jobs } = deps
  const task = await folder.read(name)
  const { schedule, digest } = task
  if (schedule === undefined) {
    // One that comes back begins anew.
    if (noted !== undefined) await catalog.schedules.forget(name)
    return
  }
  await requireRunnable(deps, task)
  const newest = await jobs.findByKey({ kind: EXPORT_KIND, key: name })
  const nowMs = ambient.nowMs()
  const nextAtMs = await findNext(deps, { ...task, schedule }, { noted, newest, nowMs })
  if (nextAtMs === undefined) return
  if (noted?.digest !== digest || noted.nextAtMs !== nextAtMs) {
    const next = { digest, nextAtMs }
    // Another process has been quicker: the next look tells.
    if ((await catalog.schedules.set(name, next, noted)) === 'changed') return
  }
  const due = dueRun(name, schedule, { nextAtMs, nowMs })
  if (due !== undefined) await jobs.submitDue(due, exportWish({ task: name, asker: SCHEDULE }))
}

type ScheduledTask = Pick<ExportTask, 'name' | 'digest' | 'changedAtMs'> & {
  readonly schedule: ExportSchedule
}

/**
 * The time that is to be run next: one that has passed if no run was asked for since. Where the
 * catalog knows none, since the task is new, or another one since, or the catalog was rebuilt, the
 * first since the task was changed. `undefined` if none ever comes.
 */
export async function findNext(
  { jobs }: Pick<ExportJobDependencies, 'jobs'>,
  { name, schedule, digest, changedAtMs }: ScheduledTask,
  {
    noted,
    newest,
    nowMs,
  }: {
    readonly noted: NextRun | undefined
    /** The job of the task that was asked for last, by its own time. */
    readonly newest: JobRecord | undefined
    readonly nowMs: number
  },
): Promise<number | undefined> {
  const ticks = ticksOf(schedule)
  const isKnown = noted?.digest === digest && !isAhead(ticks, noted, nowMs)
  const nextAtMs = isKnown ? noted.nextAtMs : ticks.next(Math.min(changedAtMs, nowMs))
  // A run that was asked for by a clock far ahead does not count.
  const before = { createdAtMs: nowMs + AHEAD_MS_MAX, jobId: '' }
  const isOfClockAhead = (newest?.createdAtMs ?? 0) >= before.createdAtMs
  const [last] = isOfClockAhead
    ? await jobs.list({ kind: EXPORT_KIND, key: name, before, limit: 1 })
    : [newest]
  const isRun = last !== undefined && nextAtMs !== undefined && last.createdAtMs >= nextAtMs
  return isRun ? ticks.next(last.createdAtMs) : nextAtMs
}

/** Noted by a clock far ahead: none later than the next of the schedule would be noted now. */
function isAhead(ticks: Ticks, { nextAtMs }: NextRun, nowMs: number): boolean {
  const latestMs = nowMs + AHEAD_MS_MAX
  return nextAtMs > latestMs && nextAtMs !== ticks.next(latestMs)
}

interface Times {
  /** As `findNext` returns it. */
  readonly nextAtMs: number
  readonly nowMs: number
}

/** The time that has come, and not too long ago, with the one after it. */
export function dueRun(name: string, schedule: ExportSchedule, times: Times): DueRun | undefined {
  const isDue = missedTick(schedule, times, LATE_MS[schedule.catchUp]) !== undefined
  const nextAtMs = isDue ? ticksOf(schedule).next(times.nowMs) : undefined
  return nextAtMs === undefined ? undefined : { name, dueAtMs: times.nextAtMs, nextAtMs }
}

/** The last instant of the schedule within six days, if it has passed without a run. */
export function overdueSinceMs(schedule: ExportSchedule, times: Times): number | undefined {
  return missedTick(schedule, times, LATE_MS.one)
}

/** When it is run next, as far as its schedule tells; in the past for one that is due. */
export function nextRunAtMs(schedule: ExportSchedule, times: Times): number | undefined {
  const { nextAtMs, nowMs } = times
  if (nextAtMs > nowMs) return nextAtMs
  return missedTick(schedule, times, LATE_MS[schedule.catchUp]) ?? ticksOf(schedule).next(nowMs)
}

/** The time that `missedTick` finds may be none of the schedule: the end of a pause. */
function missedTick(
  schedule: ExportSchedule,
  { nextAtMs, nowMs }: Times,
  lateMs: number,
): number | undefined {
  if (nextAtMs > nowMs) return undefined
  const tickMs = lastTick(ticksOf(schedule), nowMs, lateMs)
  const sinceMs = Math.max(nextAtMs, tickMs ?? nextAtMs)
  return sinceMs > nowMs - lateMs ? sinceMs : undefined
}

function lastTick(ticks: Ticks, nowMs: number, lateMs: number): number | undefined {
  for (const searchedMs of SEARCHED_MS.filter((ms) => ms <= lateMs)) {
    let last: number | undefined
    let next = ticks.next(nowMs - searchedMs)
    while (next !== undefined && next <= nowMs) {
      last = next
      next = ticks.next(next)
    }
    if (last !== undefined) return last
  }
  return undefined
}

/** Ends a pause. What has passed in it is left out, or, with `catch_up`, due from now on. */
export async function resumeSchedule(deps: ScheduleDependencies, name: string): Promise<void> {
  const { pauses } = deps.files
  if (!(await pauses.list()).has(name)) return
  // Before the pause ends: else the next look would run what has passed.
  let outcome: 'set' | 'changed'
  do outcome = await passOver(deps, name)
  while (outcome === 'changed')
  await pauses.end(name)
}

async function passOver(
  { ambient, catalog, folder, jobs }: ScheduleDependencies,
  name: string,
): Promise<'set' | 'changed'> {
  const { task } = await folder.look(name, () => undefined)
  // One that cannot be used is another one as soon as it can.
  if (task?.schedule === undefined) return 'set'
  const { schedule, digest } = task
  const noted = await catalog.schedules.find(name)
  const newest = await jobs.findByKey({ kind: EXPORT_KIND, key: name })
  const nowMs = Math.ceil(ambient.nowMs())
  const nextAtMs = await findNext({ jobs }, { ...task, schedule }, { noted, newest, nowMs })
  if (nextAtMs === undefined || nextAtMs > nowMs) return 'set'
  const isMadeUp =
    schedule.catchUp === 'one' && overdueSinceMs(schedule, { nextAtMs, nowMs }) !== undefined
  const afterMs = isMadeUp ? nowMs : ticksOf(schedule).next(nowMs)
  if (afterMs === undefined) return 'set'
  return catalog.schedules.set(name, { digest, nextAtMs: afterMs }, noted)
}
