import { jointOrigin } from '../../core/event-origin.ts'
import { refuseReserved } from '../../core/table/reserved-namespace.ts'
import type { TableState } from '../../core/table/table.ts'
import type { NewDeletion } from '../deletion-store.ts'
import type { MutationOptions } from '../replay-store.ts'
import type {
  CatalogCommit,
  CatalogCommitOutcome,
  ExpectedTable,
  ListTablesQuery,
  NewTable,
  TableKey,
  TableReplacement,
  TableStore,
  TableSummary,
} from '../table-store.ts'
import { findTableOfResource } from './access/table-resources.ts'
import { Refusal, read, type SqlEngine, type SqlTransaction } from './engine/sql-engine.ts'
import { findTable, listTables } from './find/find-table.ts'
import { mutate } from './mutation/sql-replays.ts'
import { holdTable } from './paths/sql-paths.ts'
import { createNamedAhead, nameAhead } from './paths-ahead.ts'
import { DefinitionCache, type TableContext } from './rows/definition-cache.ts'
import { commitAll } from './sql-commit.ts'
import { type CreationContext, insertTable, type MutationContext } from './sql-creations.ts'
import { type DroppedTable, deleteTable, doomAhead, forgetRest } from './sql-drops.ts'

export class SqlTables implements TableStore {
  readonly #context: TableContext

  constructor(engine: SqlEngine) {
    this.#context = { engine, definitions: new DefinitionCache() }
  }

  async create(
    table: NewTable,
    options: MutationOptions = {},
  ): Promise<'created' | 'already-exists' | 'view-exists'> {
    refuseReserved(table.state.namespace)
    const { engine } = this.#context
    return createNamedAhead(engine, { table }, (ahead, isLarge) =>
      mutate(engine, { ...options, isLarge }, (transaction, raised) =>
        insertTable(transaction, table, { raised, ahead, ...this.#context }),
      ),
    )
  }

  async replace(
    replacement: TableReplacement,
    options: MutationOptions = {},
  ): Promise<'created' | 'already-exists' | 'view-exists' | 'version-mismatch'> {
    const { engine } = this.#context
    const { table, tableUuid } = replacement
    refuseReserved(table.state.namespace)
    const outcome = await createNamedAhead(engine, replacement, (ahead, isLarge) =>
      mutate(engine, { ...options, isLarge }, (transaction, raised) =>
        replaceTable(transaction, replacement, { raised, ahead, ...this.#context }),
      ),
    )
    if (outcome === 'created') await forgetRest(engine, tableUuid)
    return outcome
  }

  find(key: TableKey): Promise<TableState | undefined> {
    const { engine, definitions } = this.#context
    return read(engine, (connection) => findTable(connection, key, definitions))
  }

  findByResource(resourceId: string): Promise<string | undefined> {
    return read(this.#context.engine, (connection) => findTableOfResource(connection, resourceId))
  }

  list(query: ListTablesQuery): Promise<readonly TableSummary[]> {
    return read(this.#context.engine, (connection) => listTables(connection, query))
  }

  async drop(
    table: ExpectedTable & { readonly deletions?: readonly NewDeletion[] },
    options: MutationOptions = {},
  ): Promise<'dropped' | 'not-found' | 'version-mismatch'> {
    const { engine } = this.#context
    const { deletions = [], ...expected } = table
    const doomed = await doomAhead(engine, expected, deletions)
    const isLarge = doomed.own.length > engine.rowsOnLoopMax
    const outcome = await mutate(engine, { ...options, isLarge }, (transaction, raised) =>
      dropTable(transaction, { ...expected, deletions: doomed }, { raised, ...this.#context }),
    )
    if (outcome === 'dropped') await forgetRest(engine, table.tableUuid)
    return outcome
  }

  async commit(
    commit: CatalogCommit,
    options: MutationOptions = {},
  ): Promise<CatalogCommitOutcome> {
    for (const { state } of commit.tables) refuseReserved(state.namespace)
    const { engine, definitions } = this.#context
    const origin = options.events ?? jointOrigin(commit.transactions.map(({ events }) => events))
    const isLarge = rowsOf(commit) > engine.rowsOnLoopMax
    const known = { ...options, isLarge, ...(origin !== undefined && { events: origin }) }
    const ahead = await nameAhead(engine, commit)
    const outcome = await mutate(engine, known, (transaction, raised) =>
      commitAll(transaction, commit, { raised, ahead, ...this.#context }),
    )
    if (outcome.outcome !== 'committed') return outcome
    for (const { state } of commit.tables) {
      definitions.markWritten(state.definition, state.version)
    }
    return outcome
  }
}

/** About the rows that it writes or deletes. */
function rowsOf({ tables, transactions }: CatalogCommit): number {
  return tables.reduce(
    (sum, { addedPaths, pathsNamedAgain = [], removedSnapshotIds = [] }) =>
      sum + addedPaths.length + pathsNamedAgain.length + removedSnapshotIds.length,
    transactions.length,
  )
}

/** Throws `Refusal`. */
async function replaceTable(
  transaction: SqlTransaction,
  { tableUuid, expectedVersion, table }: TableReplacement,
  context: CreationContext,
): Promise<'created'> {
  // Changes nothing, but who commits at the same time waits here, and then finds the table gone or
  // newer.
  const version = await holdTable(transaction, tableUuid)
  if (version !== BigInt(expectedVersion)) throw new Refusal('version-mismatch')
  const isSame = table.state.definition.tableUuid === tableUuid
  const keepsPaths = isSame && context.ahead !== undefined
  const dropped = { tableUuid, expectedVersion, isReplaced: isSame, keepsPaths }
  refuseReserved(await deleteTable(transaction, dropped, context))
  return insertTable(transaction, table, { ...context, replaces: tableUuid })
}

/** Throws `Refusal`. */
async function dropTable(
  transaction: SqlTransaction,
  table: DroppedTable,
  context: MutationContext,
): Promise<'dropped'> {
  refuseReserved(await deleteTable(transaction, table, context))
  return 'dropped'
}
