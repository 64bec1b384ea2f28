import { CatalogError } from '../../core/errors.ts'
import type { JobFence } from '../../lake/jobs/job-kind.ts'
import {
  SourceConflictError,
  type SourceSession,
  type SourceTransaction,
} from '../../sources/row-source.ts'
import { archiveRows } from './archive.ts'
import { requireFitting, stageAppend } from './archive-table.ts'
import type { ArchivedObject, ExportFiles } from './export-files.ts'
import type { ExportNote } from './export-note.ts'
import { type ExportTask, isInParts } from './export-task.ts'
import { fileNames } from './file-name.ts'
import type { RunLog } from './run-log.ts'
import {
  type ExportDependencies,
  type ExportedPart,
  isCommitted,
  publishAndForget,
  sourceOf,
} from './settle-run.ts'

/** How often a run begins again at once after others changed its rows. */
const CONFLICTS_MAX = 5

/** What a run came to. */
export type ExportResult =
  | { readonly outcome: 'empty' }
  | ({ readonly outcome: 'exported' } & ExportedPart)
  /** A run of several transactions; its files are listed with those of the task. */
  | {
      readonly outcome: 'exported'
      readonly parts: number
      readonly rows: number
      readonly deleted: number
      readonly proof: string
      readonly bytes: number
      readonly table?: string
    }

export interface Run {
  readonly jobId: string
  readonly log: RunLog
  readonly fence: JobFence
  readonly signal: AbortSignal
}

/** One run of a task, from its rows to its files. Nothing of earlier attempts is open. */
export async function exportOnce(
  deps: ExportDependencies & { readonly files: ExportFiles },
  task: ExportTask,
  run: Run,
): Promise<ExportResult> {
  const source = sourceOf(deps, task)
  const place = await deps.files.findPlace()
  const session = await source.open(task.name, run.signal)
  run.log.add('opened-source')
  try {
    if (!isInParts(task.work.mode)) {
      const part = await onePart(deps, { task, session, run, place })
      return part === undefined ? { outcome: 'empty' } : { outcome: 'exported', ...part }
    }
    const before = await deps.files.listParts(task.name, run.jobId)
    return await allParts(deps, { task, session, run, place, before })
  } finally {
    await session.close()
  }
}

/** How many rows a run would archive now. */
export function countRows(
  deps: ExportDependencies,
  { name, source, work, rowsMax }: ExportTask,
  signal: AbortSignal,
): Promise<number> {
  const counted = sourceOf(deps, { name, source }).count(name, work, signal)
  return counted.then((rows) => Math.min(rows, rowsMax ?? rows))
}

/** Until nothing is left to archive, or the task says that it is enough. */
async function allParts(
  deps: ExportDependencies & { readonly files: ExportFiles },
  {
    before,
    ...attempted
  }: {
    readonly task: ExportTask
    readonly session: SourceSession
    readonly run: Run
    readonly place: string | undefined
    /** Those of earlier attempts. */
    readonly before: readonly Omit<ExportedPart, 'table'>[]
  },
): Promise<ExportResult> {
  const { task } = attempted
  const parts: Omit<ExportedPart, 'table'>[] = [...before]
  const { rowsMax = Number.POSITIVE_INFINITY } = task
  for (;;) {
    const left = rowsMax - sumOf(parts, 'rows')
    if (left <= 0) break
    const work =
      task.work.mode === 'batches'
        ? { ...task.work, rowsMax: Math.min(task.work.rowsMax, left) }
        : task.work
    const next = { ...attempted, task: { ...task, work }, part: parts.length + 1 }
    const part = await onePart(deps, next)
    if (part === undefined) break
    parts.push(part)
    // What is written while it runs would keep it running.
    if (work.mode === 'batches' && part.rows < work.rowsMax) break
  }
  const [first] = parts
  if (first === undefined) return { outcome: 'empty' }
  return {
    outcome: 'exported',
    parts: parts.length,
    rows: sumOf(parts, 'rows'),
    deleted: sumOf(parts, 'deleted'),
    proof: first.proof,
    bytes: sumOf(parts, 'bytes'),
    ...(task.archiveTo !== undefined && { table: task.archiveTo }),
  }
}

function sumOf(
  parts: readonly Omit<ExportedPart, 'table'>[],
  what: 'rows' | 'deleted' | 'bytes',
): number {
  return parts.reduce((sum, part) => sum + part[what], 0)
}

interface Attempted {
  readonly task: ExportTask
  readonly session: SourceSession
  readonly run: Run
  /** Where its files go, outside of the warehouse. */
  readonly place: string | undefined
  readonly part?: number
}

