import type { JobRecord } from '../../catalog/job-store.ts'
import { CatalogError, CodedError } from '../../core/errors.ts'
import type { Log } from '../../core/log.ts'
import type { JobKind } from '../../lake/jobs/job-kind.ts'
import type { Jobs } from '../../lake/jobs/jobs.ts'
import { causeOf, isAway, LastingError, type StoreChecks } from '../../lake/jobs/lasting.ts'
import type { Task } from '../../lake/jobs/task.ts'
import type { ExportFiles, StagedExport } from './export-files.ts'
import { type ExportResult, exportOnce, type Run } from './export-run.ts'
import { isOfPart } from './file-name.ts'
import { logOf, RunLog } from './run-log.ts'
import {
  type ExportDependencies,
  type ExportedPart,
  restoredUnknown,
  settle,
} from './settle-run.ts'
import type { TaskFolder } from './task-folder.ts'

export const EXPORT_KIND = 'export'
/** Attempts to begin a run; those to end one that may be committed are not limited. */
const BEGUN_MAX = 10
const ATTEMPTS_MAX = 1_000_000
const RECOVERY_MS = 10 * 60_000
/** A staged file without a note is of an attempt that never came to commit. */
const ABANDONED_MS = 3_600_000
/** As long as what is half-written in the warehouse stays. */
const UNFINISHED_MS = 24 * 3_600_000

export interface ExportJobDependencies extends ExportDependencies, StoreChecks {
  readonly files: ExportFiles
  readonly folder: TaskFolder
  readonly jobs: Jobs
  readonly log: Log
}

interface ExportInput {
  readonly task: string
}

/** Runs a task. A run that was cut off is ended by the next attempt, before it begins again. */
export function exportJob(deps: ExportJobDependencies): JobKind<ExportInput> {
  return {
    kind: EXPORT_KIND,
    attemptsMax: ATTEMPTS_MAX,
    input: inputOf,
    async run({ jobId, input, attempt, report }, fence, signal): Promise<ExportResult> {
      const { nowMs } = deps.ambient
      const before = (await deps.jobs.get(jobId)).progress
      const log = new RunLog({ nowMs, attempt, before, report })
      log.add('began')
      const run = { jobId, log, fence, signal }
      try {
        const noted = await endNoted(deps, input.task, run)
        const ended = noted ?? (await findEnded(deps, input.task, { run, before }))
        if (ended !== undefined && !isOfPart(ended.file)) return { outcome: 'exported', ...ended }
        return await exportOnce(deps, await deps.folder.read(input.task), run)
      } catch (error) {
        if (fence.isCancelled) log.add('withdrawn')
        else log.add('failed', { problem: error instanceof CodedError ? error.code : 'internal' })
        throw await failureOf(deps, error, { jobId, task: input.task, attempt })
      }
    },
  }
}

/** What the attempt has failed with: after so many, a source or a store that is away is the end. */
async function failureOf(
  deps: ExportJobDependencies,
  error: unknown,
  {
    jobId,
    task,
    attempt,
  }: { readonly jobId: string; readonly task: string; readonly attempt: number },
): Promise<unknown> {
  const cause = await causeOf(deps, error)
  if (attempt < BEGUN_MAX || !(cause instanceof CodedError)) return cause
  if ((await deps.files.listNotes(task, jobId)).length > 0) return cause
  const { message, facts } = cause
  if (isAway(cause)) return new LastingError(cause.code, message, { facts, cause })
  if (cause.code !== 'overloaded') return cause
  return new CatalogError('source-unavailable', message, { facts })
}

/** Ends what earlier attempts of the run left. Returns the last part of it that was committed. */
async function endNoted(
  deps: ExportJobDependencies,
  task: string,
  run: Run,
): Promise<ExportedPart | undefined> {
  const { jobId, log, signal, fence } = run
  let ended: ExportedPart | undefined
  for (const note of await deps.files.listNotes(task, jobId)) {
    const part = await settle(deps, note, signal, fence.stopped)
    if (part === undefined) {
      log.add('settled', { outcome: 'rolled-back' })
      continue
    }
    log.add('settled', { outcome: 'committed', rows: part.rows, file: part.file })
    ended = part
  }
  return ended
}

