import { sql } from 'kysely'
import type { Footers } from '../../table-store.ts'
import { chunks, type SqlTransaction } from '../engine/sql-engine.ts'
import { footerKey, pathHash } from '../rows/sql-keys.ts'

export interface PathsOfTable {
  readonly tableUuid: string
  readonly paths: readonly string[]
  readonly footers?: Footers | undefined
}

/** What is kept of a path. */
export interface PathRow {
  readonly path_hash: bigint
  /** As `footerKey` makes it. */
  readonly footer: string | null
}

/**
 * What becomes of the footer of a path that is known already: a commit that adds it again adds the
 * file that is there now.
 */
type KnownFooter = 'stays' | 'is-replaced'

/** The statements of a commit that add its paths, each made when it is asked for. */
export function* pathInserts(transaction: SqlTransaction, tables: readonly PathsOfCommit[]) {
  for (const { tableUuid, paths, footers, rows = [] } of tables) {
    for (const chunk of chunks(paths)) {
      yield rowInsert(transaction, tableUuid, pathRows(chunk, footers), 'is-replaced')
    }
    for (const chunk of chunks(rows)) yield rowInsert(transaction, tableUuid, chunk, 'is-replaced')
  }
}

interface PathsOfCommit extends PathsOfTable {
  /** As `pathRows` makes them. */
  readonly rows?: readonly PathRow[]
}

export function pathRows(paths: readonly string[], footers?: Footers): readonly PathRow[] {
  return paths.map((path) => {
    const footer = footers?.get(path)
    return { path_hash: pathHash(path), footer: footer === undefined ? null : footerKey(footer) }
  })
}

export async function addRows(
  transaction: SqlTransaction,
  { tableUuid, rows }: { readonly tableUuid: string; readonly rows: readonly PathRow[] },
  known: KnownFooter,
): Promise<void> {
  for (const chunk of chunks(rows)) await rowInsert(transaction, tableUuid, chunk, known).execute()
}

/** Those of the rows, all of them known to the table, whose footers are not the known ones. */
export async function changedFooters(
  transaction: SqlTransaction,
  { tableUuid, rows }: { readonly tableUuid: string; readonly rows: readonly PathRow[] },
): Promise<readonly PathRow[]> {
  const changed: PathRow[] = []
  for (const chunk of chunks(rows)) {
    const hashes = chunk.map((row) => row.path_hash)
    const known = await footersIn(transaction, 'known_paths', { tableUuid, hashes })
    changed.push(...chunk.filter((row) => row.footer !== (known.get(row.path_hash) ?? null)))
  }
  return changed
}

function rowInsert(
  transaction: SqlTransaction,
  tableUuid: string,
  rows: readonly PathRow[],
  known: KnownFooter,
) {
  // PostgreSQL changes no row twice in one statement.
  const byHash = new Map(rows.map((row) => [row.path_hash, row]))
  return transaction
    .insertInto('known_paths')
    .values(Array.from(byHash.values(), (row) => ({ table_uuid: tableUuid, ...row })))
    .onConflict((conflict) =>
      known === 'stays'
        ? conflict.doNothing()
        : conflict
            .columns(['path_hash', 'table_uuid'])
            .doUpdateSet((row) => ({ footer: row.ref('excluded.footer') })),
    )
}

/** Those of a table that is made. One that comes back has the footers of before it was dropped. */
export async function addReturning(
  transaction: SqlTransaction,
  { tableUuid, rows }: { readonly tableUuid: string; readonly rows: readonly PathRow[] },
): Promise<void> {
  for (const chunk of chunks(rows)) {
    const hashes = chunk.map((row) => row.path_hash)
    const dropped = await footersIn(transaction, 'dropped_paths', { tableUuid, hashes })
    const returning = chunk.map(({ path_hash, footer }) => ({
      path_hash,
      footer: footer ?? dropped.get(path_hash) ?? null,
    }))
    await rowInsert(transaction, tableUuid, returning, 'stays').execute()
  }
}

async function footersIn(
  transaction: SqlTransaction,
  place: 'known_paths' | 'dropped_paths',
  { tableUuid, hashes }: { readonly tableUuid: string; readonly hashes: readonly bigint[] },
): Promise<ReadonlyMap<bigint, string | null>> {
  const found = await transaction
    .selectFrom(place)
    .select(['path_hash', 'footer'])
    .where('path_hash', 'in', hashes)
    .where('table_uuid', '=', tableUuid)
    .execute()
  return new Map(found.map((row) => [row.path_hash, row.footer]))
}

/**
 * Adds nothing, but is waited for as those who add paths are before files are marked as being
 * deleted (`SqlEngine.holdPaths`): for a commit that names what is known already.
 */
export function noPathInsert(transaction: SqlTransaction) {
  return transaction
    .insertInto('known_paths')
    .columns(['table_uuid', 'path_hash'])
    .expression((from) =>
      from.selectFrom('known_paths').select(['table_uuid', 'path_hash']).where(sql<boolean>`1 = 0`),
    )
}

/** A path that is known already stays as it is. */
export function addPaths(
  transaction: SqlTransaction,
  { tableUuid, paths, footers }: PathsOfTable,
): Promise<void> {
  return addRows(transaction, { tableUuid, rows: pathRows(paths, footers) }, 'stays')
}
