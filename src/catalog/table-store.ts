import type { Visibility } from '../core/access/visibility.ts'
import type { EventOrigin } from '../core/event-origin.ts'
import type { NewReplay } from '../core/replay.ts'
import type { Snapshot, SnapshotLogEntry } from '../core/table/snapshot.ts'
import type { TableState } from '../core/table/table.ts'
import type { Transaction } from '../core/table/transaction.ts'
import type { NewDeletion } from './deletion-store.ts'
import type { Publication } from './publication-store.ts'
import type { MutationOptions } from './replay-store.ts'

/**
 * The tables and their newest states. Its contract: test/catalog/tables.contract.ts,
 * commit.contract.ts.
 */
export interface TableStore {
  /**
   * Also makes the namespace and its parents. Names compare without case. `already-exists`, too,
   * when the UUID is taken; `view-exists` when a view has the name. Throws `location-taken` when
   * the location overlaps with that of another table (`LocationStore`), and `resource-taken` when
   * another has the same `moraine.ckan-resource-id`, as `replace` and `commit` do.
   */
  create(
    table: NewTable,
    options?: MutationOptions,
  ): Promise<'created' | 'already-exists' | 'view-exists'>
  /**
   * `create` in place of a table of the same name, which is forgotten in the same step as by
   * `drop`. `version-mismatch`, too, when that one is gone.
   */
  replace(
    replacement: TableReplacement,
    options?: MutationOptions,
  ): Promise<'created' | 'already-exists' | 'view-exists' | 'version-mismatch'>
  find(key: TableKey): Promise<TableState | undefined>
  /** UUID of the table whose property `moraine.ckan-resource-id` this is. */
  findByResource(resourceId: string): Promise<string | undefined>
  /** By namespace, then name, both without case. */
  list(query: ListTablesQuery): Promise<readonly TableSummary[]>
  /**
   * Forgets the table, its snapshots, log and file paths, and adds the deletions of its files, in
   * one step. Compares the version, as `commit` does: what was done to the table since the caller
   * looked is not dropped unseen.
   */
  drop(
    table: ExpectedTable & { readonly deletions?: readonly NewDeletion[] },
    options?: MutationOptions,
  ): Promise<'dropped' | 'not-found' | 'version-mismatch'>

  /**
   * All or nothing, durable when it resolves: compare-and-swap of every table's version, new
   * snapshots, log entries and paths, transactions marked committed with their results and what
   * they staged forgotten. A definite refusal is an outcome; `commit-state-unknown` is thrown when
   * the reply was lost, and `table-already-exists` when a table or view (fact `existing`) has the
   * name that a table is to get, and `location-taken` as `create` does, when a table moves. Files
   * that are to be deleted are no longer, here as in creations; `FilesDeletedError` is thrown for
   * those that are deleted.
   */
  commit(commit: CatalogCommit, options?: MutationOptions): Promise<CatalogCommitOutcome>
}

export type TableKey =
  | { readonly tableUuid: string }
  | { readonly namespace: readonly string[]; readonly name: string }

/** SHA-256 of the Parquet footers that were read of files, in hexadecimal, by path. */
export type Footers = ReadonlyMap<string, string>

export interface NewTable {
  readonly state: TableState
  /** Snapshots that a clone begins with, oldest first, and its log. */
  readonly snapshots: readonly Snapshot[]
  readonly snapshotLog: readonly SnapshotLogEntry[]
  /** Paths that it references from the start. */
  readonly addedPaths: readonly string[]
  /** A table that comes back keeps those that it had when it was dropped. */
  readonly footers?: Footers
  /** Deleted files among them that exist again: `deletionId` of their rows. */
  readonly rewritten?: ReadonlySet<string>
  /**
   * Takes over every known path of this table, too; `table-not-found` is thrown when it is gone,
   * `snapshot-not-found` when it has not all of the snapshots any more.
   */
  readonly copyPathsFromTableUuid?: string
  /**
   * Whether it takes over the policy of that table, too, in the same step: `bound` to its own
   * columns, or `unbound`, so that nothing is shown until it is set again.
   */
  readonly copiesPolicy?: 'bound' | 'unbound'
  /** UUIDs of the tables whose policies those are, where it is not that one. */
  readonly policiesOf?: readonly string[]
  /** Whether its location may be that of another table, as Moraine 0.1 allowed it. */
  readonly mayShareLocation?: boolean
  /** Whether it may reference more than the paths given, until its keys end (`PathStore`). */
  readonly mayNameAnyPath?: boolean
  /** Metadata files of a registered table's earlier versions, for the metadata log. */
  readonly earlierPublications?: readonly Omit<Publication, 'tableUuid'>[]
}