/** One transaction, and its file. `undefined`: there was nothing to archive. */
async function onePart(
  deps: ExportDependencies & { readonly files: ExportFiles },
  attempted: Attempted,
): Promise<ExportedPart | undefined> {
  for (let conflicts = 0; ; conflicts++) {
    try {
      return await attempt(deps, attempted)
    } catch (error) {
      if (!(error instanceof SourceConflictError)) throw error
      attempted.run.log.add('conflict', { part: attempted.part })
      if (conflicts < CONFLICTS_MAX) continue
      const detail = `others keep changing the rows of ${attempted.task.name}: ${error.message}`
      throw new CatalogError('overloaded', detail, { facts: { retryAfterSeconds: 5 } })
    }
  }
}

/** Staged, synced, marked, committed, published: in this order (DESIGN, section 14). */
async function attempt(
  deps: ExportDependencies & { readonly files: ExportFiles },
  { task, session, run, place, part }: Attempted,
): Promise<ExportedPart | undefined> {
  const { files } = deps
  const { log } = run
  const transaction = await session.begin(task.work)
  log.add('began-transaction', { part })
  const staged = files.stagedLocation(task.name, run.jobId, transaction.mark.id)
  let note: ExportNote | undefined
  try {
    const csv = await files.stageAt(staged, place)
    note = await stage(deps, { task, transaction, staged, csv, run, place, part })
    if (note === undefined) {
      await transaction.rollback()
      await files.discard(staged, place)
      log.add('empty', { part })
      return undefined
    }
    await files.requireStaged(note)
    await files.addNote(note)
    log.add('noted', { part })
    // Nobody else may have begun it in between.
    await run.fence.confirm()
  } catch (error) {
    // Nobody was asked to commit it.
    await transaction.rollback()
    await files.discard(staged, place).catch(() => undefined)
    throw error
  }
  try {
    await transaction.commit()
  } catch (error) {
    if (!(await isCommitted(files, { session, note, error }))) {
      await files.discard(staged, place).catch(() => undefined)
      throw error
    }
  }
  log.add('committed', { part })
  // Nobody can withdraw it any more.
  const { stopped: signal } = run.fence
  return await publishAndForget(deps, { session, note, signal, log, part })
}

/** Writes the rows to the file and deletes them in the transaction. `undefined`: there are none. */
async function stage(
  { ambient, tables }: ExportDependencies,
  {
    task,
    transaction,
    staged,
    csv,
    run,
    place,
    part,
  }: Pick<Attempted, 'task' | 'run' | 'place'> & {
    readonly part: number | undefined
    readonly transaction: SourceTransaction
    readonly staged: string
    readonly csv: ArchivedObject
  },
): Promise<ExportNote | undefined> {
  const { compression, archiveTo: table } = task
  const columns = table === undefined ? [] : await transaction.describe()
  if (table !== undefined) await requireFitting(tables, task.name, { table, columns })
  const { log } = run
  const report = (counts: Parameters<RunLog['count']>[0]) => log.count(counts)
  const archive = await archiveRows(csv.objects, transaction.rows, {
    ...{ location: csv.location, compression, report },
  })
  const { records: rows, sizeBytes, sha256 } = archive
  log.add('copied', { part, rows, bytes: sizeBytes })
  const { signal } = run
  const written = { csv, staged, compression, sizeBytes, rows, signal }
  const append =
    table === undefined || rows === 0
      ? undefined
      : await stageAppend(tables, task.name, { ...written, table, columns })
  if (append !== undefined) log.add('converted', { part })
  const counts = await transaction.finish()
  if (rows !== counts.copied) {
    throw new CatalogError(
      'export-count-mismatch',
      `the file has ${rows} rows, and the source sent ${counts.copied}`,
      { facts: { archived: rows, copied: counts.copied } },
    )
  }
  if (counts.copied === 0) return undefined
  const { deleted, proof } = counts
  log.add('deleted', { part, rows: deleted, proof })
  const at = new Date(ambient.nowMs())
  const [first, other] = fileNames(task, {
    ...{ runId: run.jobId, markId: transaction.mark.id, at, part },
  })
  return {
    run_id: run.jobId,
    task: task.name,
    source: task.source,
    staged,
    file: first,
    other_file: other,
    ...(place !== undefined && { place }),
    mark: transaction.mark,
    rows,
    deleted,
    proof,
    bytes: sizeBytes,
    sha256,
    exported_at: at.toISOString(),
    ...(append !== undefined && { append }),
  }
}

/** Throws what would hinder each run of it: `export-task-unusable`, `storage-unavailable`. */
export async function requireRunnable(
  deps: ExportDependencies & { readonly files: ExportFiles },
  task: ExportTask,
): Promise<void> {
  sourceOf(deps, task)
  await deps.files.findPlace()
}
