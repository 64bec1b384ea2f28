import { randomUUID } from 'node:crypto'
import {
  chunks,
  lockUuid,
  read,
  type SqlEngine,
  type SqlTransaction,
  write,
} from '../engine/sql-engine.ts'
import { findTableVersion } from '../find/find-table.ts'
import type { PathRow } from './path-rows.ts'

/** Paths that are made known in one transaction, or rows that are forgotten. */
export const PATHS_AT_ONCE = 2_000
const TABLES_PER_PAGE = 100
const LARGE = { isLarge: true }

/** Thrown where the paths that a creation has made known may be gone: it is to begin again. */
export class LostClaimError extends Error {}

/** The right to make paths known to a table that is not there yet. */
export interface Claim {
  readonly tableUuid: string
  readonly claim: string
}

/**
 * Forgets some paths of a table that this transaction drops, or that is not there. Those of one
 * that leaves its files are kept apart. Returns whether these were all.
 */
export async function forgetSomePaths(
  transaction: SqlTransaction,
  tableUuid: string,
): Promise<boolean> {
  const leaves = await leavesFiles(transaction, tableUuid)
  const some = { tableUuid, limit: PATHS_AT_ONCE / 2 }
  const known = await deleteSome(transaction, 'known_paths', some)
  if (!leaves) {
    const dropped = await deleteSome(transaction, 'dropped_paths', some)
    return Math.max(known.length, dropped.length) < some.limit
  }
  for (const chunk of chunks(known)) {
    await transaction
      .insertInto('dropped_paths')
      .values(chunk.map((row) => ({ ...row, table_uuid: tableUuid })))
      .onConflict((conflict) =>
        conflict
          .columns(['path_hash', 'table_uuid'])
          .doUpdateSet((row) => ({ footer: row.ref('excluded.footer') })),
      )
      .execute()
  }
  return known.length < some.limit
}

function deleteSome(
  transaction: SqlTransaction,
  from: 'known_paths' | 'dropped_paths',
  { tableUuid, limit }: { readonly tableUuid: string; readonly limit: number },
): Promise<readonly PathRow[]> {
  return transaction
    .deleteFrom(from)
    .where('table_uuid', '=', tableUuid)
    .where('path_hash', 'in', (rows) =>
      rows.selectFrom(from).select('path_hash').where('table_uuid', '=', tableUuid).limit(limit),
    )
    .returning(['path_hash', 'footer'])
    .execute()
}

/** Whether the table was dropped without a purge, and has not come back. */
async function leavesFiles(transaction: SqlTransaction, tableUuid: string): Promise<boolean> {
  const row = await transaction
    .selectFrom('last_versions')
    .select('uuid')
    .where('uuid', '=', tableUuid)
    .where('leaves_files', '=', 1n)
    .executeTakeFirst()
  return row !== undefined
}

/** Paths that are kept of the dropped table count no longer. Returns whether they did. */
export async function endLeaving(transaction: SqlTransaction, tableUuid: string): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable('last_versions')
    .set({ leaves_files: 0n })
    .where('uuid', '=', tableUuid)
    .where('leaves_files', '=', 1n)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Notes that paths are left, in the transaction that drops the table. */
export async function noteLeftovers(transaction: SqlTransaction, tableUuid: string): Promise<void> {
  await transaction
    .insertInto('table_leftovers')
    .values({ table_uuid: tableUuid, claim: null })
    .onConflict((conflict) => conflict.column('table_uuid').doUpdateSet({ claim: null }))
    .execute()
}

/**
 * Keeps others from forgetting paths of a table that is to be created; `undefined` if it is there.
 * A table with a note never is: its creation ends the note (`endClaim`). Both hold a lock of the
 * UUID, so that neither misses the other.
 */
