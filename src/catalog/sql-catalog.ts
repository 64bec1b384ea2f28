import { sql } from 'kysely'
import type { Snapshot, SnapshotLogEntry } from '../core/snapshot.ts'
import type { TableState } from '../core/table.ts'
import type { StagedChange, Transaction } from '../core/transaction.ts'
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
  TableSummary,
} from './catalog-store.ts'
import { DefinitionCache } from './definition-cache.ts'
import { migrate } from './migrations.ts'
import { CommitRefusal, commitAll } from './sql-commit.ts'
import { read, type SqlEngine, write } from './sql-engine.ts'
import { findPaths } from './sql-paths.ts'
import * as snapshots from './sql-snapshots.ts'
import * as tables from './sql-tables.ts'
import * as transactions from './sql-transactions.ts'

/** Thrown to roll back what was staged so far; the outcome is the answer. */
class StageRefusal extends Error {
  readonly outcome: StageOutcome

  constructor(outcome: StageOutcome) {
    super(outcome.outcome)
    this.outcome = outcome
  }
}

/** The catalog in a database of SQL; what differs between the engines is in `SqlEngine`. */
export class SqlCatalog implements CatalogStore {
  readonly #engine: SqlEngine
  readonly #definitions = new DefinitionCache()

  constructor(engine: SqlEngine) {
    this.#engine = engine
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

  async createTable(table: NewTable): Promise<'created' | 'already-exists'> {
    const alreadyExists = new Error('table already exists')
    try {
      await write(this.#engine, async (transaction) => {
        if (!(await tables.insertTable(transaction, table, this.#definitions))) throw alreadyExists
      })
    } catch (error) {
      if (error === alreadyExists) return 'already-exists'
      throw error
    }
    return 'created'
  }

  findTable(key: TableKey): Promise<TableState | undefined> {
    return read(this.#engine, (connection) => tables.findTable(connection, key, this.#definitions))
  }

  listTables(query: ListTablesQuery): Promise<readonly TableSummary[]> {
    return read(this.#engine, (connection) => tables.listTables(connection, query))
  }

  dropTable(tableUuid: string): Promise<'dropped' | 'not-found'> {
    return write(this.#engine, (transaction) => tables.deleteTable(transaction, tableUuid))
  }

  listNamespaces(): Promise<readonly (readonly string[])[]> {
    return read(this.#engine, tables.listNamespaces)
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

  async stage(staging: Staging): Promise<StageOutcome> {
    const fileCount = staging.addedFiles?.length ?? 0
    try {
      await write(this.#engine, async (sqlTransaction) => {
        const { transactionId } = staging
        const before = await transactions.reserveFiles(sqlTransaction, transactionId, fileCount)
        if (before === undefined) throw new StageRefusal({ outcome: 'not-open' })
        if (fileCount > 0 && before + fileCount > staging.addedFilesMax) {
          throw new StageRefusal({ outcome: 'too-many-files' })
        }
        await transactions.touchTable(sqlTransaction, staging)
        const path = await transactions.insertStagedFiles(sqlTransaction, staging, before)
        if (path !== undefined) throw new StageRefusal({ outcome: 'duplicate', path })
        await transactions.insertStagedRemovals(sqlTransaction, staging)
      })
    } catch (error) {
      if (error instanceof StageRefusal) return error.outcome
      throw error
    }
    return { outcome: 'staged' }
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

  async commit(commit: CatalogCommit): Promise<CatalogCommitOutcome> {
    const context = { engine: this.#engine, definitions: this.#definitions }
    try {
      await write(this.#engine, (transaction) => commitAll(transaction, commit, context))
    } catch (error) {
      if (error instanceof CommitRefusal) return error.outcome
      throw error
    }
    for (const { state } of commit.tables) {
      this.#definitions.markWritten(state.definition, state.version)
    }
    return { outcome: 'committed' }
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
}
