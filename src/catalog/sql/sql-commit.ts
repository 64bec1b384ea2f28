import { type Compilable, sql } from 'kysely'
import { CatalogError } from '../../core/errors.ts'
import { foldersOf } from '../../core/table/metadata-folder.ts'
import { refuseReserved } from '../../core/table/reserved-namespace.ts'
import type { TableState } from '../../core/table/table.ts'
import type { Transaction } from '../../core/table/transaction.ts'
import type { CatalogCommit, CatalogCommitOutcome, TableCommit } from '../table-store.ts'
import { takeResource } from './access/table-resources.ts'
import {
  chunks,
  Refusal,
  ROWS_PER_STATEMENT,
  type SqlEngine,
  type SqlTransaction,
} from './engine/sql-engine.ts'
import { type Param, prepared, rowOf } from './engine/sql-prepared.ts'
import type { DeletionRow, TableRow } from './engine/sql-schema.ts'
import { type RaisedEvents, tableCommitted } from './mutation/sql-raised-events.ts'
import { insertReplay } from './mutation/sql-replays.ts'
import { type AheadPaths, takeAllFromDeletion } from './paths-ahead.ts'
import type { TableContext } from './rows/definition-cache.ts'
import { CHANGING_COLUMNS, changingColumns, nameColumns, transactionRow } from './rows/sql-rows.ts'
import { decodeExact, encodeExact } from './rows/tagged-json.ts'
import { deletionsTaken, refuseDeleted, takeFromDeletion } from './sql-deletions.ts'
import { claimLocation, hasLocation } from './sql-locations.ts'
import { claimName } from './sql-names.ts'
import { addNamespaces } from './sql-namespaces.ts'
import { forgetSnapshots, historyInserts, tableUuidOf } from './sql-snapshots.ts'
import { findTransaction, stagingDeletes } from './sql-transactions.ts'

/**
 * Throws `Refusal`. Transactions first, then tables, both in the order of their ids: whoever
 * commits several at once takes the locks in one order. A table's row, which others may want, is
 * held for the shortest time.
 */
export async function commitAll(
  transaction: SqlTransaction,
  commit: CatalogCommit,
  { raised, ahead, ...context }: CommitContext & { readonly ahead: AheadPaths },
): Promise<CatalogCommitOutcome> {
  await keepAnswers(transaction, commit)
  const isNew = (wanted: boolean) =>
    commit.transactions.filter((t) => t.isNew === wanted).map((t) => t.transaction)
  await insertCommitted(transaction, isNew(true).sort(byTransactionId))
  await markCommitted(transaction, isNew(false).sort(byTransactionId), context)
  const tables = commit.tables.toSorted((a, b) => (tableUuidOf(a) < tableUuidOf(b) ? -1 : 1))
  const firstPositions: bigint[] = []
  for (const table of tables) {
    const { logLength, before } = await swapTable(transaction, table, { raised, ...context })
    firstPositions.push(logLength - BigInt(table.newLogEntries.length))
    raised.raise(tableCommitted(table, commit, before))
  }
  for (const table of tables) await forgetSnapshots(transaction, table)
  // Each is made when it is its turn: those of ten thousands of paths take a while.
  const statements = (function* () {
    yield* historyInserts(transaction, tables, { firstPositions, ahead })
    yield* raised.takeInserts(transaction)
  })()
  await runAndTake(transaction, { statements, commit, ahead }, context.engine)
  return { outcome: 'committed' }
}

/** Runs the statements, and takes the paths that the commit names from deletion after them. */
async function runAndTake(
  transaction: SqlTransaction,
  {
    statements,
    commit,
    ahead,
  }: {
    readonly statements: Iterable<Compilable>
    readonly commit: CatalogCommit
    readonly ahead: AheadPaths
  },
  engine: SqlEngine,
): Promise<void> {
  const { tables, rewritten } = commit
  if (ahead.size > 0) {
    await engine.runTogether(transaction, statements)
    const named = tables.map((table) => {
      const { addedPaths, pathsNamedAgain = [] } = table
      return { paths: [...addedPaths, ...pathsNamedAgain], hashes: ahead.get(table)?.hashes }
    })
    return takeAllFromDeletion(transaction, named, { rewritten })
  }
  const paths = tables.flatMap(({ addedPaths, pathsNamedAgain = [] }) =>
    pathsNamedAgain.length === 0 ? addedPaths : [...addedPaths, ...pathsNamedAgain],
  )
  const together = paths.length <= ROWS_PER_STATEMENT ? paths : []
  const taken = together.length === 0 ? [] : [deletionsTaken(transaction, together)]
  const all = (function* () {
    yield* statements
    yield* taken
  })()
  const rows = await engine.runTogether(transaction, all)
  if (taken.length > 0) refuseDeleted(rows as readonly DeletionRow[], rewritten)
  else await takeFromDeletion(transaction, paths, rewritten)
}

