import { type Expression, type SqlBool, sql } from 'kysely'
import type { NewDeletion, PurgedQuery, PurgedTable } from '../../deletion-store.ts'
import {
  type Connection,
  lockUuid,
  type SqlEngine,
  type SqlTransaction,
} from '../engine/sql-engine.ts'
import { findTableVersion } from '../find/find-table.ts'

export const VOID_AT_ONCE = 500

/** A deletion by a purge counts only once the purge has dropped its table. */
export function counts(): Expression<SqlBool> {
  return sql<boolean>`(state <> 'doomed' or reason <> 'purge' or exists (
    select 1 from purges
    where purges.table_uuid = file_deletions.table_uuid and purges.mark = file_deletions.mark
  ))`
}

/** `dueAtMs`: the latest of its deletions. */
export type PurgeOfTable = Pick<NewDeletion, 'tableUuid' | 'mark' | 'dueAtMs'>

/** Those that these deletions are of. */
export function purgesOf(deletions: readonly NewDeletion[]): readonly PurgeOfTable[] {
  const purges = new Map<string, PurgeOfTable>()
  for (const { reason, tableUuid, mark, dueAtMs: due } of deletions) {
    if (reason !== 'purge') continue
    const id = `${tableUuid} ${mark}`
    const dueAtMs = Math.max(due, purges.get(id)?.dueAtMs ?? due)
    purges.set(id, { tableUuid, mark, dueAtMs })
  }
  return [...purges.values()]
}

/**
 * Lets the deletions of a purge count, and has the folders of the table looked at when they are
 * due, unless the table is there: then it names its files.
 */
export async function notePurge(
  transaction: SqlTransaction,
  { tableUuid, mark, dueAtMs }: PurgeOfTable,
): Promise<void> {
  if ((await findTableVersion(transaction, tableUuid)) !== undefined) return
  await transaction
    .insertInto('purged_tables')
    .values({ table_uuid: tableUuid, due_at_ms: BigInt(Math.ceil(dueAtMs)) })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  await transaction
    .insertInto('purges')
    .values({ table_uuid: tableUuid, mark })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** What purges have doomed of the table counts no longer. */
export async function endPurge(transaction: SqlTransaction, tableUuid: string): Promise<void> {
  for (const name of ['purges', 'purged_tables'] as const) {
    await transaction.deleteFrom(name).where('table_uuid', '=', tableUuid).execute()
  }
}

/** With all locations of each. */
export async function listPurged(
  connection: Connection,
  { dueAtMs, limit }: PurgedQuery,
): Promise<readonly PurgedTable[]> {
  const tables = await connection
    .selectFrom('purged_tables')
    .selectAll()
    .where('due_at_ms', '<=', BigInt(Math.floor(dueAtMs)))
    .orderBy('due_at_ms')
    .limit(limit)
    .execute()
  if (tables.length === 0) return []
  const uuids = tables.map(({ table_uuid }) => table_uuid)
  const places = await connection
    .selectFrom('table_locations')
    .select(['table_uuid', 'location'])
    .where('table_uuid', 'in', uuids)
    .execute()
  return uuids.map((tableUuid) => {
    const own = places.filter(({ table_uuid }) => table_uuid === tableUuid)
    return { tableUuid, locations: own.map(({ location }) => location) }
  })
}

/** Does nothing if the table is back. */
export async function settlePurged(
  transaction: SqlTransaction,
  tableUuid: string,
  dueAtMs: number | undefined,
): Promise<void> {
  if (dueAtMs === undefined) {
    await transaction.deleteFrom('purged_tables').where('table_uuid', '=', tableUuid).execute()
    return
  }
  await transaction
    .updateTable('purged_tables')
    .set({ due_at_ms: BigInt(Math.ceil(dueAtMs)) })
    .where('table_uuid', '=', tableUuid)
    .execute()
}

/** Returns how many. */
export async function forgetSomeVoid(
  transaction: SqlTransaction,
  beforeMs: number,
): Promise<number> {
  const { numDeletedRows } = await transaction
    .deleteFrom('file_deletions')
    .where('path_key', 'in', (from) =>
      from
        .selectFrom('file_deletions')
        .select('path_key')
        .where('due_at_ms', '<', BigInt(Math.floor(beforeMs)))
        .where((where) => where.not(counts()))
        .limit(VOID_AT_ONCE),
    )
    .where((where) => where.not(counts()))
    .executeTakeFirst()
  return Number(numDeletedRows)
}

/** Whoever adds a deletion of one of these holds the lock of its UUID. */
export async function forgetSomePurges(
  transaction: SqlTransaction,
  engine: SqlEngine,
): Promise<number> {
  const isOver = sql<boolean>`not exists (
    select 1 from file_deletions
    where file_deletions.table_uuid = purges.table_uuid and file_deletions.mark = purges.mark
  )`
  const over = await transaction
    .selectFrom('purges')
    .selectAll()
    .where(isOver)
    .orderBy('table_uuid')
    .limit(VOID_AT_ONCE)
    .execute()
  for (const { table_uuid, mark } of over) {
    await lockUuid(engine, transaction, table_uuid)
    await transaction
      .deleteFrom('purges')
      .where('table_uuid', '=', table_uuid)
      .where('mark', '=', mark)
      .where(isOver)
      .execute()
  }
  return over.length
}
