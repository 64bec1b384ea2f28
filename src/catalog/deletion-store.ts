import { CatalogError } from '../core/errors.ts'

/**
 * Files that nothing names any more, to be deleted after a grace. Their rows are made by the
 * transaction that unnamed them (`TableStore.drop`), or before it, and count from it on. Whoever
 * names such a file again takes its row away in its own transaction, or is refused with a
 * `FilesDeletedError` from the moment on that the file is being deleted. Its contract:
 * test/catalog/deletions.contract.ts, slices.contract.ts.
 */
export interface DeletionStore {
  /**
   * A file that has a row keeps it, with the new mark and the earlier instant, unless it is being
   * deleted.
   */
  add(deletions: readonly NewDeletion[]): Promise<void>
  /** Those whose next step is due, the longest first. */
  listDue(query: DueDeletionsQuery): Promise<readonly FileDeletion[]>
  /**
   * Marks files as being deleted whose rows are still as given, and returns these: from then on
   * nobody can name them. Passes over files that are staged, or that tables know besides those of
   * which the caller has found out that they do not name them.
   */
  beginUnlinking(request: UnlinkRequest): Promise<readonly FileDeletion[]>
  /** Changes the state and instant of rows that are still as given. */
  update(
    deletions: readonly FileDeletion[],
    change: Pick<FileDeletion, 'state' | 'dueAtMs'>,
  ): Promise<void>
  /** How many files of the table are to be deleted, or being deleted. */
  count(tableUuid: string): Promise<number>
  /** Removes rows that are still as given. */
  forget(deletions: readonly FileDeletion[]): Promise<void>
  /**
   * Removes, some at a time, rows of purges that never dropped their table, or whose table came
   * back, if they were due before this instant. Returns how many.
   */
  forgetVoid(beforeMs: number): Promise<number>
  /**
   * Dropped tables of which a purge was written down, by when all of its files were due; until they
   * are settled, or come back.
   */
  listPurged(query: PurgedQuery): Promise<readonly PurgedTable[]>
  /** Lists the table again from this instant on, or, with `undefined`, no more. */
  settlePurged(tableUuid: string, dueAtMs: number | undefined): Promise<void>
  /**
   * Sets the generation, unless it is another than `from` by now (0: there is none): then it
   * changes nothing, and returns false.
   */
  beginGeneration(request: GenerationRequest): Promise<boolean>
}

/** Why a file is deleted. */
export type DeletionReason = 'purge' | 'upload'

export interface NewDeletion {
  readonly path: string
  /** The table that named it. */
  readonly tableUuid: string
  /**
   * Tells the drop that unnamed it, the same for all who would drop one version of the table: a row
   * that was taken away and made again has another one.
   */
  readonly mark: string
  readonly reason: DeletionReason
  /** Not deleted before this. */
  readonly dueAtMs: number
}

export interface FileDeletion extends NewDeletion {
  /**
   * `unlinked`: the file is deleted. The row stays for a while, so that a commit that read the file
   * before learns of it. `dueAtMs` is when the next step may be done: the mark, for a file that is
   * being deleted another attempt, for one that is deleted the removal of the row.
   */
  readonly state: 'doomed' | 'unlinking' | 'unlinked'
}

export interface DueDeletionsQuery {
  readonly nowMs: number
  /** Only of this table. */
  readonly tableUuid?: string
  readonly limit: number
}

export interface PurgedQuery {
  /** Those that are listed from this instant on, or earlier. */
  readonly dueAtMs: number
  readonly limit: number
}

export interface PurgedTable {
  readonly tableUuid: string
  /** Verbatim, in no order; none if all were given to others. */
  readonly locations: readonly string[]
}

/** The setting that a generation is kept in. */
export const GENERATION_SETTING = 'generation'

export interface GenerationRequest {
  readonly from: number
  readonly to: number
  /**
   * Until then all files stay that are to be deleted; also those that were being deleted, which may
   * be named again. Purged tables are not listed either.
   */
  readonly waitUntilMs?: number | undefined
}

export interface UnlinkRequest {
  readonly deletions: readonly FileDeletion[]
  /** Tables that do not name the files, though they may have once. */
  readonly examinedTableUuids: ReadonlySet<string>
  readonly nowMs: number
  /** When another process may take over. */
  readonly dueAtMs: number
}

/** Identifies a row with its mark. */
export function deletionId({ path, mark }: Pick<FileDeletion, 'path' | 'mark'>): string {
  return `${mark} ${path}`
}

/**
 * Files that are deleted or being deleted: naming them was refused, and nothing changed. With the
 * ids of those that exist again (`deletionId`) it may be tried again.
 */
export class FilesDeletedError extends CatalogError {
  readonly deletions: readonly FileDeletion[]

  constructor(deletions: readonly FileDeletion[]) {
    const [first] = deletions
    const isGone = deletions.every(({ state }) => state === 'unlinked')
    const told = isGone ? 'was deleted by a purge' : 'is being deleted by a purge'
    super(
      'file-being-deleted',
      `${first?.path} ${told}: write it again, best under another name, and then add it`,
      { facts: { paths: deletions.slice(0, 20).map(({ path }) => path) } },
    )
    this.deletions = deletions
  }
}
