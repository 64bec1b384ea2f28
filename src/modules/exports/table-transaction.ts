import { open, rename, rm } from 'node:fs/promises'
import { CatalogError } from '../../core/errors.ts'
import type { ManifestEntry, ManifestFile } from '../../core/file/data-file.ts'
import { isSinceV3 } from '../../core/metadata/schema-check.ts'
import type { RowSelection } from '../../core/table/restriction.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import { currentSchema, type TableState } from '../../core/table/table.ts'
import type { StagedFile } from '../../core/table/transaction.ts'
import { isNested, type Schema, typeName } from '../../core/value/type.ts'
import { csvHeader } from '../../formats/csv-header.ts'
import { newTransaction } from '../../lake/commit/transactions.ts'
import type { Converter, LocalResult } from '../../lake/convert/converter.ts'
import { inheritedRowIds } from '../../lake/convert/inherited-row-ids.ts'
import type { HeldFiles } from '../../lake/deletion/file-holds.ts'
import { PendingUploads } from '../../lake/deletion/pending-uploads.ts'
import type { LakeServices } from '../../lake/lake.ts'
import type { PlannedFile } from '../../lake/scan/plan-files.ts'
import { deleteQuietly } from '../../lake/snapshot/orphans.ts'
import { findLiveEntries } from '../../lake/snapshot/snapshot-change.ts'
import {
  type RunMark,
  type SourceColumn,
  SourceConflictError,
  type SourceCounts,
  type SourceTable,
  type SourceTransaction,
} from '../../sources/row-source.ts'
import { placeUpload } from '../files/place-upload.ts'
import type { UploadDependencies } from '../files/upload.ts'
import { type MeantFile, meantFiles } from './meant-files.ts'

export type TableTransactionDependencies = UploadDependencies &
  Pick<LakeServices, 'holds'> & { readonly converter: Converter }

export type TableWork = SourceTable & { readonly mode: 'atomic' | 'keep' }

/** Refusals of a commit that a new attempt, of the table as it is then, need not meet. */
const CONFLICTS: ReadonlySet<string> = new Set([
  'commit-conflict',
  // Its schema or partition spec is another since.
  'file-schema-mismatch',
  'file-spans-partitions',
])

/** How often the removal moves to a newer base, while others go on appending. */
const MOVES_MAX = 20

interface TableTransactionOptions {
  readonly state: TableState
  readonly work: TableWork
  readonly held: HeldFiles
  readonly signal: AbortSignal
}

/**
 * A removal of rows of a snapshot, with that as its base, or with a newer one that has the same
 * rows.
 */
export class TableTransaction implements SourceTransaction {
  readonly mark: RunMark
  readonly #deps: TableTransactionDependencies
  readonly #options: TableTransactionOptions
  readonly #pending: PendingUploads
  readonly #removedPaths: string[] = []
  /** Those of removed files; rows from before version 3 may have got theirs since. */
  readonly #firstRowIds = new Map<string, bigint | undefined>()
  /** Rows of removed files that the task does not mean; placed, and in no snapshot yet. */
  readonly #others: StagedFile[] = []
  #rows: number | undefined

  constructor(deps: TableTransactionDependencies, options: TableTransactionOptions) {
    this.#deps = deps
    this.#options = options
    const id = deps.ambient.newUuid()
    const place = String(deps.ambient.nowMs())
    const { tableUuid } = options.state.definition
    this.mark = { id, transactionId: id, isWritten: false, place, tableUuid }
    this.#pending = new PendingUploads(deps, tableUuid)
  }

