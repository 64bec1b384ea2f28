import type { CatalogCommit, TableCommit } from '../table-store.ts'
import { chunks, type SqlEngine, type SqlTransaction, write } from './engine/sql-engine.ts'
import { pathHash, pathKey } from './rows/sql-keys.ts'
import { takeFromDeletion } from './sql-deletions.ts'
import { addHashes, holdTable } from './sql-paths.ts'
import { tableUuidOf } from './sql-snapshots.ts'

/** A commit of more paths makes them known before its own transaction. */
const PATHS_TOGETHER_MAX = 5_000
/**
 * In one transaction before it. With 5,000 the whole takes three quarters of the processor time,
 * and others wait twice as long.
 */
const PATHS_AT_ONCE = 2_000
/** All keys of as many doomed files are read, instead of looking for each path among them. */
const DOOMED_READ_MAX = 50_000
/** As `pathHash` takes them of a key. */
const HASH_BYTES = 8

/** By the commits whose paths are known already: the hashes of all that they name, in order. */
export type AheadPaths = ReadonlyMap<TableCommit, BigInt64Array>

export const NONE_AHEAD: AheadPaths = new Map()

/**
 * Makes the paths of large commits known, some at a time, so that other tables' commits wait for
 * none of them long. A hash proves nothing but that a table may name a path: those left by a
 * commit that is refused do no harm, and go with the table. They are there when the commit's
 * transaction finds the version that it expects, since only a drop removes hashes, and versions
 * never come again.
 */
export async function nameAhead(engine: SqlEngine, commit: CatalogCommit): Promise<AheadPaths> {
  const ahead = new Map<TableCommit, BigInt64Array>()
  for (const table of commit.tables) {
    if (table.addedPaths.length <= PATHS_TOGETHER_MAX) continue
    const hashes = await nameTable(engine, table)
    if (hashes === undefined) return NONE_AHEAD
    ahead.set(table, hashes)
  }
  return ahead
}

/** `undefined` if the commit will be refused: the table is gone, or has another version. */
async function nameTable(
  engine: SqlEngine,
  table: TableCommit,
): Promise<BigInt64Array | undefined> {
  const { addedPaths, pathsNamedAgain = [], expectedVersion } = table
  const tableUuid = tableUuidOf(table)
  const hashes = new BigInt64Array(addedPaths.length + pathsNamedAgain.length)
  let end = 0
  for (const paths of chunks(addedPaths, PATHS_AT_ONCE)) {
    const start = end
    for (const path of paths) hashes[end++] = pathHash(path)
    const slice = hashes.subarray(start, end)
    const isNamed = await write(
      engine,
      async (transaction) => {
        const version = await holdTable(transaction, tableUuid)
        if (version !== BigInt(expectedVersion)) return false
        await addHashes(transaction, { tableUuid, hashes: slice })
        return true
      },
      { isLarge: true },
    )
    if (!isNamed) return undefined
  }
  for (const path of pathsNamedAgain) hashes[end++] = pathHash(path)
  return hashes
}

/**
 * Does the same as `takeFromDeletion` for all that the commit names. Where little is doomed, the
 * doomed are compared with the hashes, not each path looked for among them.
 */
export async function takeAllFromDeletion(
  transaction: SqlTransaction,
  { tables, rewritten }: CatalogCommit,
  ahead: AheadPaths,
): Promise<void> {
  const doomed = await transaction
    .selectFrom('file_deletions')
    .select('path_key')
    .limit(DOOMED_READ_MAX + 1)
    .execute()
  if (doomed.length === 0) return
  const isFew = doomed.length <= DOOMED_READ_MAX
  const keys = new Set(isFew ? doomed.map((row) => row.path_key) : [])
  const prefixes = new Set([...keys].map(hashOfKey))
  for (const table of tables) {
    const { addedPaths, pathsNamedAgain = [] } = table
    const paths = [...addedPaths, ...pathsNamedAgain]
    const hashes = isFew ? ahead.get(table) : undefined
    const taken =
      hashes === undefined
        ? paths
        : paths.filter((path, i) => prefixes.has(hashes[i] as bigint) && keys.has(pathKey(path)))
    await takeFromDeletion(transaction, taken, rewritten)
  }
}

function hashOfKey(key: string): bigint {
  return Buffer.from(key, 'base64url').subarray(0, HASH_BYTES).readBigInt64BE()
}
