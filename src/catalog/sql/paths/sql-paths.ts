import { type SqlBool, sql } from 'kysely'
import type { PathNamers, PathStore, StagedPath } from '../../path-store.ts'
import {
  type Connection,
  chunks,
  read,
  type SqlEngine,
  type SqlTransaction,
  write,
} from '../engine/sql-engine.ts'
import { footerStart, pathHash, pathKey } from '../rows/sql-keys.ts'
import { addPaths, type PathRow } from './path-rows.ts'
import { forgetAllLeftovers } from './table-leftovers.ts'

export class SqlPaths implements PathStore {
  readonly #engine: SqlEngine
  /** Once none is unkeyed, none ever will be: only what is cloned from one is, too. */
  #areAllKeyed = false

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async findKnown(tableUuid: string, paths: readonly string[]): Promise<ReadonlySet<string>> {
    if ((await this.#findUnkeyed()).includes(tableUuid)) return new Set(paths)
    return this.findRecorded(tableUuid, paths)
  }

  async findRecorded(tableUuid: string, paths: readonly string[]): Promise<ReadonlySet<string>> {
    const found = await this.#findHashes(paths, (hashes) =>
      this.#engine.connection
        .selectFrom('known_paths')
        .select(['path_hash', 'table_uuid'])
        .where('path_hash', 'in', hashes)
        .where('table_uuid', '=', tableUuid),
    )
    return new Set(found.keys())
  }

  async findNamers(paths: readonly string[]): Promise<PathNamers> {
    const unkeyed = await this.#findUnkeyed()
    const recorded = await this.#findHashes(paths, (hashes) =>
      this.#engine.connection
        .selectFrom('known_paths')
        .select(['path_hash', 'table_uuid'])
        .where('path_hash', 'in', hashes),
    )
    return { recorded, unkeyed }
  }

  async findTables(paths: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const { recorded, unkeyed } = await this.findNamers(paths)
    if (unkeyed.length === 0) return recorded
    return new Map(
      paths.map((path) => [path, [...new Set([...unkeyed, ...(recorded.get(path) ?? [])])]]),
    )
  }

  async findDropped(paths: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const found = new Map<string, readonly string[]>()
    // First what large tables have yet to keep apart: a path that goes from there is found here.
    for (const place of ['known_paths', 'dropped_paths'] as const) {
      const tables = await this.#findHashes(paths, (hashes) =>
        this.#engine.connection
          .selectFrom(place)
          .select(['path_hash', 'table_uuid'])
          .where('path_hash', 'in', hashes)
          .where(LEAVES_FILES),
      )
      for (const [path, uuids] of tables) {
        found.set(path, [...new Set([...(found.get(path) ?? []), ...uuids])])
      }
    }
    return found
  }

  async findFooters(
    tableUuid: string,
    paths: readonly string[],
  ): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>()
    for (const chunk of chunks([...new Set(paths)])) {
      const hashes = chunk.map(pathHash)
      const rows = await read(this.#engine, (connection) =>
        connection
          .selectFrom('known_paths')
          .select(['path_hash', 'footer'])
          .where('path_hash', 'in', hashes)
          .where('table_uuid', '=', tableUuid)
          .where('footer', 'is not', null)
          .execute(),
      )
      const footers = new Map(rows.map((row) => [row.path_hash, row.footer]))
      chunk.forEach((path, i) => {
        const footer = footers.get(hashes[i] as bigint)
        if (typeof footer === 'string') found.set(path, footerStart(footer))
      })
    }
    return found
  }

  async findStaged({
    paths,
    nowMs,
  }: {
    readonly paths: readonly string[]
    readonly nowMs: number
  }): Promise<readonly StagedPath[]> {
    const staged: StagedPath[] = []
    for (const chunk of chunks(paths)) {
      const byKey = new Map(chunk.map((path) => [pathKey(path), path]))
      const rows = await read(this.#engine, (connection) =>
        connection
          .selectFrom('staged_files as f')
          .innerJoin('transactions as t', 't.transaction_id', 'f.transaction_id')
          .select(['f.path_key', 'f.table_uuid', 'f.transaction_id'])
          .where('f.path_key', 'in', [...byKey.keys()])
          .where('t.expires_at_ms', '>', BigInt(Math.floor(nowMs)))
          .execute(),
      )
      for (const row of rows) {
        staged.push({
          path: byKey.get(row.path_key) ?? '',
          tableUuid: row.table_uuid,
          transactionId: row.transaction_id,
        })
      }
    }
    return staged
  }

  async listUnkeyed(limit: number): Promise<readonly string[]> {
    return (await this.#findUnkeyed()).slice(0, limit)
  }

  async addKeys(tableUuid: string, paths: readonly string[]): Promise<void> {
    for (const chunk of chunks(paths)) {
      await write(this.#engine, async (transaction) => {
        if ((await holdTable(transaction, tableUuid)) === undefined) return
        await addPaths(transaction, { tableUuid, paths: chunk })
      })
    }
  }

  endKeying(tableUuid: string, version: number): Promise<'ended' | 'changed'> {
    return write(this.#engine, async (transaction) => {
      // Whoever clones the table holds its row, too: the clone is unkeyed, or has all keys.
      const found = await holdTable(transaction, tableUuid)
      if (found !== undefined && found !== BigInt(version)) return 'changed'
      await transaction.deleteFrom('unkeyed_paths').where('table_uuid', '=', tableUuid).execute()
      return 'ended'
    })
  }

  forgetLeftovers(): Promise<number> {
    return forgetAllLeftovers(this.#engine)
  }

  async #findUnkeyed(): Promise<readonly string[]> {
    if (this.#areAllKeyed) return []
    const rows = await read(this.#engine, (connection) =>
      connection.selectFrom('unkeyed_paths').select('table_uuid').orderBy('table_uuid').execute(),
    )
    this.#areAllKeyed = rows.length === 0
    return rows.map((row) => row.table_uuid)
  }

  /** Tables by path, of the paths that have any. */
  async #findHashes(
    paths: readonly string[],
    query: (hashes: readonly bigint[]) => KnownPaths,
  ): Promise<ReadonlyMap<string, readonly string[]>> {
    const found = new Map<string, string[]>()
    for (const chunk of chunks([...new Set(paths)])) {
      const hashes = chunk.map(pathHash)
      const rows = await read(this.#engine, () => query(hashes).execute())
      const tables = new Map<bigint, string[]>()
      for (const row of rows) {
        const known = tables.get(row.path_hash)
        if (known === undefined) tables.set(row.path_hash, [row.table_uuid])
        else known.push(row.table_uuid)
      }
      chunk.forEach((path, index) => {
        const known = tables.get(hashes[index] as bigint)
        if (known !== undefined) found.set(path, known)
      })
    }
    return found
  }
}

