import { sql } from 'kysely'
import type { Snapshot, SnapshotLogEntry } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import type { StagedChange, Transaction } from '../../core/table/transaction.ts'
import type {
  CatalogCommit,
  CatalogCommitOutcome,
  CatalogStore,
  ListTablesQuery,
  NewTable,
  Publication,
  SnapshotLogPageEntry,
  SnapshotLogQuery,
  StageOutcome,
  Staging,
  TableKey,
  TableReplacement,
  TableSummary,
} from '../catalog-store.ts'
import type { HeldLease, LeaseOutcome, LeaseRequest } from '../lease-store.ts'
import type {
  ListChildNamespacesQuery,
  NamespacePropertiesChange,
  NamespacePropertiesChanged,
  NamespaceRecord,
} from '../namespace-store.ts'
import type { MutationOptions, ReplayRecord } from '../replay-store.ts'
import type { ListViewsQuery, ViewChange, ViewKey, ViewState, ViewSummary } from '../view-store.ts'
import { DefinitionCache } from './definition-cache.ts'
import { migrate } from './migrations.ts'
import { commitAll } from './sql-commit.ts'
import { read, type SqlEngine, write } from './sql-engine.ts'
import * as leases from './sql-leases.ts'
import * as namespaces from './sql-namespaces.ts'
import { findPaths } from './sql-paths.ts'
import * as replays from './sql-replays.ts'
import { mutate } from './sql-replays.ts'
import * as snapshots from './sql-snapshots.ts'
import * as tables from './sql-tables.ts'
import * as transactions from './sql-transactions.ts'
import * as views from './sql-views.ts'

/** The catalog in a database of SQL; what differs between the engines is in `SqlEngine`. */
export class SqlCatalog implements CatalogStore {
  readonly #engine: SqlEngine
  readonly #context: tables.TableContext

  constructor(engine: SqlEngine) {
    this.#engine = engine
    this.#context = { engine, definitions: new DefinitionCache() }
  }

