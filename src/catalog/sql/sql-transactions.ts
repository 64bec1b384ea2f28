import { sql } from 'kysely'
import { CatalogError } from '../../core/errors.ts'
import { locationKey } from '../../core/file/location-key.ts'
import type { StagedChange, Transaction } from '../../core/table/transaction.ts'
import type { MutationOptions } from '../replay-store.ts'
import type {
  AbortOptions,
  OpenTransactionsQuery,
  StageOutcome,
  Staging,
  TransactionStore,
} from '../transaction-store.ts'
import { findStarter, noteStarter } from './access/transaction-starters.ts'
import {
  type Connection,
  chunks,
  forgetInRounds,
  Refusal,
  read,
  type SqlEngine,
  type SqlTransaction,
} from './engine/sql-engine.ts'
import { type Param, prepared, rowOf } from './engine/sql-prepared.ts'
import type { Database, TransactionRow } from './engine/sql-schema.ts'
import { mutate } from './mutation/sql-replays.ts'
import { pathKey } from './rows/sql-keys.ts'
import { TRANSACTION_COLUMNS, transactionOf, transactionRow } from './rows/sql-rows.ts'
import { stagedChangesOf, stagedRows } from './rows/sql-staged-changes.ts'
import { encodeExact } from './rows/tagged-json.ts'
import { addDeletions, takeFromDeletion } from './sql-deletions.ts'

const STAGING_TABLES = ['staged_files', 'staged_removals', 'transaction_tables'] as const
const FORGOTTEN_PER_STEP = 500
const STAGED_FILE_COLUMNS = [
  'transaction_id',
  'table_uuid',
  'path_key',
  'position',
  'staged_file',
] as const

export class SqlTransactions implements TransactionStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async start(transaction: Transaction, options: MutationOptions = {}): Promise<void> {
    await mutate(this.#engine, options, async (sqlTransaction, { principal }) => {
      const row = transactionRow(transaction)
      await sqlTransaction.executeQuery(transactionInsert(sqlTransaction, row))
      await noteStarter(sqlTransaction, transaction.transactionId, principal)
    })
  }

  findStarter(transactionId: string): Promise<string | null | undefined> {
    return read(this.#engine, (connection) => findStarter(connection, transactionId))
  }

  find(transactionId: string): Promise<Transaction | undefined> {
    return read(this.#engine, (connection) => findTransaction(connection, transactionId))
  }

  stage(staging: Staging, options: MutationOptions = {}): Promise<StageOutcome> {
    const { addedFiles = [], removedPaths = [] } = staging
    const isLarge = addedFiles.length + removedPaths.length > this.#engine.rowsOnLoopMax
    return mutate(this.#engine, { ...options, isLarge }, (sqlTransaction) =>
      stage(sqlTransaction, staging),
    )
  }

  async listOpen({ is, atMs, before, limit }: OpenTransactionsQuery) {
    const rows = await read(this.#engine, (connection) => {
      const open = connection
        .selectFrom('transactions')
        .selectAll()
        .where('state', '=', 'open')
        .where('expires_at_ms', is === 'open' ? '>' : '<=', BigInt(Math.ceil(atMs)))
        .orderBy('created_at_ms', 'desc')
        .orderBy('transaction_id', 'desc')
        .limit(limit)
      if (before === undefined) return open.execute()
      const createdAtMs = BigInt(before.createdAtMs)
      const last = [createdAtMs, before.transactionId] as const
      return open
        .where((where) =>
          where(where.refTuple('created_at_ms', 'transaction_id'), '<', where.tuple(...last)),
        )
        .execute()
    })
    return rows.map(transactionOf)
  }

  async listStaged(transactionId: string): Promise<readonly StagedChange[]> {
    const rows = await read(this.#engine, (connection) => stagedRows(connection, transactionId))
    if (rows !== undefined) return stagedChangesOf(rows)
    const detail = `files are staged to transaction ${transactionId} all the time; try again`
    throw new CatalogError('overloaded', detail)
  }

  async abort(
    transactionId: string,
    endedAtMs: number,
    { deletions = [], revision, ...options }: AbortOptions = {},
  ): Promise<'aborted' | 'not-open' | 'not-found' | 'revision-mismatch'> {
    const isLarge = await this.#hasStagedMany(transactionId)
    return mutate(this.#engine, { ...options, isLarge }, async (sqlTransaction) => {
      const outcome = await abortTransaction(sqlTransaction, transactionId, endedAtMs, revision)
      await addDeletions(sqlTransaction, deletions)
      return outcome
    })
  }

  async listExpired({ beforeMs, after, limit }: Parameters<TransactionStore['listExpired']>[0]) {
    const rows = await read(this.#engine, (connection) =>
      connection
        .selectFrom('transactions')
        .select('transaction_id')
        .where('state', '=', 'open')
        .where('expires_at_ms', '<', BigInt(Math.ceil(beforeMs)))
        .where('staged_file_count', '>', 0n)
        .where('transaction_id', '>', after)
        .orderBy('transaction_id')
        .limit(limit)
        .execute(),
    )
    return rows.map((row) => row.transaction_id)
  }

  /** Whether its end deletes so many rows that it is large work. */
  async #hasStagedMany(transactionId: string): Promise<boolean> {
    const { rowsOnLoopMax } = this.#engine
    if (!Number.isFinite(rowsOnLoopMax)) return false
    const row = await read(this.#engine, (connection) =>
      connection
        .selectFrom('transactions')
        .select('staged_file_count')
        .where('transaction_id', '=', transactionId)
        .executeTakeFirst(),
    )
    return Number(row?.staged_file_count ?? 0) > rowsOnLoopMax
  }

  forget(beforeMs: number): Promise<number> {
    return forgetInRounds(this.#engine, FORGOTTEN_PER_STEP, (sqlTransaction) =>
      forgetSomeTransactions(sqlTransaction, beforeMs),
    )
  }
}