/** In the order of their keys, for whoever commits several at once. */
async function keepAnswers(
  transaction: SqlTransaction,
  { transactions }: CatalogCommit,
): Promise<void> {
  const kept = transactions.flatMap(({ replay, transaction: { transactionId } }) =>
    replay === undefined ? [] : [{ replay, transactionId }],
  )
  kept.sort((left, right) => (left.replay.key < right.replay.key ? -1 : 1))
  for (const { replay, transactionId } of kept) {
    if (await insertReplay(transaction, replay)) continue
    const { key } = replay
    throw new Refusal<CatalogCommitOutcome>({ outcome: 'key-taken', transactionId, key })
  }
}

function byTransactionId(left: Transaction, right: Transaction): number {
  return left.transactionId < right.transactionId ? -1 : 1
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
    await refuseMissing(sqlTransaction, chunk, inserted)
  }
}

async function markCommitted(
  sqlTransaction: SqlTransaction,
  transactions: readonly Transaction[],
  { engine }: TableContext,
): Promise<void> {
  for (const chunk of chunks(transactions)) {
    const ends = chunk.map(
      (t) => sql`(${t.transactionId}, ${t.endedAtMs}, ${encodeExact(t.results)}, ${t.revision})`,
    )
    // column1 and so on: both engines name the columns of VALUES like this.
    const marked = await sql<{ transaction_id: string }>`
      update transactions
      set state = 'committed', ended_at_ms = cast(ends.column2 as bigint), results = ends.column3
      from (values ${sql.join(ends)}) as ends
      where transactions.transaction_id = ends.column1 and transactions.state = 'open'
        and transactions.revision = cast(ends.column4 as bigint)
      returning transaction_id`.execute(sqlTransaction)
    await refuseMissing(sqlTransaction, chunk, marked.rows)
    const ids = chunk.map((t) => t.transactionId)
    await engine.runTogether(sqlTransaction, stagingDeletes(sqlTransaction, ids))
  }
}

async function refuseMissing(
  sqlTransaction: SqlTransaction,
  wanted: readonly Transaction[],
  done: readonly { readonly transaction_id: string }[],
): Promise<void> {
  if (done.length === wanted.length) return
  const doneIds = new Set(done.map((row) => row.transaction_id))
  const missing = wanted.find((transaction) => !doneIds.has(transaction.transactionId))
  // Two of one id: the second was not done.
  const transactionId = (missing ?? wanted[0])?.transactionId ?? ''
  const isOpen = (await findTransaction(sqlTransaction, transactionId))?.state === 'open'
  const outcome = isOpen && missing !== undefined ? 'transaction-changed' : 'transaction-not-open'
  throw new Refusal<CatalogCommitOutcome>({ outcome, transactionId })
}

interface SwappedTable {
  /** Entries of the table's log, with those that the commit adds. */
  readonly logLength: bigint
  /** What the table was called, if it has another name now. */
  readonly before?: Pick<TableState, 'namespace' | 'name'>
}

type CommitContext = TableContext & { readonly raised: RaisedEvents }

async function swapTable(
  transaction: SqlTransaction,
  table: TableCommit,
  context: CommitContext,
): Promise<SwappedTable> {
  const { state, expectedVersion } = table
  if (state.version !== expectedVersion + 1) {
    throw new Error(`commit of version ${state.version} on version ${expectedVersion}`)
  }
  const { namespace, name } = nameColumns(state)
  const where = { namespace, name }
  const logLength = await updateTable(transaction, table, { where, ...context })
  const swapped =
    logLength === undefined ? await renameTable(transaction, table, context) : { logLength }
  await claimNewLocation(transaction, table, context)
  return swapped
}

/** The usual commit leaves the definition alone, and does not look. */
async function claimNewLocation(
  transaction: SqlTransaction,
  { state: { definition }, expectedVersion }: TableCommit,
  { engine, definitions }: CommitContext,
): Promise<void> {
  if (definitions.isWritten(definition, expectedVersion)) return
  const { tableUuid } = definition
  for (const location of foldersOf(definition)) {
    const place = { tableUuid, location }
    if (!(await hasLocation(transaction, place))) await claimLocation(transaction, place, engine)
  }
}

/**
 * The usual commit leaves the name alone, and does not come here. This one finds out whether the
 * version was another, or the name is to change.
 */
async function renameTable(
  transaction: SqlTransaction,
  table: TableCommit,
  context: CommitContext,
): Promise<SwappedTable> {
  const { state } = table
  const before = await findName(transaction, table)
  refuseReserved(before?.namespace ?? [])
  try {
    const columns = nameColumns(state)
    const logLength = await updateTable(transaction, table, { columns, ...context })
    if (logLength === undefined) {
      const tableUuid = tableUuidOf(table)
      throw new Refusal<CatalogCommitOutcome>({ outcome: 'version-mismatch', tableUuid })
    }
    await takeName(transaction, table, context)
    return { logLength, ...(before !== undefined && { before }) }
  } catch (error) {
    if (context.engine.failureOf(error) !== 'unique-violation') throw error
    throw nameTaken(state, { existing: 'table', cause: error })
  }
}