/** Until the transaction ends nobody changes, drops or clones it. Returns its version. */
export async function holdTable(
  transaction: SqlTransaction,
  tableUuid: string,
): Promise<bigint | undefined> {
  const held = await transaction
    .updateTable('tables')
    .set((column) => ({ version: column.ref('version') }))
    .where('table_uuid', '=', tableUuid)
    .returning('version')
    .executeTakeFirst()
  return held?.version
}

/**
 * A slice of the large work of a transaction to come that expects the table, which is held. Returns
 * whether the table is there, in the version if one is expected; else it does nothing.
 */
export function writeHeld(
  engine: SqlEngine,
  { tableUuid, expectedVersion }: { readonly tableUuid: string; readonly expectedVersion?: number },
  work: (transaction: SqlTransaction) => Promise<void>,
): Promise<boolean> {
  return write(
    engine,
    async (transaction) => {
      const version = await holdTable(transaction, tableUuid)
      if (version === undefined) return false
      if (expectedVersion !== undefined && version !== BigInt(expectedVersion)) return false
      await work(transaction)
      return true
    },
    { isLarge: true },
  )
}

const LEAVES_FILES = sql<SqlBool>`exists (
  select 1 from last_versions where uuid = table_uuid and leaves_files = 1
)`

interface KnownPaths {
  execute(): Promise<readonly { readonly path_hash: bigint; readonly table_uuid: string }[]>
}

export async function copyPaths(
  transaction: SqlTransaction,
  { fromTableUuid, toTableUuid }: { fromTableUuid: string; toTableUuid: string },
): Promise<void> {
  // First: a table that is keyed in between has all its keys by then.
  if (await isUnkeyed(transaction, fromTableUuid)) await letNameAnyPath(transaction, toTableUuid)
  await transaction
    .insertInto('known_paths')
    .columns(['table_uuid', 'path_hash', 'footer'])
    .expression((from) =>
      from
        .selectFrom('known_paths')
        .select((column) => [column.cast<string>(column.val(toTableUuid), 'text').as('to_table')])
        .select(['path_hash', 'footer'])
        .where('table_uuid', '=', fromTableUuid),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export async function letNameAnyPath(
  transaction: SqlTransaction,
  tableUuid: string,
): Promise<void> {
  await transaction
    .insertInto('unkeyed_paths')
    .values({ table_uuid: tableUuid })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** Whether the table may name any path. */
export async function isUnkeyed(connection: Connection, tableUuid: string): Promise<boolean> {
  const row = await connection
    .selectFrom('unkeyed_paths')
    .select('table_uuid')
    .where('table_uuid', '=', tableUuid)
    .executeTakeFirst()
  return row !== undefined
}

/** Whether the table knows more paths than this. */
export async function knowsMore(
  engine: SqlEngine,
  tableUuid: string,
  count: number,
): Promise<boolean> {
  const beyond = await read(engine, (connection) =>
    connection
      .selectFrom('known_paths')
      .select('path_hash')
      .where('table_uuid', '=', tableUuid)
      .limit(1)
      .offset(count)
      .executeTakeFirst(),
  )
  return beyond !== undefined
}

export interface OrderedRow extends PathRow {
  /** Its place in `SqlEngine.pathOrder`. */
  readonly place: bigint
}

/** The next of what a table knows; what becomes known in between may be missed. */
export function nextRows(
  engine: SqlEngine,
  { tableUuid, limit }: { readonly tableUuid: string; readonly limit: number },
  last: OrderedRow | undefined,
): Promise<readonly OrderedRow[]> {
  const place = sql.ref<bigint>(engine.pathOrder)
  return read(engine, (connection) => {
    const page = connection
      .selectFrom('known_paths')
      .select(['path_hash', 'footer', place.as('place')])
      .where('table_uuid', '=', tableUuid)
      .orderBy(place)
      .limit(limit)
    return last === undefined ? page.execute() : page.where(place, '>', last.place).execute()
  })
}
