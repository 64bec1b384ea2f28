import type { Ambient } from '../../core/ambient.ts'
import { CatalogError } from '../../core/errors.ts'
import { ProblemError } from '../../problem/problems.ts'
import {
  type RowSource,
  SourceConflictError,
  type SourceSession,
} from '../../sources/row-source.ts'
import { type ArchiveTableDependencies, appendRows } from './archive-table.ts'
import type { ExportFiles } from './export-files.ts'
import type { ExportNote } from './export-note.ts'
import { type ExportTask, OWN_TABLES, taskInvalid } from './export-task.ts'
import type { RunLog } from './run-log.ts'
import { TableSource } from './table-source.ts'

export interface ExportDependencies {
  readonly ambient: Ambient
  /** By name. */
  readonly exportSources: ReadonlyMap<string, RowSource>
  /** For rows that are appended to one of our tables, or are of one. */
  readonly tables: ArchiveTableDependencies
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
    const restored = await files.findRestored(note.staged, note)
    const mayBeForgotten = restored !== undefined
    const outcome = await session.outcomeOf(note.mark, { mayBeForgotten })
    if (outcome === 'unknown') throw outcomeUnknown(note, restored ?? files.writtenAt(note))
    const left = { session, note, signal: ending }
    if (outcome === 'committed') return await publishAndForget(deps, left)
    await files.discard(note.staged)
    return undefined
  } finally {
    await session.close()
  }
}

/**
 * Whether a COMMIT that failed was one. Who refuses it may be a pooler that has lost the source, so
 * that the source is asked. Throws what leaves it open: the next attempt settles it.
 */
export async function isCommitted(
  files: ExportFiles,
  {
    session,
    note,
    error,
  }: { readonly session: SourceSession; readonly note: ExportNote; readonly error: unknown },
): Promise<boolean> {
  const isRefused = error instanceof CatalogError && error.code === 'source-refused'
  if (!isRefused && !(error instanceof SourceConflictError)) throw error
  const outcome = await session.outcomeOf(note.mark)
  if (outcome === 'unknown') throw outcomeUnknown(note, files.writtenAt(note))
  return outcome === 'committed'
}

/** How a committed transaction is ended; the log of its run, while that goes on. */
interface Ended {
  readonly signal: AbortSignal
  readonly log?: RunLog
  readonly part?: number | undefined
}

export async function publishAndForget(
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

/** It may have been noted, committed and archived after the backup was made. */
export function restoredUnknown(runId: string, staged: string): ProblemError {
  return new ProblemError(
    'export-outcome-unknown',
    'The backup was made before the run came to its commit, so nothing tells whether it did: see ' +
      'whether the rows are still in the source, and keep the staged file elsewhere or delete it',
    { facts: { run_id: runId, staged } },
  )
}

function outcomeUnknown({ task, run_id, mark }: ExportNote, staged: string): ProblemError {
  return new ProblemError(
    'export-outcome-unknown',
    `The source of ${task} does not remember whether the transaction ${mark.transactionId} was ` +
      'committed: see whether the rows are still there, and keep or delete the staged file',
    { facts: { task, run_id, transaction_id: mark.transactionId, staged } },
  )
}