  migrate(): Promise<void> {
    return migrate(this.#engine)
  }

  async ping(): Promise<void> {
    await read(this.#engine, (connection) => sql`select 1`.execute(connection))
  }

  close(): Promise<void> {
    return this.#engine.connection.destroy()
  }

  createTable(
    table: NewTable,
    options: MutationOptions = {},
  ): Promise<'created' | 'already-exists' | 'view-exists'> {
    return mutate(this.#engine, options, (transaction) =>
      tables.insertTable(transaction, table, this.#context),
    )
  }

  replaceTable(
    replacement: TableReplacement,
    options: MutationOptions = {},
  ): Promise<'created' | 'already-exists' | 'view-exists' | 'version-mismatch'> {
    return mutate(this.#engine, options, (transaction) =>
      tables.replaceTable(transaction, replacement, this.#context),
    )
  }

  findTable(key: TableKey): Promise<TableState | undefined> {
    const { definitions } = this.#context
    return read(this.#engine, (connection) => tables.findTable(connection, key, definitions))
  }

  listTables(query: ListTablesQuery): Promise<readonly TableSummary[]> {
    return read(this.#engine, (connection) => tables.listTables(connection, query))
  }

  dropTable(tableUuid: string, options: MutationOptions = {}): Promise<'dropped' | 'not-found'> {
    return mutate(this.#engine, options, (transaction) =>
      tables.deleteTable(transaction, tableUuid),
    )
  }

  createNamespace(
    namespace: NamespaceRecord,
    options: MutationOptions = {},
  ): Promise<'created' | 'already-exists'> {
    return mutate(this.#engine, options, (transaction) =>
      namespaces.insertNamespace(transaction, namespace, this.#engine),
    )
  }

  findNamespace(levels: readonly string[]): Promise<NamespaceRecord | undefined> {
    return read(this.#engine, (connection) => namespaces.findNamespace(connection, levels))
  }

  listNamespaces(): Promise<readonly (readonly string[])[]> {
    return read(this.#engine, namespaces.listNamespaces)
  }

  listChildNamespaces(query: ListChildNamespacesQuery): Promise<readonly (readonly string[])[]> {
    return read(this.#engine, (connection) => namespaces.listChildNamespaces(connection, query))
  }

  updateNamespaceProperties(
    change: NamespacePropertiesChange,
    options: MutationOptions = {},
  ): Promise<NamespacePropertiesChanged | 'not-found'> {
    return mutate(this.#engine, options, (transaction) =>
      namespaces.updateNamespaceProperties(transaction, change),
    )
  }

  dropNamespace(
    levels: readonly string[],
    options: MutationOptions = {},
  ): Promise<'dropped' | 'not-found' | 'not-empty'> {
    return mutate(this.#engine, options, (transaction) =>
      namespaces.deleteNamespace(transaction, levels),
    )
  }

  createView(
    view: ViewState,
    options: MutationOptions = {},
  ): Promise<'created' | 'view-exists' | 'table-exists'> {
    return mutate(this.#engine, options, (transaction) =>
      views.insertView(transaction, view, this.#engine),
    )
  }

  findView(key: ViewKey): Promise<ViewState | undefined> {
    return read(this.#engine, (connection) => views.findView(connection, key))
  }

  listViews(query: ListViewsQuery): Promise<readonly ViewSummary[]> {
    return read(this.#engine, (connection) => views.listViews(connection, query))
  }

  replaceView(
    change: ViewChange,
    options: MutationOptions = {},
  ): Promise<'replaced' | 'version-mismatch' | 'view-exists' | 'table-exists'> {
    return mutate(this.#engine, options, (transaction) =>
      views.replaceView(transaction, change, this.#engine),
    )
  }

  dropView(viewUuid: string, options: MutationOptions = {}): Promise<'dropped' | 'not-found'> {
    return mutate(this.#engine, options, (transaction) => views.deleteView(transaction, viewUuid))
  }

  findSnapshot(tableUuid: string, snapshotId: bigint): Promise<Snapshot | undefined> {
    return read(this.#engine, (connection) =>
      snapshots.findSnapshot(connection, tableUuid, snapshotId),
    )
  }

  findSnapshotAsAt(tableUuid: string, asAtMs: number): Promise<Snapshot | undefined> {
    return read(this.#engine, (connection) =>
      snapshots.findSnapshotAsAt(connection, tableUuid, asAtMs),
    )
  }

  listSnapshots(tableUuid: string): Promise<readonly Snapshot[]> {
    return read(this.#engine, (connection) => snapshots.listSnapshots(connection, tableUuid))
  }

  listSnapshotLog(tableUuid: string): Promise<readonly SnapshotLogEntry[]> {
    return read(this.#engine, (connection) => snapshots.listSnapshotLog(connection, tableUuid))
  }

  readSnapshots(tableUuid: string): AsyncIterable<readonly Snapshot[]> {
    return snapshots.inPages((last) =>
      read(this.#engine, (connection) => snapshots.nextSnapshots(connection, tableUuid, last)),
    )
  }

  readSnapshotLog(tableUuid: string): AsyncIterable<readonly SnapshotLogEntry[]> {
    return snapshots.inPages((last: snapshots.PositionedEntry | undefined) =>
      read(this.#engine, (connection) => snapshots.nextLogEntries(connection, tableUuid, last)),
    )
  }

  pageSnapshotLog(query: SnapshotLogQuery): Promise<readonly SnapshotLogPageEntry[]> {
    return read(this.#engine, (connection) => snapshots.pageSnapshotLog(connection, query))
  }

  findKnownPaths(tableUuid: string, paths: readonly string[]): Promise<ReadonlySet<string>> {
    return read(this.#engine, (connection) => findPaths(connection, { tableUuid, paths }, 'own'))
  }

  findPathsOfOtherTables(
    tableUuid: string,
    paths: readonly string[],
  ): Promise<ReadonlySet<string>> {
    return read(this.#engine, (connection) => findPaths(connection, { tableUuid, paths }, 'other'))
  }

  startTransaction(transaction: Transaction): Promise<void> {
    return write(this.#engine, (sqlTransaction) =>
      transactions.insertTransaction(sqlTransaction, transaction),
    )
  }

  findTransaction(transactionId: string): Promise<Transaction | undefined> {
    return read(this.#engine, (connection) =>
      transactions.findTransaction(connection, transactionId),
    )
  }

  stage(staging: Staging): Promise<StageOutcome> {
    return write(this.#engine, (sqlTransaction) => transactions.stage(sqlTransaction, staging))
  }

  listStagedChanges(transactionId: string): Promise<readonly StagedChange[]> {
    return read(this.#engine, (connection) =>
      transactions.listStagedChanges(connection, transactionId),
    )
  }

  abortTransaction(
    transactionId: string,
    endedAtMs: number,
  ): Promise<'aborted' | 'not-open' | 'not-found'> {
    return write(this.#engine, (sqlTransaction) =>
      transactions.abortTransaction(sqlTransaction, transactionId, endedAtMs),
    )
  }

  async forgetTransactions(beforeMs: number): Promise<number> {
    let forgotten = 0
    for (;;) {
      const step = await write(this.#engine, (sqlTransaction) =>
        transactions.forgetSomeTransactions(sqlTransaction, beforeMs),
      )
      forgotten += step.count
      if (step.isDone) return forgotten
    }
  }

  async commit(
    commit: CatalogCommit,
    options: MutationOptions = {},
  ): Promise<CatalogCommitOutcome> {
    const outcome = await mutate(this.#engine, options, (transaction) =>
      commitAll(transaction, commit, this.#context),
    )
    if (outcome.outcome !== 'committed') return outcome
    for (const { state } of commit.tables) {
      this.#context.definitions.markWritten(state.definition, state.version)
    }
    return outcome
  }

  recordPublication(publication: Publication): Promise<void> {
    return write(this.#engine, (transaction) => tables.recordPublication(transaction, publication))
  }

  listUnpublishedTables(limit: number): Promise<readonly string[]> {
    return read(this.#engine, (connection) => tables.listUnpublishedTables(connection, limit))
  }

  listPublications(tableUuid: string, limit: number): Promise<readonly Publication[]> {
    return read(this.#engine, (connection) => tables.listPublications(connection, tableUuid, limit))
  }

  findReplay(key: string): Promise<ReplayRecord | undefined> {
    return read(this.#engine, (connection) => replays.findReplay(connection, key))
  }

  async rememberReplay(record: ReplayRecord): Promise<void> {
    await write(this.#engine, (transaction) => replays.insertReplay(transaction, record))
  }

  forgetReplays(beforeMs: number): Promise<number> {
    return write(this.#engine, (transaction) => replays.forgetReplays(transaction, beforeMs))
  }

  acquireLease(request: LeaseRequest): Promise<LeaseOutcome> {
    return write(this.#engine, (transaction) => leases.acquireLease(transaction, request))
  }

  renewLease(lease: LeaseRequest & HeldLease): Promise<'renewed' | 'lost'> {
    return write(this.#engine, (transaction) => leases.renewLease(transaction, lease))
  }

  releaseLease(lease: HeldLease & { readonly nowMs: number }): Promise<'released' | 'lost'> {
    return write(this.#engine, (transaction) => leases.releaseLease(transaction, lease))
  }

  forgetLeases(beforeMs: number): Promise<number> {
    return write(this.#engine, (transaction) => leases.forgetLeases(transaction, beforeMs))
  }
}