const transactionInsert = prepared((connection, param: Param<TransactionRow>) =>
  connection.insertInto('transactions').values(rowOf(TRANSACTION_COLUMNS, param)),
)

export async function findTransaction(
  connection: Connection,
  transactionId: string,
): Promise<Transaction | undefined> {
  const { rows } = await connection.executeQuery(transactionById(connection, { transactionId }))
  const [row] = rows
  return row === undefined ? undefined : transactionOf(row)
}

const transactionById = prepared((connection, param: Param<{ transactionId: string }>) =>
  connection
    .selectFrom('transactions')
    .selectAll()
    .where('transaction_id', '=', param('transactionId')),
)

/** Throws `Refusal`. */
async function stage(sqlTransaction: SqlTransaction, staging: Staging): Promise<StageOutcome> {
  const refuse = (outcome: StageOutcome) => new Refusal(outcome)
  const fileCount = staging.addedFiles?.length ?? 0
  const before = await reserveFiles(sqlTransaction, staging.transactionId, fileCount)
  if (before === undefined) throw refuse({ outcome: 'not-open' })
  if (fileCount > 0 && before + fileCount > staging.addedFilesMax) {
    throw refuse({ outcome: 'too-many-files' })
  }
  await touchTable(sqlTransaction, staging)
  const path = await insertStagedFiles(sqlTransaction, staging, before)
  if (path !== undefined) throw refuse({ outcome: 'duplicate', path })
  const paths = staging.addedFiles?.map(({ dataFile }) => dataFile.path) ?? []
  await takeFromDeletion(sqlTransaction, paths, staging.rewritten)
  await insertStagedRemovals(sqlTransaction, staging)
  return { outcome: 'staged' }
}

/**
 * Counts the files in before they are staged, and the staging itself, and with that locks the
 * transaction's row: who stages, commits or aborts at the same time waits. Returns the count so
 * far, or `undefined` when the transaction is not open.
 */
async function reserveFiles(
  sqlTransaction: SqlTransaction,
  transactionId: string,
  fileCount: number,
): Promise<number | undefined> {
  const { rows } = await sqlTransaction.executeQuery(
    reservation(sqlTransaction, { transactionId, fileCount: BigInt(fileCount) }),
  )
  const [reserved] = rows
  return reserved === undefined ? undefined : Number(reserved.staged_file_count) - fileCount
}

const reservation = prepared(
  (connection, param: Param<{ transactionId: string; fileCount: bigint }>) =>
    connection
      .updateTable('transactions')
      .set((update) => ({
        staged_file_count: update('staged_file_count', '+', param('fileCount')),
        revision: update('revision', '+', 1n),
      }))
      .where('transaction_id', '=', param('transactionId'))
      .where('state', '=', 'open')
      .returning('staged_file_count'),
)

/** The first touch fixes the base; later ones can only add a truncate. */
async function touchTable(
  sqlTransaction: SqlTransaction,
  { transactionId, tableUuid, currentSnapshotId, truncate = false }: Staging,
): Promise<void> {
  const touch = truncate ? truncatingTouch : plainTouch
  const values = { transactionId, tableUuid, currentSnapshotId }
  await sqlTransaction.executeQuery(touch(sqlTransaction, values))
}

interface Touch {
  readonly transactionId: string
  readonly tableUuid: string
  readonly currentSnapshotId: bigint | null
}

const plainTouch = prepared((connection, param: Param<Touch>) =>
  touchInsert(connection, param, 0n).onConflict((conflict) =>
    conflict.columns(['transaction_id', 'table_uuid']).doNothing(),
  ),
)

const truncatingTouch = prepared((connection, param: Param<Touch>) =>
  touchInsert(connection, param, 1n).onConflict((conflict) =>
    conflict.columns(['transaction_id', 'table_uuid']).doUpdateSet({ truncates: 1n }),
  ),
)

function touchInsert(connection: Connection, param: Param<Touch>, truncates: bigint) {
  return connection.insertInto('transaction_tables').values((from) => ({
    transaction_id: param('transactionId'),
    table_uuid: param('tableUuid'),
    position: from
      .selectFrom('transaction_tables as earlier')
      .select((count) => count.fn.countAll<bigint>().as('position'))
      .where('earlier.transaction_id', '=', param('transactionId')),
    base_snapshot_id: param('currentSnapshotId'),
    truncates,
  }))
}

