import { sql } from 'kysely'
import { CatalogError } from '../core/errors.ts'
import type { Transaction } from '../core/transaction.ts'
import type { CatalogCommit, CatalogCommitOutcome, TableCommit } from './catalog-store.ts'
import type { DefinitionCache } from './definition-cache.ts'
import { encodeExact } from './exact-json.ts'
import { chunks, type SqlEngine, type SqlTransaction } from './sql-engine.ts'
import { pathInserts } from './sql-paths.ts'
import { changingColumns, logRows, nameColumns, snapshotRow, transactionRow } from './sql-rows.ts'
import type { TableRow } from './sql-schema.ts'
import { addNamespaces } from './sql-tables.ts'
import { stagingDeletes } from './sql-transactions.ts'

/** Thrown to roll back; the outcome is the answer. */
export class CommitRefusal extends Error {
  readonly outcome: CatalogCommitOutcome

  constructor(outcome: CatalogCommitOutcome) {
    super(outcome.outcome)
    this.outcome = outcome
  }
}

interface CommitContext {
  readonly engine: SqlEngine
  readonly definitions: DefinitionCache
}

/**
 * Throws `CommitRefusal`. Transactions first, then tables, both in the order of their ids: whoever commits
 * several at once takes the locks in one order. A table's row, which others may want, is held for the shortest time.
 */
export async function commitAll(
  transaction: SqlTransaction,
  commit: CatalogCommit,
  context: CommitContext,
): Promise<void> {
  const isNew = (wanted: boolean) =>
    commit.transactions.filter((t) => t.isNew === wanted).map((t) => t.transaction)
  await insertCommitted(transaction, isNew(true).sort(byTransactionId))
  await markCommitted(transaction, isNew(false).sort(byTransactionId), context)
  const tables = commit.tables.toSorted((a, b) => (tableUuidOf(a) < tableUuidOf(b) ? -1 : 1))
  const firstPositions: bigint[] = []
  for (const table of tables) firstPositions.push(await swapTable(transaction, table, context))
  await context.engine.runTogether(transaction, historyInserts(transaction, tables, firstPositions))
}

function byTransactionId(left: Transaction, right: Transaction): number {
  return left.transactionId < right.transactionId ? -1 : 1
}

function tableUuidOf(table: TableCommit): string {
  return table.state.definition.tableUuid
}

async function insertCommitted(
  sqlTransaction: SqlTransaction,
  transactions: readonly Transaction[],
): Promise<void> {
  for (const chunk of chunks(transactions)) {
    const inserted = await sqlTransaction
      .insertInto('transactions')
      .values(chunk.map(transactionRow))
      .onConflict((conflict) => conflict.doNothing())
      .returning('transaction_id')
      .execute()
    refuseMissing(chunk, inserted)
  }
}

async function markCommitted(
  sqlTransaction: SqlTransaction,
  transactions: readonly Transaction[],
  { engine }: CommitContext,
): Promise<void> {
  for (const chunk of chunks(transactions)) {
    const ends = chunk.map(
      (t) => sql`(${t.transactionId}, ${t.endedAtMs}, ${encodeExact(t.results)})`,
    )
    // column1 and so on: both engines name the columns of VALUES like this.
    const marked = await sql<{ transaction_id: string }>`
      update transactions
      set state = 'committed', ended_at_ms = cast(ends.column2 as bigint), results = ends.column3
      from (values ${sql.join(ends)}) as ends
      where transactions.transaction_id = ends.column1 and transactions.state = 'open'
      returning transaction_id`.execute(sqlTransaction)
    refuseMissing(chunk, marked.rows)
    const ids = chunk.map((t) => t.transactionId)
    await engine.runTogether(sqlTransaction, stagingDeletes(sqlTransaction, ids))
  }
}