  async describe(): Promise<readonly SourceColumn[]> {
    return this.#schema().fields.map(({ name, type }) => ({
      name,
      type: isNested(type) || isSinceV3(type) ? 'string' : typeName(type),
    }))
  }

  get rows(): AsyncIterable<Uint8Array> {
    return this.#copy()
  }

  async finish(): Promise<SourceCounts> {
    const copied = this.#rows
    if (copied === undefined) throw new Error('the rows were not read to their end')
    if (this.#options.work.mode === 'keep') return { copied, deleted: 0, proof: 'none deleted' }
    const proof = this.#others.length === 0 ? 'whole files' : 'rewritten files'
    return { copied, deleted: copied, proof }
  }

  async commit(): Promise<void> {
    const { state, work } = this.#options
    if (work.mode === 'keep') return
    let base = state.currentSnapshot
    for (let moves = 0; ; moves++) {
      try {
        await this.#commitOn(base)
        return
      } catch (error) {
        if (!isConflict(error)) throw error
        base = moves < MOVES_MAX ? await this.#findOtherBase(error) : undefined
        if (base !== undefined) continue
        await this.rollback()
        throw new SourceConflictError(error.message)
      }
    }
  }

  async #commitOn(base: Snapshot | undefined): Promise<void> {
    const { commits, ambient } = this.#deps
    const change = {
      tableUuid: this.#options.state.definition.tableUuid,
      baseSnapshotId: base?.snapshotId ?? null,
      truncate: false,
      removedPaths: this.#removedPaths,
      addedFiles: this.#others,
    }
    const transaction = { ...newTransaction({ ambient }, {}), transactionId: this.mark.id }
    await commits.commit({ transaction, isNew: true, changes: [change] })
  }

  /**
   * The current snapshot, if it has the files that are to be removed with the rows that they had,
   * and their ids: all that was done since are appends, or removals of other files.
   */
  async #findOtherBase({ code }: CatalogError): Promise<Snapshot | undefined> {
    if (code !== 'commit-conflict') return undefined
    const { catalog, manifests } = this.#deps
    const { state } = this.#options
    const { tableUuid } = state.definition
    const now = (await catalog.tables.find({ tableUuid }))?.currentSnapshot
    if (state.currentSnapshot === undefined || now === undefined) return undefined
    const before = await manifests.getManifestList(state.currentSnapshot.manifestList)
    const listed = await manifests.getManifestList(now.manifestList)
    if (deletesOf(before) !== deletesOf(listed)) return undefined
    const removed = new Set(this.#removedPaths)
    const live = await findLiveEntries(listed, removed, manifests)
    const isSame = ({ dataFile: { path, firstRowId } }: ManifestEntry) =>
      firstRowId === this.#firstRowIds.get(path)
    if (![...live.values()].every(isSame)) return undefined
    return live.size === removed.size ? now : undefined
  }

  /** What a killed process leaves is swept as what uploads leave. */
  async rollback(): Promise<void> {
    await deleteQuietly(
      this.#deps,
      this.#others.map(({ dataFile }) => dataFile.path),
    )
    await this.#pending.forgetGone()
  }

  #schema(): Schema {
    const schema = currentSchema(this.#options.state.definition)
    const { columns } = this.#options.work
    if (columns === undefined) return schema
    const fields = columns.map((name) => {
      const field = schema.fields.find((each) => each.name === name)
      if (field !== undefined) return field
      throw new CatalogError('export-task-invalid', `the table has no column ${name}`)
    })
    return { ...schema, fields }
  }

  async *#copy(): AsyncGenerator<Uint8Array> {
    const { state, work } = this.#options
    const files = await meantFiles(this.#deps, state, work)
    yield new TextEncoder().encode(csvHeader(this.#schema()))
    let rows = 0
    for (const { source, selection } of files) {
      const meant = await this.#convertMeant(source, selection)
      yield* streamed(meant)
      rows += meant.rows
      const isNone = selection !== undefined && meant.rows === 0
      if (isNone || work.mode === 'keep') continue
      this.#removedPaths.push(source.dataFile.path)
      this.#firstRowIds.set(source.dataFile.path, source.dataFile.firstRowId)
      if (selection !== undefined) await this.#placeOthers(source, selection, meant.rows)
    }
    this.#rows = rows
  }

  #convertMeant(source: PlannedFile, selection: MeantFile['selection']): Promise<LocalResult> {
    const output = { schema: this.#schema(), format: 'csv', compression: 'none' } as const
    // Whoever writes tasks of exports is the operator.
    const restriction = selection ?? 'unrestricted'
    return this.#deps.converter.convert({ ...output, ...this.#read(source), restriction }, kept)
  }

  /** Writes the rows of the file that are not meant anew, in the present form of the table. */
  async #placeOthers(source: PlannedFile, selection: RowSelection, meant: number): Promise<void> {
    const deps = this.#deps
    const { state, signal } = this.#options
    const read = this.#read(source)
    const restriction = { ...selection, isInverted: true }
    const rowIds = inheritedRowIds(state.definition, source)
    const output = { schema: read.readAs, format: 'parquet', compression: 'none', rowIds } as const
    await deps.converter.convert({ ...output, ...read, restriction }, async ({ path, rows }) => {
      requireEvery(source, meant + rows)
      if (rows === 0) return
      const placing = placeUpload(deps, state, {
        ...{ nullsChecked: 'by-the-engine', signal, pending: this.#pending },
        createdAtMs: deps.ambient.nowMs(),
        receive: (_, location) => deps.objects.putFileIfAbsent(location, path),
      })
      const placed = await placing.catch((error) => Promise.reject(ofFile(error, source)))
      this.#others.push(...placed)
      requireEvery(source, meant + placed.reduce((sum, file) => sum + file.dataFile.recordCount, 0))
    })
  }

  #read(source: PlannedFile) {
    const { state, held, signal } = this.#options
    const { definition } = state
    return { definition, source, held, signal, readAs: currentSchema(definition) }
  }
}

function isConflict(error: unknown): error is CatalogError {
  return error instanceof CatalogError && CONFLICTS.has(error.code)
}

/** What an upload is told is no help for rows of a file that is there. */
function ofFile(error: unknown, { dataFile: { path } }: PlannedFile): unknown {
  if (!(error instanceof CatalogError) || error.code !== 'file-spans-partitions') return error
  const detail =
    `the condition means some rows of ${path}, and its other rows are of too many partitions of ` +
    'the present spec for one file to be split into: let an engine rewrite it by partition, or ' +
    'give a condition that means all or none of its rows; nothing was removed'
  return new CatalogError(error.code, detail, { cause: error, facts: { ...error.facts, path } })
}

function deletesOf(manifests: readonly ManifestFile[]): string {
  const deletes = manifests.filter(({ content }) => content === 'deletes')
  return JSON.stringify(deletes.map(({ path }) => path).sort())
}

/** Nobody knows how many rows deletes have left. */
function requireEvery({ dataFile, deleteFiles }: PlannedFile, rows: number): void {
  const { path, recordCount } = dataFile
  if (deleteFiles.length > 0 || rows === recordCount) return
  throw new CatalogError(
    'export-count-mismatch',
    `${path} has ${recordCount} rows, and ${rows} would be archived or kept: nothing was removed`,
    { facts: { recordCount, rows } },
  )
}

/** The file that was made, beyond the work that it is given to. */
async function kept({ path, ...made }: LocalResult): Promise<LocalResult> {
  const other = `${path}.kept`
  await rename(path, other)
  return { ...made, path: other }
}

/** Deletes the file at the end. */
async function* streamed({ path }: LocalResult): AsyncGenerator<Uint8Array> {
  const file = await open(path)
  try {
    yield* file.createReadStream({ autoClose: false }) as AsyncIterable<Uint8Array>
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
}
