import type { PathStore } from '../path-store.ts'
import {
  type Connection,
  chunks,
  read,
  type SqlEngine,
  type SqlTransaction,
} from './engine/sql-engine.ts'
import { pathHash } from './rows/sql-keys.ts'

export class SqlPaths implements PathStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  findKnown(tableUuid: string, paths: readonly string[]): Promise<ReadonlySet<string>> {
    return read(this.#engine, (connection) => findPaths(connection, { tableUuid, paths }, 'own'))
  }

  findOfOtherTables(tableUuid: string, paths: readonly string[]): Promise<ReadonlySet<string>> {
    return read(this.#engine, (connection) => findPaths(connection, { tableUuid, paths }, 'other'))
  }
}

export interface PathsOfTable {
  readonly tableUuid: string
  readonly paths: readonly string[]
}

/**
 * The statements that add the paths, each made when it is asked for; a path that is known already
 * stays as it is.
 */
export function* pathInserts(transaction: SqlTransaction, tables: readonly PathsOfTable[]) {
  for (const { tableUuid, paths } of tables) {
    for (const chunk of chunks(paths)) {
      yield transaction
        .insertInto('known_paths')
        .values(chunk.map((path) => ({ table_uuid: tableUuid, path_hash: pathHash(path) })))
        .onConflict((conflict) => conflict.doNothing())
    }
  }
}

export async function addPaths(
  transaction: SqlTransaction,
  tables: readonly PathsOfTable[],
): Promise<void> {
  for (const insert of pathInserts(transaction, tables)) await insert.execute()
}

export async function copyPaths(
  transaction: SqlTransaction,
  { fromTableUuid, toTableUuid }: { fromTableUuid: string; toTableUuid: string },
): Promise<void> {
  await transaction
    .insertInto('known_paths')
    .columns(['table_uuid', 'path_hash'])
    .expression((from) =>
      from
        .selectFrom('known_paths')
        .select((column) => [column.cast<string>(column.val(toTableUuid), 'text').as('to_table')])
        .select('path_hash')
        .where('table_uuid', '=', fromTableUuid),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** `own`: among the table's own paths; `other`: among those of all other tables. */
async function findPaths(
  connection: Connection,
  { tableUuid, paths }: PathsOfTable,
  whose: 'own' | 'other',
): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  for (const chunk of chunks([...new Set(paths)])) {
    const hashes = chunk.map(pathHash)
    const rows = await connection
      .selectFrom('known_paths')
      .select('path_hash')
      .distinct()
      .where('path_hash', 'in', hashes)
      .where('table_uuid', whose === 'own' ? '=' : '!=', tableUuid)
      .execute()
    const known = new Set(rows.map((row) => row.path_hash))
    chunk.forEach((path, index) => {
      if (known.has(hashes[index] as bigint)) found.add(path)
    })
  }
  return found
}
