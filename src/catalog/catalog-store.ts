import type { Snapshot, SnapshotLogEntry } from '../core/table/snapshot.ts'
import type { TableState } from '../core/table/table.ts'
import type { StagedChange, StagedFile, Transaction } from '../core/table/transaction.ts'
import type { LeaseStore } from './lease-store.ts'
import type { NamespaceStore } from './namespace-store.ts'
import type { MutationOptions, ReplayStore } from './replay-store.ts'
import type { ViewStore } from './view-store.ts'

/** Where the truth is. Every adapter passes test/catalog/catalog-store.contract.ts. */
export interface CatalogStore extends NamespaceStore, ViewStore, ReplayStore, LeaseStore {
  /** Brings the schema up to date; two processes may call it at once. */
  migrate(): Promise<void>
  /** A cheap round trip; throws when the database is out of reach. */
  ping(): Promise<void>
  close(): Promise<void>

  /**
   * Also makes the namespace and its parents. Names compare without case. `already-exists`, too, when the UUID
   * is taken; `view-exists` when a view has the name.
   */
  createTable(
    table: NewTable,
    options?: MutationOptions,
  ): Promise<'created' | 'already-exists' | 'view-exists'>
  /**
   * `createTable` in place of a table of the same name, which is forgotten in the same step as by `dropTable`.
   * `version-mismatch`, too, when that one is gone.
   */
  replaceTable(
    replacement: TableReplacement,
    options?: MutationOptions,
  ): Promise<'created' | 'already-exists' | 'view-exists' | 'version-mismatch'>
  findTable(key: TableKey): Promise<TableState | undefined>
  /** By namespace, then name, both without case. */
  listTables(query: ListTablesQuery): Promise<readonly TableSummary[]>
  /** Forgets the table, its snapshots, log and file paths, in one step. */
  dropTable(tableUuid: string, options?: MutationOptions): Promise<'dropped' | 'not-found'>

  findSnapshot(tableUuid: string, snapshotId: bigint): Promise<Snapshot | undefined>
  /** The snapshot that was current on the main branch at that instant. */
  findSnapshotAsAt(tableUuid: string, asAtMs: number): Promise<Snapshot | undefined>
  /** Every snapshot of the table, oldest first by sequence number, then time. */
  listSnapshots(tableUuid: string): Promise<readonly Snapshot[]>
  /** The whole log of the main branch, oldest first. */
  listSnapshotLog(tableUuid: string): Promise<readonly SnapshotLogEntry[]>
  /** As `listSnapshots`, in pages: a history of any length keeps no other work waiting. */
  readSnapshots(tableUuid: string): AsyncIterable<readonly Snapshot[]>
  /** As `listSnapshotLog`, in pages. */
  readSnapshotLog(tableUuid: string): AsyncIterable<readonly SnapshotLogEntry[]>
  /** One page of the log, newest first, each with its snapshot. */
  pageSnapshotLog(query: SnapshotLogQuery): Promise<readonly SnapshotLogPageEntry[]>

  /**
   * Which of these paths the table may have referenced at any time (data files, manifests, manifest lists).
   * Hashes are compared, so an answer may be wrong in one case of 2^64; a path not answered is certainly new.
   */
  findKnownPaths(tableUuid: string, paths: readonly string[]): Promise<ReadonlySet<string>>
  /** Which of these paths a table other than this one may reference. */
  findPathsOfOtherTables(tableUuid: string, paths: readonly string[]): Promise<ReadonlySet<string>>

  startTransaction(transaction: Transaction): Promise<void>
  findTransaction(transactionId: string): Promise<Transaction | undefined>
  /**
   * Adds to what an open transaction has staged, and one to its revision. The first call for a table fixes its
   * base snapshot. `duplicate` when a file of the same path is staged for the table already: then nothing is staged.
   */
  stage(staging: Staging): Promise<StageOutcome>
  /** One for each table that the transaction touched, in the order of first touch. */
  listStagedChanges(transactionId: string): Promise<readonly StagedChange[]>
  /** Also forgets what was staged. */
  abortTransaction(
    transactionId: string,
    endedAtMs: number,
  ): Promise<'aborted' | 'not-open' | 'not-found'>
  /** Forgets ended transactions that ended, and open ones that expired, before the instant. Answers how many. */
  forgetTransactions(beforeMs: number): Promise<number>

  /**
   * All or nothing, durable when it resolves: compare-and-swap of every table's version, new snapshots, log
   * entries and paths, transactions marked committed with their results and what they staged forgotten.
   * A definite refusal is an outcome; `commit-state-unknown` is thrown when the reply was lost, and
   * `table-already-exists` when a table or view (fact `existing`) has the name that a table is to get.
   */
  commit(commit: CatalogCommit, options?: MutationOptions): Promise<CatalogCommitOutcome>