export function claimPaths(engine: SqlEngine, tableUuid: string): Promise<Claim | undefined> {
  const claim = randomUUID()
  return write(engine, async (transaction) => {
    await lockUuid(engine, transaction, tableUuid)
    if ((await findTableVersion(transaction, tableUuid)) !== undefined) return undefined
    await transaction
      .insertInto('table_leftovers')
      .values({ table_uuid: tableUuid, claim })
      .onConflict((conflict) => conflict.column('table_uuid').doUpdateSet({ claim }))
      .execute()
    return { tableUuid, claim }
  })
}

/** A slice of the work that a claim allows. Throws a `LostClaimError`. */
export function writeClaimed(
  engine: SqlEngine,
  { tableUuid, claim }: Claim,
  work: (transaction: SqlTransaction) => Promise<void>,
): Promise<void> {
  return write(
    engine,
    async (transaction) => {
      const held = await transaction
        .updateTable('table_leftovers')
        .set({ claim })
        .where('table_uuid', '=', tableUuid)
        .where('claim', '=', claim)
        .returning('table_uuid')
        .executeTakeFirst()
      if (held === undefined) throw new LostClaimError(`others name paths of ${tableUuid}`)
      await work(transaction)
    },
    { isLarge: true },
  )
}

/**
 * For the transaction that creates the table, once it holds the lock of the UUID: from then on
 * nobody forgets its paths. Paths of an earlier life that are still known prove nothing, and go
 * with the table. Throws a `LostClaimError` if those that were made known under the claim may not
 * be.
 */
export async function endClaim(
  transaction: SqlTransaction,
  tableUuid: string,
  claim: string | undefined,
): Promise<void> {
  const note = await transaction
    .deleteFrom('table_leftovers')
    .where('table_uuid', '=', tableUuid)
    .returning('claim')
    .executeTakeFirst()
  if (claim === undefined || note?.claim === claim) return
  throw new LostClaimError(`others name paths of ${tableUuid}`)
}

/**
 * Forgets the noted paths of a table, some at a time, unless somebody is making it under another
 * claim than this. Whatever fails is left to `forgetAllLeftovers`: what it follows has been done,
 * or refused.
 */
export async function forgetLeftovers(
  engine: SqlEngine,
  tableUuid: string,
  claim?: string,
): Promise<void> {
  try {
    while (await write(engine, (t) => forgetSlice(engine, t, { tableUuid, claim }), LARGE));
  } catch {
    // The note is still there.
  }
}

/** Also those of creations that were cut off, and of those under way, which then begin again. */
export async function forgetAllLeftovers(engine: SqlEngine): Promise<number> {
  let tables = 0
  for (let after = ''; ; ) {
    const notes = await read(engine, (connection) =>
      connection
        .selectFrom('table_leftovers')
        .selectAll()
        .where('table_uuid', '>', after)
        .orderBy('table_uuid')
        .limit(TABLES_PER_PAGE)
        .execute(),
    )
    for (const { table_uuid, claim } of notes) {
      await forgetLeftovers(engine, table_uuid, claim ?? undefined)
      after = table_uuid
    }
    tables += notes.length
    if (notes.length < TABLES_PER_PAGE) return tables
  }
}

/**
 * Whether more is left. Holds the note until the transaction ends, and so off the creation. A table
 * that is there keeps its paths whatever is noted: a Moraine of before these notes ends none.
 */
async function forgetSlice(
  engine: SqlEngine,
  transaction: SqlTransaction,
  { tableUuid, claim }: { readonly tableUuid: string; readonly claim: string | undefined },
): Promise<boolean> {
  await lockUuid(engine, transaction, tableUuid)
  const held = await transaction
    .updateTable('table_leftovers')
    .set({ claim: null })
    .where('table_uuid', '=', tableUuid)
    .where((where) => {
      const isFree = where('claim', 'is', null)
      return claim === undefined ? isFree : where.or([isFree, where('claim', '=', claim)])
    })
    .returning('table_uuid')
    .executeTakeFirst()
  if (held === undefined) return false
  const living = await findTableVersion(transaction, tableUuid)
  if (living === undefined && !(await forgetSomePaths(transaction, tableUuid))) return true
  await transaction.deleteFrom('table_leftovers').where('table_uuid', '=', tableUuid).execute()
  return false
}
