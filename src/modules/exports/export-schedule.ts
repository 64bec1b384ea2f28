import type { JobRecord } from '../../catalog/job-store.ts'
import { CodedError } from '../../core/errors.ts'
import { AHEAD_MS_MAX } from '../../core/limits.ts'
import { type Ticks, ticksOf } from '../../lake/jobs/schedule.ts'
import type { Task } from '../../lake/jobs/task.ts'
import type { Pauses, SeenFiles } from './export-pauses.ts'
import { requireRunnable } from './export-run.ts'
import type { ExportSchedule, ExportTask } from './export-task.ts'
import { askForExport, EXPORT_KIND, type ExportJobDependencies, SCHEDULE } from './run-job.ts'
import { isUnreadable } from './task-folder.ts'

/** No task has this name. */
const ALL = ''
const LOOK_MS = 10_000
const GONE_LOOKS = 60
const MINUTE_MS = 60_000
const DAY_MS = 1_440 * MINUTE_MS
/** How late a run still begins: in time, or after the service was away. Jobs are kept a week. */
const LATE_MS = { none: 5 * MINUTE_MS, one: 6 * DAY_MS } as const
/** Each is searched from its beginning, so that few instants of a frequent schedule are passed. */
const SEARCHED_MS = [MINUTE_MS, 5 * MINUTE_MS, 60 * MINUTE_MS, 360 * MINUTE_MS, DAY_MS, 6 * DAY_MS]

/** Asks for runs at their times. A run that is open is joined: none is doubled. */
export function scheduleTask(deps: ExportJobDependencies): Task {
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
      const pauses = await deps.files.pauses.read()
      const failed = new Map<string, string>()
      for (const name of names) {
        signal.throwIfAborted()
        if (pauses.paused.has(name)) continue
        await askIfDue(deps, name, pauses).catch((error: unknown) => {
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
      await forgetGone(deps, missedBy(names, pauses))
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
  return (names: readonly string[], { seen }: Pauses): ReadonlyMap<string, SeenFiles> => {
    const gone = [...seen].filter(([task]) => !names.includes(task))
    looks = new Map(gone.map(([task]) => [task, (looks.get(task) ?? 0) + 1]))
    return new Map(gone.filter(([task]) => (looks.get(task) ?? 0) >= GONE_LOOKS))
  }
}

async function forgetGone(
  { files }: ExportJobDependencies,
  gone: ReadonlyMap<string, SeenFiles>,
): Promise<void> {
  for (const [task, found] of gone) await files.pauses.forgetSeen(task, found)
}

/** A line for what an operator can mend; else with the stack. */
function warn({ log }: ExportJobDependencies, task: string, err: unknown): void {
  const why = err instanceof CodedError ? { problem: err.message } : { err }
  log.warn({ ...why, task }, 'an export could not be scheduled')
}

/** Throws why it cannot be run. */
async function askIfDue(deps: ExportJobDependencies, name: string, pauses: Pauses): Promise<void> {
  const { ambient, files, folder, jobs } = deps
  const task = await folder.read(name)
  const { schedule, digest } = task
  const before = pauses.seen.get(name)
  if (schedule === undefined) {
    // One that comes back begins anew.
    if (before !== undefined) await files.pauses.forgetSeen(name, before)
    return
  }
  await requireRunnable(deps, task)
  const newest = await jobs.findByKey({ kind: EXPORT_KIND, key: name })
  const nowMs = ambient.nowMs()
  const asked = await askedFor(deps, task, { ...pauses, newest, nowMs })
  if (seenSince(task, before, nowMs) === undefined) {
    await files.pauses.see(name, { digest, atMs: Math.floor(asked.changedAtMs) }, before)
  }
  if (isDue(schedule, asked)) await askForExport(jobs, { task: name, asker: SCHEDULE })
}

/**
 * What decides whether a task is due. A run that was asked for by a clock far ahead does not count:
 * else none would be until that time has come.
 */
export async function askedFor(
  { jobs }: Pick<ExportJobDependencies, 'jobs'>,
  { name, digest, changedAtMs }: Pick<ExportTask, 'name' | 'digest' | 'changedAtMs'>,
  {
    seen,
    resumedAtMs,
    newest,
    nowMs,
  }: Omit<Pauses, 'paused'> & {
    /** The job of the task that was asked for last, by its own time. */
    readonly newest: JobRecord | undefined
    readonly nowMs: number
  },
): Promise<Asked> {
  const before = { createdAtMs: nowMs + AHEAD_MS_MAX, jobId: '' }
  const isAhead = (newest?.createdAtMs ?? 0) >= before.createdAtMs
  const [last] = isAhead
    ? await jobs.list({ kind: EXPORT_KIND, key: name, before, limit: 1 })
    : [newest]
  const resumed = resumedAtMs.get(name)
  return {
    changedAtMs: seenSince({ digest }, seen.get(name), nowMs) ?? Math.min(changedAtMs, nowMs),
    lastAskedAtMs: last?.createdAtMs,
    resumedAtMs: resumed !== undefined && resumed < nowMs + AHEAD_MS_MAX ? resumed : undefined,
    nowMs,
  }
}

/** Since when its files are as they are; `undefined` if that was not noted, or by a wrong clock. */
function seenSince(
  { digest }: Pick<ExportTask, 'digest'>,
  seen: SeenFiles | undefined,
  nowMs: number,
): number | undefined {
  const isKnown = seen?.digest === digest && seen.atMs < nowMs + AHEAD_MS_MAX
  return isKnown ? seen.atMs : undefined
}

/** When a task was last changed, asked for, and resumed. */
interface Asked {
  readonly changedAtMs: number
  readonly lastAskedAtMs: number | undefined
  readonly resumedAtMs: number | undefined
  readonly nowMs: number
}

/**
 * Whether the last instant of the schedule has come since the task was changed, without a run asked
 * for at it or after, and not too long ago. One that passed in a pause does not count without
 * `catch_up`.
 */
export function isDue(schedule: ExportSchedule, asked: Asked): boolean {
  return missedTick(schedule, asked, LATE_MS[schedule.catchUp]) !== undefined
}

/**
 * The last instant of the schedule within six days, if it has passed without a run that was asked
 * for since; of one that passed in a pause, the end of it.
 */
export function overdueSinceMs(schedule: ExportSchedule, asked: Asked): number | undefined {
  const tickMs = missedTick(schedule, asked, LATE_MS.one)
  return tickMs === undefined ? undefined : Math.max(tickMs, asked.resumedAtMs ?? tickMs)
}

function missedTick(
  { catchUp, ...schedule }: ExportSchedule,
  { changedAtMs, lastAskedAtMs = Number.NEGATIVE_INFINITY, resumedAtMs, nowMs }: Asked,
  lateMs: number,
): number | undefined {
  const tickMs = lastTick(ticksOf(schedule), nowMs, lateMs)
  if (tickMs === undefined) return undefined
  const isLeftOut = catchUp === 'none' && resumedAtMs !== undefined && tickMs <= resumedAtMs
  const isMissed = !isLeftOut && tickMs >= changedAtMs && tickMs > lastAskedAtMs
  return isMissed ? tickMs : undefined
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