/**
 * A file of an earlier attempt that did everything, and could not say so: its note is gone, and to
 * begin again would archive other rows, or the same ones again, as the same run.
 */
async function findEnded(
  { files }: ExportJobDependencies,
  task: string,
  { run: { jobId, log }, before }: { readonly run: Run; readonly before: unknown },
): Promise<ExportedPart | undefined> {
  // Durable before a transaction is committed, whatever the number of the attempt.
  if (logOf(before).steps.length === 0) return undefined
  const [receipt] = await files.listOfRun(task, jobId, { after: undefined, limit: 1 })
  if (receipt === undefined || isOfPart(receipt.file)) return undefined
  const { file, rows, deleted, proof, bytes, sha256, table } = receipt
  log.add('settled', { outcome: 'committed', rows, file })
  return { file, rows, deleted, proof, bytes, sha256, ...(table !== undefined && { table }) }
}

/** The asker of runs that a schedule wants: no principal has the name. */
export const SCHEDULE = 'schedule'

/** Asks for a run. A task that runs already is joined: it never runs twice at a time. */
export async function askForExport(
  jobs: Jobs,
  wanted: { readonly task: string; readonly asker: string },
): Promise<JobRecord> {
  return (await jobs.submit(exportWish(wanted))).job
}

export function exportWish({ task, asker }: { readonly task: string; readonly asker: string }) {
  return { kind: EXPORT_KIND, key: task, input: { task }, asker }
}

/**
 * Ends runs whose jobs have ended before them: cancelled while the outcome was not known, or
 * forgotten. Staged files whose transactions were never committed are deleted.
 */
export function recoveryTask(deps: ExportJobDependencies): Task {
  return {
    name: 'end exports',
    everyMs: RECOVERY_MS,
    run: async (signal) => {
      await recover(deps, signal)
      await deps.files.sweepPlaces({ beforeMs: deps.ambient.nowMs() - UNFINISHED_MS, signal })
    },
  }
}

/** For tests, too: returns how many runs it ended. One that cannot be ended stops no other. */
export async function recover(deps: ExportJobDependencies, signal: AbortSignal): Promise<number> {
  let ended = 0
  for (const staged of await deps.files.listStaged()) {
    signal.throwIfAborted()
    try {
      if (await recoverOne(deps, staged, signal)) ended++
    } catch (err) {
      if (signal.aborted) throw err
      const why = err instanceof CodedError ? { problem: err.message } : { err }
      const at = (err instanceof CodedError && err.facts['staged']) || staged.location
      deps.log.warn({ ...why, staged: at }, 'an export could not be ended')
    }
  }
  return ended
}

/**
 * The job is looked at before the note: a run whose job has ended comes to no commit after a note
 * that it writes from then on (`JobFence.confirm`).
 */
async function recoverOne(
  deps: ExportJobDependencies,
  { location, runId, modifiedAtMs }: StagedExport,
  signal: AbortSignal,
): Promise<boolean> {
  const { files, jobs, ambient } = deps
  if (await isJobOpen(jobs, runId)) return false
  const note = await files.findNote(location)
  if (note !== undefined) {
    await settle(deps, note, signal)
    return true
  }
  if (modifiedAtMs >= ambient.nowMs() - ABANDONED_MS) return false
  const restored = await files.findRestored(location)
  if (restored !== undefined) throw restoredUnknown(runId, restored)
  await files.discard(location)
  return false
}

async function isJobOpen(jobs: Jobs, jobId: string): Promise<boolean> {
  const job = await jobs.find(jobId)
  return job !== undefined && job.endedAtMs === undefined
}

function inputOf(stored: unknown): ExportInput {
  const { task } = (stored ?? {}) as Partial<ExportInput>
  if (task !== undefined) return { task }
  throw new CatalogError('request-invalid', 'the input of the job names no export')
}