  /** Records that a metadata file of this version exists. A version at or below the published one changes nothing. */
  recordPublication(publication: Publication): Promise<void>
  /** Tables whose newest version has no metadata file yet. */
  listUnpublishedTables(limit: number): Promise<readonly string[]>
  /** Newest first: earlier metadata files, for the metadata log. */
  listPublications(tableUuid: string, limit: number): Promise<readonly Publication[]>
}

export type TableKey =
  | { readonly tableUuid: string }
  | { readonly namespace: readonly string[]; readonly name: string }

export interface NewTable {
  readonly state: TableState
  /** Of a clone: snapshots it begins with, oldest first, and its log. */
  readonly snapshots: readonly Snapshot[]
  readonly snapshotLog: readonly SnapshotLogEntry[]
  /** Paths that it references from the start. */
  readonly addedPaths: readonly string[]
  /** Takes over every known path of this table, too. */
  readonly copyPathsFromTableUuid?: string
  /** Of a registered table: metadata files of its earlier versions, for the metadata log. */
  readonly earlierPublications?: readonly Omit<Publication, 'tableUuid'>[]
}

export interface TableReplacement {
  readonly tableUuid: string
  readonly expectedVersion: number
  readonly table: NewTable
}

export interface ListTablesQuery {
  /** Only tables directly in this namespace. */
  readonly namespace?: readonly string[]
  /** Of the name, without case. Taken to the letter: `%` and `_` are no wildcards. */
  readonly prefix?: string
  /** Only tables after this one in the order. */
  readonly after?: { readonly namespace: readonly string[]; readonly name: string }
  readonly limit: number
}

export interface TableSummary {
  readonly namespace: readonly string[]
  readonly name: string
  readonly tableUuid: string
  readonly location: string
  readonly createdAtMs: number
  readonly lastUpdatedMs: number
  readonly currentSnapshotId: bigint | null
}

export interface SnapshotLogQuery {
  readonly tableUuid: string
  /** Only entries earlier than this instant. */
  readonly beforeMs?: number
  /** Only entries later than this instant. */
  readonly afterMs?: number
  readonly limit: number
}

export interface SnapshotLogPageEntry extends SnapshotLogEntry {
  readonly snapshot: Snapshot
}

export interface Staging {
  readonly transactionId: string
  readonly tableUuid: string
  /** Taken as the base if the transaction has not touched the table before. */
  readonly currentSnapshotId: bigint | null
  readonly addedFiles?: readonly StagedFile[]
  readonly removedPaths?: readonly string[]
  readonly truncate?: boolean
  /** The most files that the transaction may have added over all its tables. */
  readonly addedFilesMax: number
}

export type StageOutcome =
  | { readonly outcome: 'staged' }
  | { readonly outcome: 'duplicate'; readonly path: string }
  | { readonly outcome: 'not-open' }
  | { readonly outcome: 'too-many-files' }

export interface TableCommit {
  readonly expectedVersion: number
  /** The whole new state; its version is one more than expected. `metadataLocation` and `publishedVersion` are not written. */
  readonly state: TableState
  readonly newSnapshots: readonly Snapshot[]
  /** Appended to the log of the main branch. */
  readonly newLogEntries: readonly SnapshotLogEntry[]
  readonly addedPaths: readonly string[]
  /**
   * Snapshots that the table had and that are forgotten, before the new ones are added; never the current one. The
   * log loses their entries and all earlier ones: with a gap, `as_at` would answer a snapshot that was not current
   * (Iceberg spec, "Table Metadata Fields", snapshot-log). Their paths stay known.
   */
  readonly removedSnapshotIds?: readonly bigint[]
}

export interface CatalogCommit {
  readonly tables: readonly TableCommit[]
  /** Each is committed with its results; one that is not in the catalog yet is inserted as committed. */
  readonly transactions: readonly { readonly transaction: Transaction; readonly isNew: boolean }[]
}

export type CatalogCommitOutcome =
  | { readonly outcome: 'committed' }
  /** Another commit came first, or the table is gone; nothing was changed. */
  | { readonly outcome: 'version-mismatch'; readonly tableUuid: string }
  /** The transaction was committed or aborted meanwhile; nothing was changed. */
  | { readonly outcome: 'transaction-not-open'; readonly transactionId: string }
  /** Something was staged since the revision that the commit gives; the transaction is open, nothing was changed. */
  | { readonly outcome: 'transaction-changed'; readonly transactionId: string }

export interface Publication {
  readonly tableUuid: string
  readonly version: number
  readonly metadataLocation: string
  readonly publishedAtMs: number
}