/** A table as its caller knows it. */
export interface ExpectedTable {
  readonly tableUuid: string
  readonly expectedVersion: number
  /** Whether it may be another catalog's from now on: its files are nobody's to delete. */
  readonly isUnregistered?: boolean
}

export interface TableReplacement extends ExpectedTable {
  readonly table: NewTable
}

export interface ListTablesQuery {
  /** Only tables directly in this namespace. */
  readonly namespace?: readonly string[]
  /** Beginning of the name, without case. Taken verbatim: `%` and `_` are no wildcards. */
  readonly prefix?: string
  /** Only tables after this one in the order. */
  readonly after?: { readonly namespace: readonly string[]; readonly name: string }
  readonly limit: number
  /** Only tables that one of these may see. */
  readonly visibleTo?: Visibility | undefined
  /** Whether the hidden tables of datasets are among them, which no list shows. */
  readonly withDatasets?: boolean
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

export interface TableCommit {
  readonly expectedVersion: number
  /**
   * The whole new state; its version is one more than expected. `metadataLocation` and
   * `publishedVersion` are not written, but see `keepsMetadata`.
   */
  readonly state: TableState
  readonly newSnapshots: readonly Snapshot[]
  /** Appended to the log of the main branch. */
  readonly newLogEntries: readonly SnapshotLogEntry[]
  readonly addedPaths: readonly string[]
  /** Those of added paths without one are not known from now on: the file may be another. */
  readonly footers?: Footers
  /**
   * Paths that the table knows, and that its new snapshots may name after a while in which none
   * did: taken from deletion like the added ones.
   */
  readonly pathsNamedAgain?: readonly string[]
  /**
   * Whether only the name changes, which metadata does not tell: what was published of the version
   * before is published of this one.
   */
  readonly keepsMetadata?: boolean
  /**
   * Snapshots that the table had and that are forgotten, before the new ones are added; never the
   * current one. The log loses their entries and all earlier ones: with a gap, `as_at` would find
   * a snapshot that was not current (Iceberg spec, "Table Metadata Fields", snapshot-log). Their
   * paths stay known.
   */
  readonly removedSnapshotIds?: readonly bigint[]
}

export interface CatalogCommit {
  readonly tables: readonly TableCommit[]
  /**
   * Each is committed with its results; one that is not in the catalog yet is inserted as
   * committed.
   */
  readonly transactions: readonly CommittedTransaction[]
  /** Deleted files among those added that exist again: `deletionId` of their rows. */
  readonly rewritten?: ReadonlySet<string>
}

export interface CommittedTransaction {
  readonly transaction: Transaction
  /** Not in the catalog yet. */
  readonly isNew: boolean
  /** Answer to the request that asked for this one, as of `MutationOptions`. */
  readonly replay?: NewReplay
  /** Who asked for this one; the commit's event has those of all. */
  readonly events?: EventOrigin
}

export type CatalogCommitOutcome =
  | { readonly outcome: 'committed' }
  /**
   * The key of this one's answer is answered or reserved by another already; nothing was changed.
   */
  | { readonly outcome: 'key-taken'; readonly transactionId: string; readonly key: string }
  /** Another commit came first, or the table is gone; nothing was changed. */
  | { readonly outcome: 'version-mismatch'; readonly tableUuid: string }
  /** The transaction was committed or aborted in between; nothing was changed. */
  | { readonly outcome: 'transaction-not-open'; readonly transactionId: string }
  /**
   * Something was staged since the revision that the commit gives; the transaction is open, nothing
   * was changed.
   */
  | { readonly outcome: 'transaction-changed'; readonly transactionId: string }
