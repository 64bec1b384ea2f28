import type { CompiledQuery } from 'kysely'
import { locationKey } from '../../core/file/location-key.ts'
import {
  type DeletionStore,
  type DueDeletionsQuery,
  deletionId,
  type FileDeletion,
  FilesDeletedError,
  type GenerationRequest,
  type NewDeletion,
  type PurgedQuery,
  type PurgedTable,
  type UnlinkRequest,
} from '../deletion-store.ts'
import {
  type Connection,
  chunks,
  forgetInRounds,
  lockUuid,
  read,
  type SqlEngine,
  type SqlTransaction,
  write,
} from './engine/sql-engine.ts'
import { type Param, prepared } from './engine/sql-prepared.ts'
import type { DeletionRow } from './engine/sql-schema.ts'
import { beginGeneration } from './paths/sql-generation.ts'
import {
  counts,
  endPurge,
  forgetSomePurges,
  forgetSomeVoid,
  listPurged,
  notePurge,
  purgesOf,
  settlePurged,
  VOID_AT_ONCE,
} from './paths/sql-purges.ts'
import { pathHash, pathKey } from './rows/sql-keys.ts'
import { decodeExact, encodeExact } from './rows/tagged-json.ts'

/** Building the statement takes milliseconds, in which nobody else works. */
const ADDED_AT_ONCE = 200
/** A refusal names as many files. */
const REFUSED_MAX = 1_000

export class SqlDeletions implements DeletionStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async add(deletions: readonly NewDeletion[]): Promise<void> {
    const isLarge = deletions.length > this.#engine.rowsOnLoopMax
    const add = async (transaction: SqlTransaction) => {
      await addDeletions(transaction, deletions)
      for (const purge of purgesOf(deletions)) {
        await lockUuid(this.#engine, transaction, purge.tableUuid)
        await notePurge(transaction, purge)
      }
    }
    await write(this.#engine, add, { isLarge })
  }

  async listDue({ nowMs, tableUuid, limit }: DueDeletionsQuery): Promise<readonly FileDeletion[]> {
    const rows = await read(this.#engine, (connection) => {
      const due = connection
        .selectFrom('file_deletions')
        .selectAll()
        .where('due_at_ms', '<=', BigInt(Math.floor(nowMs)))
        .where(counts)
        .orderBy('due_at_ms')
        .limit(limit)
      const ofTable = tableUuid === undefined ? due : due.where('table_uuid', '=', tableUuid)
      return ofTable.execute()
    })
    return rows.map(deletionOf)
  }

  async count(tableUuid: string): Promise<number> {
    const row = await read(this.#engine, (connection) =>
      connection
        .selectFrom('file_deletions')
        .select((count) => count.fn.countAll<bigint>().as('count'))
        .where('table_uuid', '=', tableUuid)
        .where('state', '!=', 'unlinked')
        .where(counts)
        .executeTakeFirstOrThrow(),
    )
    return Number(row.count)
  }