/** Returns the first path that is staged already; then the transaction must be rolled back. */
async function insertStagedFiles(
  sqlTransaction: SqlTransaction,
  { transactionId, tableUuid, addedFiles = [] }: Staging,
  firstPosition: number,
): Promise<string | undefined> {
  const twice = findRepeated(addedFiles.map((file) => file.dataFile.path))
  if (twice !== undefined) return twice
  let position = BigInt(firstPosition)
  for (const chunk of chunks(addedFiles)) {
    const rows = chunk.map((file) => ({
      transaction_id: transactionId,
      table_uuid: tableUuid,
      path_key: pathKey(file.dataFile.path),
      position: position++,
      staged_file: encodeExact(file),
    }))
    const inserted = await insertNewFiles(sqlTransaction, rows)
    if (inserted.length === rows.length) continue
    const fresh = new Set(inserted.map((row) => row.path_key))
    return chunk.find((_, index) => !fresh.has(rows[index]?.path_key ?? ''))?.dataFile.path
  }
  return undefined
}

/** Returns those that were not there. */
async function insertNewFiles(
  sqlTransaction: SqlTransaction,
  rows: readonly Database['staged_files'][],
): Promise<readonly { readonly path_key: string }[]> {
  const [first, ...others] = rows
  if (first !== undefined && others.length === 0) {
    return (await sqlTransaction.executeQuery(oneFileInsert(sqlTransaction, first))).rows
  }
  return stagedFilesInsert(sqlTransaction, rows).execute()
}

const oneFileInsert = prepared((connection, param: Param<Database['staged_files']>) =>
  stagedFilesInsert(connection, [rowOf(STAGED_FILE_COLUMNS, param)]),
)

function stagedFilesInsert(connection: Connection, rows: readonly Database['staged_files'][]) {
  return connection
    .insertInto('staged_files')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .returning('path_key')
}

function findRepeated(paths: readonly string[]): string | undefined {
  const seen = new Set<string>()
  for (const path of paths) {
    const key = locationKey(path)
    if (seen.has(key)) return path
    seen.add(key)
  }
  return undefined
}

/** A removal that is staged already stays as it is. */
async function insertStagedRemovals(
  sqlTransaction: SqlTransaction,
  { transactionId, tableUuid, removedPaths = [] }: Staging,
): Promise<void> {
  for (const chunk of chunks(removedPaths)) {
    const rows = chunk.map((path) => ({
      transaction_id: transactionId,
      table_uuid: tableUuid,
      path_key: pathKey(path),
      path: encodeExact(path),
    }))
    await sqlTransaction
      .insertInto('staged_removals')
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
}

/** Throws `Refusal`. */
async function abortTransaction(
  sqlTransaction: SqlTransaction,
  transactionId: string,
  endedAtMs: number,
  revision: number | undefined,
): Promise<'aborted'> {
  const open = sqlTransaction
    .updateTable('transactions')
    .set({ state: 'aborted', ended_at_ms: BigInt(endedAtMs) })
    .where('transaction_id', '=', transactionId)
    .where('state', '=', 'open')
  const expected = revision === undefined ? open : open.where('revision', '=', BigInt(revision))
  const updated = await expected.executeTakeFirst()
  if (updated.numUpdatedRows === 0n) {
    const known = await findTransaction(sqlTransaction, transactionId)
    if (known?.state === 'open') throw new Refusal('revision-mismatch')
    throw new Refusal(known === undefined ? 'not-found' : 'not-open')
  }
  for (const deletion of stagingDeletes(sqlTransaction, [transactionId])) await deletion.execute()
  return 'aborted'
}

export function stagingDeletes(sqlTransaction: SqlTransaction, transactionIds: readonly string[]) {
  return STAGING_TABLES.map((name) =>
    sqlTransaction.deleteFrom(name).where('transaction_id', 'in', transactionIds),
  )
}

async function forgetSomeTransactions(
  sqlTransaction: SqlTransaction,
  beforeMs: number,
): Promise<number> {
  // An open transaction is over when it expired, another one when it ended.
  const overAtMs = sql<bigint>`coalesce(ended_at_ms, expires_at_ms)`
  const instant = BigInt(Math.ceil(beforeMs))
  const deleted = await sqlTransaction
    .deleteFrom('transactions')
    .where('transaction_id', 'in', (from) =>
      from
        .selectFrom('transactions')
        .select('transaction_id')
        .where(overAtMs, '<', instant)
        .limit(FORGOTTEN_PER_STEP),
    )
    // Again, because it may have been committed since it was selected.
    .where(overAtMs, '<', instant)
    .returning('transaction_id')
    .execute()
  const ids = deleted.map((row) => row.transaction_id)
  if (ids.length > 0) {
    for (const deletion of stagingDeletes(sqlTransaction, ids)) await deletion.execute()
  }
  return ids.length
}
