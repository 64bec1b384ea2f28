import type { StagedChange, StagedFile, Transaction } from '../core/table/transaction.ts'
import type { NewDeletion } from './deletion-store.ts'
import type { MutationOptions } from './replay-store.ts'

/**
 * Transactions and what they have staged. `TableStore.commit` ends them as committed.
 * Its contract: test/catalog/transactions.contract.ts.
 */
export interface TransactionStore {
  /** By whom `options.events` says. */
  start(transaction: Transaction, options?: MutationOptions): Promise<void>
  find(transactionId: string): Promise<Transaction | undefined>
  /**
   * The principal of whoever started it; `null` if they were not signed in, `undefined` if there is
   * no such transaction.
   */
  findStarter(transactionId: string): Promise<string | null | undefined>
  /**
   * Adds to what an open transaction has staged, and one to its revision. The first call for a
   * table fixes its base snapshot. `duplicate` when a file of the same path is staged for the table
   * already: then nothing is staged. Files that are to be deleted are no longer; throws
   * `FilesDeletedError` for those that are deleted.
   */
  stage(staging: Staging, options?: MutationOptions): Promise<StageOutcome>
  /** Those that were started and did not end, newest first. */
  listOpen(query: OpenTransactionsQuery): Promise<readonly Transaction[]>
  /** One for each table that the transaction touched, in the order of first touch. */
  listStaged(transactionId: string): Promise<readonly StagedChange[]>
  /**
   * Also forgets what was staged, and adds the deletions, in one step. `revision-mismatch` if
   * another revision is expected: something was staged in between, and nothing is changed.
   */
  abort(
    transactionId: string,
    endedAtMs: number,
    options?: AbortOptions,
  ): Promise<'aborted' | 'not-open' | 'not-found' | 'revision-mismatch'>
  /** Open ones that expired before the instant and have staged files, by their ids. */
  listExpired(query: {
    readonly beforeMs: number
    readonly after: string
    readonly limit: number
  }): Promise<readonly string[]>
  /** Forgets those that ended, and open ones that expired, before the instant. Returns how many. */
  forget(beforeMs: number): Promise<number>
}

export interface AbortOptions extends MutationOptions {
  readonly deletions?: readonly NewDeletion[]
  /** The one that the deletions are of; any when absent. */
  readonly revision?: number
}

export interface OpenTransactionsQuery {
  /** Whether they may still be committed at the instant, or have expired by then. */
  readonly is: 'open' | 'expired'
  readonly atMs: number
  /** Only those started before this one. */
  readonly before?: Pick<Transaction, 'createdAtMs' | 'transactionId'>
  readonly limit: number
}

export interface Staging {
  readonly transactionId: string
  readonly tableUuid: string
  /** Taken as the base if the transaction has not touched the table before. */
  readonly currentSnapshotId: bigint | null
  readonly addedFiles?: readonly StagedFile[]
  readonly removedPaths?: readonly string[]
  readonly truncate?: boolean
  /** Deleted files that exist again: `deletionId` of their rows. */
  readonly rewritten?: ReadonlySet<string>
  /** The most files that the transaction may have added over all its tables. */
  readonly addedFilesMax: number
}

export type StageOutcome =
  | { readonly outcome: 'staged' }
  | { readonly outcome: 'duplicate'; readonly path: string }
  | { readonly outcome: 'not-open' }
  | { readonly outcome: 'too-many-files' }