/** What the table is called in the version that the commit is to follow. */
async function findName(
  transaction: SqlTransaction,
  table: TableCommit,
): Promise<SwappedTable['before']> {
  const row = await transaction
    .selectFrom('tables')
    .select(['namespace', 'name'])
    .where('table_uuid', '=', tableUuidOf(table))
    .where('version', '=', BigInt(table.expectedVersion))
    .executeTakeFirst()
  return row && { namespace: decodeExact<readonly string[]>(row.namespace), name: row.name }
}

async function takeName(
  transaction: SqlTransaction,
  table: TableCommit,
  { engine, raised }: CommitContext,
): Promise<void> {
  const { namespace, name } = table.state
  const uuid = tableUuidOf(table)
  await addNamespaces(transaction, namespace, { engine, raised })
  const claimed = await claimName(transaction, { namespace, name, kind: 'table', uuid })
  if (claimed !== 'claimed') throw nameTaken(table.state, { existing: claimed })
}

function nameTaken(
  { namespace, name }: TableState,
  { existing, cause }: { existing: 'table' | 'view'; cause?: unknown },
): CatalogError {
  const table = [...namespace, name].join('.')
  const kind = existing === 'table' ? 'Table' : 'View with same name'
  return new CatalogError('table-already-exists', `${kind} already exists: ${table}`, {
    facts: { table, existing },
    cause,
  })
}

type NameColumns = Pick<TableRow, 'namespace' | 'name' | 'namespace_key' | 'name_key'>

interface UpdateContext extends TableContext {
  /** Only if the table is called like this. */
  readonly where?: Pick<NameColumns, 'namespace' | 'name'>
  /** What to call it. */
  readonly columns?: NameColumns
}

/**
 * The compare-and-swap. Returns the new length of the log; `undefined` when there is no such row.
 */
async function updateTable(
  transaction: SqlTransaction,
  table: TableCommit,
  { definitions, where, columns }: UpdateContext,
): Promise<bigint | undefined> {
  const { state, expectedVersion, newLogEntries } = table
  const { definition } = state
  const isSame = definitions.isWritten(definition, expectedVersion)
  if (isSame && where !== undefined && columns === undefined) {
    return updateUsual(transaction, table, where)
  }
  let update = transaction
    .updateTable('tables')
    .set({ ...changingColumns(state), ...columns })
    .set((row) => ({ log_length: row('log_length', '+', BigInt(newLogEntries.length)) }))
    .where('table_uuid', '=', definition.tableUuid)
    .where('version', '=', BigInt(expectedVersion))
  if (table.keepsMetadata === true) {
    const [before, after] = [BigInt(expectedVersion), BigInt(state.version)]
    update = update.set(({ ref, eb }) => ({
      published_version: eb
        .case()
        .when('published_version', '=', before)
        .then(after)
        .else(ref('published_version'))
        .end(),
    }))
  }
  if (where !== undefined) {
    update = update.where('namespace', '=', where.namespace).where('name', '=', where.name)
  }
  const updated = await update.returning('log_length').executeTakeFirst()
  if (updated !== undefined && !isSame) {
    await transaction
      .updateTable('table_definitions')
      .set({ definition: definitions.encode(definition) })
      .where('table_uuid', '=', definition.tableUuid)
      .execute()
    await takeResource(transaction, definition)
  }
  return updated?.log_length
}

interface UsualUpdate extends ReturnType<typeof changingColumns> {
  readonly tableUuid: string
  readonly expectedVersion: bigint
  readonly newEntries: bigint
  readonly namespace: string
  readonly name: string
}

/** Neither name nor definition changes. */
async function updateUsual(
  transaction: SqlTransaction,
  { state, expectedVersion, newLogEntries }: TableCommit,
  { namespace, name }: Pick<NameColumns, 'namespace' | 'name'>,
): Promise<bigint | undefined> {
  const values = {
    ...changingColumns(state),
    tableUuid: state.definition.tableUuid,
    expectedVersion: BigInt(expectedVersion),
    newEntries: BigInt(newLogEntries.length),
    namespace,
    name,
  }
  const { rows } = await transaction.executeQuery(usualUpdate(transaction, values))
  return rows[0]?.log_length
}

const usualUpdate = prepared((connection, param: Param<UsualUpdate>) =>
  connection
    .updateTable('tables')
    .set(rowOf(CHANGING_COLUMNS, param))
    .set((row) => ({ log_length: row('log_length', '+', param('newEntries')) }))
    .where('table_uuid', '=', param('tableUuid'))
    .where('version', '=', param('expectedVersion'))
    .where('namespace', '=', param('namespace'))
    .where('name', '=', param('name'))
    .returning('log_length'),
)
