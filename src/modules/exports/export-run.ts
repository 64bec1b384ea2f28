import type { Ambient } from '../../core/ambient.ts'
import { CatalogError } from '../../core/errors.ts'
import type { JobFence } from '../../lake/jobs/job-kind.ts'
import { ProblemError } from '../../problem/problems.ts'
import {
  type RowSource,
  SourceConflictError,
  type SourceSession,
  type SourceTransaction,
} from '../../sources/row-source.ts'
import { archiveRows } from './archive.ts'
import {
  type ArchiveTableDependencies,
  appendRows,
  requireFitting,
  stageAppend,
} from './archive-table.ts'
import type { ArchivedObject, ExportFiles } from './export-files.ts'
import type { ExportNote } from './export-note.ts'
import { type ExportTask, isInParts, OWN_TABLES, taskInvalid } from './export-task.ts'
import { fileNames } from './file-name.ts'
import type { RunLog } from './run-log.ts'
import { TableSource } from './table-source.ts'

/** How often a run begins again at once after others changed its rows. */
const CONFLICTS_MAX = 5

export interface ExportDependencies {
  readonly ambient: Ambient
  /** By name. */
  readonly exportSources: ReadonlyMap<string, RowSource>
  /** For rows that are appended to one of our tables, or are of one. */
  readonly tables: ArchiveTableDependencies
}

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

/** What one transaction came to. */
export interface ExportedPart {
  readonly file: string
  readonly rows: number
  readonly deleted: number
  readonly proof: string
  readonly bytes: number
  readonly sha256: string
  /** That the rows were appended to, too. */
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

/**
 * Ends a run whose transaction may have been committed. `undefined`: it was not, and nothing of it
 * is left. Throws `export-outcome-unknown`, and keeps everything, when the source cannot tell.
 */
export async function settle(
  deps: ExportDependencies & { readonly files: ExportFiles },
  note: ExportNote,
  signal: AbortSignal,
  /** Ends what is left to do when it is known to be committed. */
  ending = signal,
): Promise<ExportedPart | undefined> {
  const { files } = deps
  const source = sourceOf(deps, { name: note.task, source: note.source })
  if (await files.isPublished(note)) {
    const result = await publish(deps, note, { signal: ending })
    // What is left to do needs no source; a mark that stays there is harmless.
    const ended = await source.open(note.task, signal).catch(() => undefined)
    await ended?.forget(note.mark).catch(() => undefined)
    await ended?.close()
    return result
  }
  const session = await source.open(note.task, signal)
  try {
    const outcome = await session.outcomeOf(note.mark)
    if (outcome === 'unknown') throw outcomeUnknown(note, files.writtenAt(note))
    const left = { session, note, signal: ending }
    if (outcome === 'committed') return await publishAndForget(deps, left)
    await files.discard(note.staged)
    return undefined
  } finally {
    await session.close()
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
    // The source has said that it did not; any other failure leaves that open.
    const isRefused = error instanceof CatalogError && error.code === 'source-refused'
    if (isRefused || error instanceof SourceConflictError) {
      await files.discard(staged, place).catch(() => undefined)
    }
    throw error
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

/** How a committed transaction is ended; the log of its run, while that goes on. */
interface Ended {
  readonly signal: AbortSignal
  readonly log?: RunLog
  readonly part?: number | undefined
}

async function publishAndForget(
  deps: ExportDependencies & { readonly files: ExportFiles },
  { session, note, ...ended }: { session: SourceSession; note: ExportNote } & Ended,
): Promise<ExportedPart> {
  const result = await publish(deps, note, ended)
  // Without its note nobody asks for the mark again.
  await session.forget(note.mark).catch(() => undefined)
  return result
}

/** Gives the file its name, then appends its rows: both may be done again. */
async function publish(
  { files, tables }: ExportDependencies & { readonly files: ExportFiles },
  note: ExportNote,
  { signal, log, part }: Ended,
): Promise<ExportedPart> {
  const { file, rows, deleted, proof, bytes, sha256 } = await files.publish(note)
  log?.add('published', { part, file })
  const { append } = note
  if (append !== undefined) {
    const csv = await files.archived({ ...note, file })
    await appendRows(tables, files, { note, append, csv, signal })
    log?.add('appended', { part, rows })
  }
  await files.forgetNote(note)
  const table = append === undefined ? {} : { table: append.table }
  return { file, rows, deleted, proof, bytes, sha256, ...table }
}

/** Throws what would hinder each run of it: `export-task-unusable`, `storage-unavailable`. */
export async function requireRunnable(
  deps: ExportDependencies & { readonly files: ExportFiles },
  task: ExportTask,
): Promise<void> {
  sourceOf(deps, task)
  await deps.files.findPlace()
}

/** Throws `export-task-unusable`. */
export function sourceOf(
  { exportSources, tables }: Pick<ExportDependencies, 'exportSources' | 'tables'>,
  { name, source }: Pick<ExportTask, 'name' | 'source'>,
): RowSource {
  if (source === OWN_TABLES) return new TableSource(tables)
  const found = exportSources.get(source)
  if (found !== undefined) return found
  const named = JSON.stringify(source)
  const remedy = `add ${source}=postgres://... and start again, or correct "source" in task.json`
  throw taskInvalid(name, `its source ${named} is not in MORAINE_EXPORT_SOURCES; ${remedy}`)
}

function outcomeUnknown({ task, run_id, mark }: ExportNote, staged: string): ProblemError {
  return new ProblemError(
    'export-outcome-unknown',
    `The source of ${task} does not remember whether the transaction ${mark.transactionId} was ` +
      'committed: see whether the rows are still there, and keep or delete the staged file',
    { facts: { task, run_id, transaction_id: mark.transactionId, staged } },
  )
}