  beginUnlinking(request: UnlinkRequest): Promise<readonly FileDeletion[]> {
    return write(this.#engine, (transaction) => beginUnlinking(transaction, request, this.#engine))
  }

  async update(
    deletions: readonly FileDeletion[],
    { state, dueAtMs }: Pick<FileDeletion, 'state' | 'dueAtMs'>,
  ): Promise<void> {
    for (const same of groups(deletions)) {
      await write(this.#engine, (transaction) =>
        transaction
          .updateTable('file_deletions')
          .set({ state, due_at_ms: BigInt(Math.ceil(dueAtMs)) })
          .where('path_key', 'in', same.keys)
          .where('mark', '=', same.mark)
          .where('state', '=', same.state)
          .execute(),
      )
    }
  }

  async forgetVoid(beforeMs: number): Promise<number> {
    const forgotten = await forgetInRounds(this.#engine, VOID_AT_ONCE, (transaction) =>
      forgetSomeVoid(transaction, beforeMs),
    )
    await forgetInRounds(this.#engine, VOID_AT_ONCE, (transaction) =>
      forgetSomePurges(transaction, this.#engine),
    )
    return forgotten
  }

  listPurged(query: PurgedQuery): Promise<readonly PurgedTable[]> {
    return read(this.#engine, (connection) => listPurged(connection, query))
  }

  async settlePurged(tableUuid: string, dueAtMs: number | undefined): Promise<void> {
    await write(this.#engine, (transaction) => settlePurged(transaction, tableUuid, dueAtMs))
  }

  beginGeneration(request: GenerationRequest): Promise<boolean> {
    const isLarge = request.waitUntilMs !== undefined
    const begin = (transaction: SqlTransaction) => beginGeneration(transaction, request)
    return write(this.#engine, begin, { isLarge })
  }

  async forget(deletions: readonly FileDeletion[]): Promise<void> {
    for (const same of groups(deletions)) {
      await write(this.#engine, (transaction) =>
        transaction
          .deleteFrom('file_deletions')
          .where('path_key', 'in', same.keys)
          .where('mark', '=', same.mark)
          .where('state', '=', same.state)
          .execute(),
      )
    }
  }
}

/**
 * Those of purges count from when the purge is noted (`notePurge`). A file that has a row keeps the
 * earlier instant, as it was unnamed all the time since the first; or it gets the new one.
 */
export async function addDeletions(
  transaction: SqlTransaction,
  deletions: readonly NewDeletion[],
  instant: 'earlier' | 'new' = 'earlier',
): Promise<void> {
  for (const chunk of chunks(deletions, ADDED_AT_ONCE)) {
    // A statement must not change a row twice.
    const byKey = new Map(chunk.map((deletion) => [locationKey(deletion.path), deletion]))
    await transaction
      .insertInto('file_deletions')
      .values([...byKey.values()].map(rowOf))
      .onConflict((conflict) =>
        conflict
          .column('path_key')
          .doUpdateSet((row) => ({
            mark: row.ref('excluded.mark'),
            table_uuid: row.ref('excluded.table_uuid'),
            reason: row.ref('excluded.reason'),
            due_at_ms:
              instant === 'new'
                ? row.ref('excluded.due_at_ms')
                : row
                    .case()
                    .when('excluded.due_at_ms', '<', row.ref('file_deletions.due_at_ms'))
                    .then(row.ref('excluded.due_at_ms'))
                    .else(row.ref('file_deletions.due_at_ms'))
                    .end(),
          }))
          .where('file_deletions.state', '=', 'doomed'),
      )
      .execute()
  }
}

/**
 * Takes away the rows of files that are named from now on. Throws `FilesDeletedError` if one is
 * being deleted, or is deleted and not among `rewritten`. To be called after the statements that
 * name them (`SqlEngine.holdPaths`).
 */
export async function takeFromDeletion(
  transaction: SqlTransaction,
  paths: readonly string[],
  rewritten: ReadonlySet<string> = new Set(),
): Promise<void> {
  for (const chunk of chunks(paths)) {
    const { rows } = await transaction.executeQuery(deletionsTaken(transaction, chunk).compile())
    refuseDeleted(rows, rewritten)
  }
}

/** Returns the rows that it deletes, for `refuseDeleted`. */
export function deletionsTaken(
  transaction: SqlTransaction,
  paths: readonly string[],
): { compile(): CompiledQuery<DeletionRow> } {
  const keys = paths.map(pathKey)
  const [first = ''] = keys
  if (keys.length > FEW_KEYS.length) return deletionOfKeys(transaction, keys)
  const few = Object.fromEntries(FEW_KEYS.map((name, i) => [name, keys[i] ?? first]))
  return { compile: () => fewDeletions(transaction, few as FewKeys) }
}

/** What most commits have: a data file, a manifest and the manifest list. */
const FEW_KEYS = ['key1', 'key2', 'key3', 'key4'] as const
type FewKeys = Record<(typeof FEW_KEYS)[number], string>

const fewDeletions = prepared((connection, param: Param<FewKeys>) =>
  deletionOfKeys(connection, FEW_KEYS.map(param)),
)

function deletionOfKeys(connection: Connection, keys: readonly string[]) {
  return connection.deleteFrom('file_deletions').where('path_key', 'in', keys).returningAll()
}

/** Throws `FilesDeletedError` for rows of `deletionsTaken` that must not be taken away. */
export function refuseDeleted(
  rows: readonly DeletionRow[],
  rewritten: ReadonlySet<string> = new Set(),
): void {
  const refused = rows.map(deletionOf).filter((deletion) => {
    if (deletion.state === 'doomed') return false
    return deletion.state === 'unlinking' || !rewritten.has(deletionId(deletion))
  })
  if (refused.length > 0) throw new FilesDeletedError(refused)
}

/**
 * Takes back what a purge has doomed of a table that is registered again; to be called as
 * `takeFromDeletion` is. Throws `FilesDeletedError` if files of it are being deleted.
 */
export async function takeTableFromDeletion(
  transaction: SqlTransaction,
  tableUuid: string,
): Promise<void> {
  await endPurge(transaction, tableUuid)
  const rows = await transaction
    .selectFrom('file_deletions')
    .selectAll()
    .where('table_uuid', '=', tableUuid)
    .where('state', '=', 'unlinking')
    .limit(REFUSED_MAX)
    .execute()
  refuseDeleted(rows)
}

async function beginUnlinking(
  transaction: SqlTransaction,
  { deletions, examinedTableUuids, nowMs, dueAtMs }: UnlinkRequest,
  engine: SqlEngine,
): Promise<readonly FileDeletion[]> {
  await engine.holdPaths(transaction)
  const begun: FileDeletion[] = []
  for (const { keys, mark, state, members } of groups(deletions)) {
    const used = await findUsed(transaction, members, { examinedTableUuids, nowMs })
    const free = keys.filter((key) => !used.has(key))
    if (free.length === 0) continue
    const rows = await transaction
      .updateTable('file_deletions')
      .set({ state: 'unlinking', due_at_ms: BigInt(Math.ceil(dueAtMs)) })
      .where('path_key', 'in', free)
      .where('mark', '=', mark)
      .where('state', '=', state)
      .where(counts)
      .returningAll()
      .execute()
    begun.push(...rows.map(deletionOf))
  }
  return begun
}

/** Keys of those that are staged, or that a table knows which nobody has examined. */
async function findUsed(
  transaction: SqlTransaction,
  deletions: readonly FileDeletion[],
  {
    examinedTableUuids,
    nowMs,
  }: { readonly examinedTableUuids: ReadonlySet<string>; readonly nowMs: number },
): Promise<ReadonlySet<string>> {
  const keys = deletions.map(({ path }) => pathKey(path))
  const hashes = deletions.map(({ path }) => pathHash(path))
  const staged = await transaction
    .selectFrom('staged_files as f')
    .innerJoin('transactions as t', 't.transaction_id', 'f.transaction_id')
    .select('f.path_key')
    .where('f.path_key', 'in', keys)
    .where('t.expires_at_ms', '>', BigInt(Math.floor(nowMs)))
    .execute()
  const known = await transaction
    .selectFrom('known_paths')
    .select(['path_hash', 'table_uuid'])
    .where('path_hash', 'in', hashes)
    .execute()
  const unkeyed = await transaction.selectFrom('unkeyed_paths').select('table_uuid').execute()
  const isNew = ({ table_uuid }: { table_uuid: string }) => !examinedTableUuids.has(table_uuid)
  if (unkeyed.some(isNew)) return new Set(keys)
  const knownHashes = new Set(known.filter(isNew).map(({ path_hash }) => path_hash))
  return new Set([
    ...staged.map((row) => row.path_key),
    ...keys.filter((_, i) => knownHashes.has(hashes[i] as bigint)),
  ])
}

interface Group extends Pick<FileDeletion, 'mark' | 'state'> {
  readonly keys: readonly string[]
  readonly members: readonly FileDeletion[]
}

/** Rows of one mark and state, at most as many as fit into one statement. */
function* groups(deletions: readonly FileDeletion[]): Generator<Group> {
  const byMark = new Map<string, FileDeletion[]>()
  for (const deletion of deletions) {
    const id = `${deletion.state} ${deletion.mark}`
    const same = byMark.get(id)
    if (same === undefined) byMark.set(id, [deletion])
    else same.push(deletion)
  }
  for (const same of byMark.values()) {
    for (const members of chunks(same)) {
      const { mark, state } = members[0] as FileDeletion
      yield { mark, state, members, keys: members.map(({ path }) => pathKey(path)) }
    }
  }
}

function rowOf({ path, tableUuid, mark, reason, dueAtMs }: NewDeletion): DeletionRow {
  return {
    path_key: pathKey(path),
    path: encodeExact(path),
    table_uuid: tableUuid,
    mark,
    reason,
    state: 'doomed',
    due_at_ms: BigInt(Math.ceil(dueAtMs)),
  }
}

function deletionOf(row: DeletionRow): FileDeletion {
  return {
    path: decodeExact<string>(row.path),
    tableUuid: row.table_uuid,
    mark: row.mark,
    reason: row.reason,
    state: row.state,
    dueAtMs: Number(row.due_at_ms),
  }
}