function refuseMissing(
  wanted: readonly Transaction[],
  done: readonly { readonly transaction_id: string }[],
): void {
  if (done.length === wanted.length) return
  const doneIds = new Set(done.map((row) => row.transaction_id))
  const missing = wanted.find((transaction) => !doneIds.has(transaction.transactionId))
  // Two of one id: the second was not done.
  const transactionId = (missing ?? wanted[0])?.transactionId ?? ''
  throw new CommitRefusal({ outcome: 'transaction-not-open', transactionId })
}

/** Answers the position of the commit's first entry in the table's log. */
async function swapTable(
  transaction: SqlTransaction,
  table: TableCommit,
  context: CommitContext,
): Promise<bigint> {
  const { state, expectedVersion, newLogEntries } = table
  if (state.version !== expectedVersion + 1) {
    throw new Error(`commit of version ${state.version} on version ${expectedVersion}`)
  }
  const { namespace, name } = nameColumns(state)
  const logLength =
    (await updateTable(transaction, table, { where: { namespace, name }, ...context })) ??
    (await renameTable(transaction, table, context))
  return logLength - BigInt(newLogEntries.length)
}

/**
 * The usual commit leaves the name alone, and does not come here. This one finds out whether the version was
 * another, or the name is to change.
 */
async function renameTable(
  transaction: SqlTransaction,
  table: TableCommit,
  context: CommitContext,
): Promise<bigint> {
  const { state } = table
  try {
    const columns = nameColumns(state)
    const logLength = await updateTable(transaction, table, { columns, ...context })
    if (logLength === undefined) {
      throw new CommitRefusal({ outcome: 'version-mismatch', tableUuid: tableUuidOf(table) })
    }
    await addNamespaces(transaction, state.namespace)
    return logLength
  } catch (error) {
    if (context.engine.trouble(error) !== 'unique-violation') throw error
    const fullName = [...state.namespace, state.name].join('.')
    throw new CatalogError('table-already-exists', `Table already exists: ${fullName}`, {
      facts: { table: fullName },
      cause: error,
    })
  }
}

type NameColumns = Pick<TableRow, 'namespace' | 'name' | 'namespace_key' | 'name_key'>

interface UpdateContext extends CommitContext {
  /** Only if the table is called like this. */
  readonly where?: Pick<NameColumns, 'namespace' | 'name'>
  /** What to call it. */
  readonly columns?: NameColumns
}

/** The compare-and-swap. Answers the new length of the log; `undefined` when there is no such row. */
async function updateTable(
  transaction: SqlTransaction,
  { state, expectedVersion, newLogEntries }: TableCommit,
  { definitions, where, columns }: UpdateContext,
): Promise<bigint | undefined> {
  const { definition } = state
  const isSame = definitions.isWritten(definition, expectedVersion)
  let update = transaction
    .updateTable('tables')
    .set({ ...changingColumns(state), ...columns })
    .set((row) => ({ log_length: row('log_length', '+', BigInt(newLogEntries.length)) }))
    .where('table_uuid', '=', definition.tableUuid)
    .where('version', '=', BigInt(expectedVersion))
  if (!isSame) update = update.set({ definition: definitions.encode(definition) })
  if (where !== undefined) {
    update = update.where('namespace', '=', where.namespace).where('name', '=', where.name)
  }
  const updated = await update.returning('log_length').executeTakeFirst()
  return updated?.log_length
}

function historyInserts(
  transaction: SqlTransaction,
  tables: readonly TableCommit[],
  firstPositions: readonly bigint[],
) {
  const snapshots = tables.flatMap((table) =>
    table.newSnapshots.map((snapshot) => snapshotRow(tableUuidOf(table), snapshot)),
  )
  const log = tables.flatMap((table, index) =>
    logRows(tableUuidOf(table), table.newLogEntries, firstPositions[index] ?? 0n),
  )
  const paths = tables.map((table) => ({
    tableUuid: tableUuidOf(table),
    paths: table.addedPaths,
  }))
  return [
    ...Array.from(chunks(snapshots), (rows) => transaction.insertInto('snapshots').values(rows)),
    ...Array.from(chunks(log), (rows) => transaction.insertInto('snapshot_log').values(rows)),
    ...pathInserts(transaction, paths),
  ]
}
