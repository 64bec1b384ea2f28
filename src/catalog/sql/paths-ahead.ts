import { nameKey } from '../../core/table/name-key.ts'
import type { CatalogCommit, ExpectedTable, NewTable, TableCommit } from '../table-store.ts'
import { chunks, read, type SqlEngine, type SqlTransaction } from './engine/sql-engine.ts'
import {
  addReturning,
  addRows,
  changedFooters,
  type PathRow,
  type PathsOfTable,
  pathRows,
} from './paths/path-rows.ts'
import { isUnkeyed, knowsMore, nextRows, type OrderedRow, writeHeld } from './paths/sql-paths.ts'
import {
  type Claim,
  claimPaths,
  forgetLeftovers,
  LostClaimError,
  PATHS_AT_ONCE,
  writeClaimed,
} from './paths/table-leftovers.ts'
import { namespaceKey, pathHash, pathKey } from './rows/sql-keys.ts'
import { takeFromDeletion } from './sql-deletions.ts'
import { findLastVersion } from './sql-locations.ts'
import { tableUuidOf } from './sql-snapshots.ts'

/** What names more paths makes them known before its own transaction, `PATHS_AT_ONCE` at a time. */
const PATHS_TOGETHER_MAX = 5_000
/** All keys of as many doomed files are read, instead of looking for each path among them. */
const DOOMED_READ_MAX = 50_000
/** As `pathHash` takes them of a key. */
const HASH_BYTES = 8
/** Then a creation whose claim others take all the time is done in one transaction. */
const CREATION_ATTEMPTS_MAX = 3

/** By the commits whose paths are known already. */
export type AheadPaths = ReadonlyMap<TableCommit, NamedAhead>

interface NamedAhead {
  /** Those of all that is named, in order. */
  readonly hashes: BigInt64Array
  /** What is left to write: a footer says what was committed, so it comes with the commit. */
  readonly footers: readonly PathRow[]
}

export const NONE_AHEAD: AheadPaths = new Map()

/**
 * Makes the paths of large commits known, some at a time, so that other tables' commits wait for
 * none of them long. A hash proves nothing but that a table may name a path: those left by a
 * commit that is refused do no harm, and go with the table; footers stay as they are. The hashes
 * are there when the commit's transaction finds the version that it expects, since only a drop
 * removes hashes, and versions never come again.
 */
export async function nameAhead(engine: SqlEngine, commit: CatalogCommit): Promise<AheadPaths> {
  const ahead = new Map<TableCommit, NamedAhead>()
  for (const table of commit.tables) {
    if (table.addedPaths.length <= PATHS_TOGETHER_MAX) continue
    const { addedPaths: paths, footers, pathsNamedAgain = [], expectedVersion } = table
    const named = { tableUuid: tableUuidOf(table), expectedVersion, paths, footers }
    const added = await nameAt(engine, named)
    if (added === undefined) return NONE_AHEAD
    const hashes = BigInt64Array.from([...added.hashes, ...pathsNamedAgain.map(pathHash)])
    ahead.set(table, { ...added, hashes })
  }
  return ahead
}

/** `undefined` if the table is gone, or has another version. */
async function nameAt(
  engine: SqlEngine,
  { tableUuid, expectedVersion, ...named }: PathsOfTable & Pick<ExpectedTable, 'expectedVersion'>,
): Promise<NamedAhead | undefined> {
  const hashes = new BigInt64Array(named.paths.length)
  const footers: PathRow[] = []
  for (const rows of rowSlices(named, hashes)) {
    let changed: readonly PathRow[] = []
    const isThere = await writeHeld(engine, { tableUuid, expectedVersion }, async (transaction) => {
      const unsaid = rows.map((row) => ({ ...row, footer: null }))
      await addRows(transaction, { tableUuid, rows: unsaid }, 'stays')
      changed = await changedFooters(transaction, { tableUuid, rows })
    })
    if (!isThere) return undefined
    footers.push(...changed)
  }
  return { hashes, footers }
}

/** Writes the hashes of the paths to `all`, in order, and returns the rows of some at a time. */
function* rowSlices(
  { paths, footers }: Pick<PathsOfTable, 'paths' | 'footers'>,
  all: BigInt64Array,
): Generator<readonly PathRow[]> {
  let end = 0
  for (const slice of chunks(paths, PATHS_AT_ONCE)) {
    const rows = pathRows(slice, footers)
    for (const { path_hash } of rows) all[end++] = path_hash
    yield rows
  }
}

/** What a large creation has made known before its own transaction. */
export interface CreationAhead extends NamedAhead {
  /** Absent where the table is there until it is replaced by one of its UUID. */
  readonly claim?: string
  readonly source?: CopiedSource
}

/** The table that a clone takes its paths from, as it was before they were read. */
interface CopiedSource {
  /** Another one after them means that the table was dropped in between. */
  readonly lastVersion: number | undefined
  readonly isUnkeyed: boolean
}

/** A table to be created, and the one that it takes the place of, if there is one. */
export interface Creation extends Partial<Pick<ExpectedTable, 'tableUuid' | 'expectedVersion'>> {
  readonly table: NewTable
}

/** Makes the table; told, too, whether what is left to write is large work in this process. */
export type Create<T> = (ahead: CreationAhead | undefined, isLarge: boolean) => Promise<T>

/**
 * Makes the paths of a large table known before `createTable` makes it, some at a time, under a
 * claim to its UUID. Those of one that is refused or cut off go as those of a dropped table do.
 */
export async function createNamedAhead<T>(
  engine: SqlEngine,
  creation: Creation,
  createTable: Create<T>,
): Promise<T> {
  const { table } = creation
  const create = async (ahead: CreationAhead | undefined) =>
    createTable(ahead, await isRestLarge(engine, table, ahead))
  if (!(await isLarge(engine, table))) return create(undefined)
  if (await isNameTaken(engine, creation)) return create(undefined)
  for (let attempt = 1; attempt <= CREATION_ATTEMPTS_MAX; attempt++) {
    try {
      return await createOnce(engine, creation, create)
    } catch (error) {
      if (!(error instanceof LostClaimError)) throw error
    }
  }
  return create(undefined)
}

async function isLarge(
  engine: SqlEngine,
  { addedPaths, copyPathsFromTableUuid: from }: NewTable,
): Promise<boolean> {
  if (addedPaths.length > PATHS_TOGETHER_MAX) return true
  return from !== undefined && (await knowsMore(engine, from, PATHS_TOGETHER_MAX))
}

async function isRestLarge(
  engine: SqlEngine,
  { addedPaths, snapshots, snapshotLog, copyPathsFromTableUuid: from }: NewTable,
  ahead: CreationAhead | undefined,
): Promise<boolean> {
  const paths = ahead === undefined ? addedPaths.length : 0
  if (paths + snapshots.length + snapshotLog.length > engine.rowsOnLoopMax) return true
  if (ahead !== undefined || from === undefined || !Number.isFinite(engine.rowsOnLoopMax)) {
    return false
  }
  return knowsMore(engine, from, Math.max(0, engine.rowsOnLoopMax))
}

/** Then `create` will be refused, and asking again and again must cost as little. */
async function isNameTaken(engine: SqlEngine, { table, tableUuid }: Creation): Promise<boolean> {
  if (tableUuid !== undefined) return false
  const { namespace, name } = table.state
  const holder = await read(engine, (connection) =>
    connection
      .selectFrom('names')
      .select('uuid')
      .where('namespace_key', '=', namespaceKey(namespace))
      .where('name_key', '=', nameKey(name))
      .executeTakeFirst(),
  )
  return holder !== undefined
}

async function createOnce<T>(
  engine: SqlEngine,
  { table, tableUuid: replacedUuid, expectedVersion = 0 }: Creation,
  create: (ahead: CreationAhead | undefined) => Promise<T>,
): Promise<T> {
  const { tableUuid } = table.state.definition
  if (replacedUuid === tableUuid) {
    const { addedPaths: paths, footers } = table
    return create(await nameAt(engine, { tableUuid, expectedVersion, paths, footers }))
  }
  const claim = await claimPaths(engine, tableUuid)
  // Without one the table is there, and `create` will be refused.
  if (claim === undefined) return create(undefined)
  try {
    return await create(await nameCreation(engine, table, claim))
  } finally {
    // Nothing is noted when the table was made.
    await forgetLeftovers(engine, tableUuid, claim.claim)
  }
}

async function nameCreation(
  engine: SqlEngine,
  { addedPaths: paths, footers, copyPathsFromTableUuid: from }: NewTable,
  claimed: Claim,
): Promise<CreationAhead> {
  const { tableUuid, claim } = claimed
  const add = (rows: readonly PathRow[]) =>
    writeClaimed(engine, claimed, (transaction) => addReturning(transaction, { tableUuid, rows }))
  const hashes = new BigInt64Array(paths.length)
  for (const rows of rowSlices({ paths, footers }, hashes)) await add(rows)
  // Nobody reads the footers of a table that is not there.
  const named = { claim, hashes, footers: [] }
  if (from === undefined) return named
  return { ...named, source: await copyRows(engine, from, add) }
}

/** What the table comes to know in between, the clone does not name. */
async function copyRows(
  engine: SqlEngine,
  tableUuid: string,
  add: (rows: readonly PathRow[]) => Promise<void>,
): Promise<CopiedSource> {
  const source = await read(engine, async (connection) => ({
    lastVersion: await findLastVersion(connection, tableUuid),
    isUnkeyed: await isUnkeyed(connection, tableUuid),
  }))
  for (let last: OrderedRow | undefined; ; ) {
    const page = await nextRows(engine, { tableUuid, limit: PATHS_AT_ONCE }, last)
    last = page.at(-1)
    if (last === undefined) return source
    await add(page.map(({ path_hash, footer }) => ({ path_hash, footer })))
  }
}

/** Paths that are named from now on, and their hashes if these are at hand. */
export interface NamedPaths {
  readonly paths: readonly string[]
  readonly hashes?: BigInt64Array | undefined
}

/**
 * Does the same as `takeFromDeletion` for all that are named. Where little is doomed, the doomed
 * are compared with the hashes, not each path looked for among them.
 */
export async function takeAllFromDeletion(
  transaction: SqlTransaction,
  named: readonly NamedPaths[],
  {
    rewritten,
    endedPurgeOf = '',
  }: {
    readonly rewritten?: ReadonlySet<string> | undefined
    /** Passes over what only a purge of this table has doomed, which counts no longer. */
    readonly endedPurgeOf?: string
  },
): Promise<void> {
  const doomed = await transaction
    .selectFrom('file_deletions')
    .select('path_key')
    .where((where) =>
      where.or([
        where('table_uuid', '!=', endedPurgeOf),
        where('state', '!=', 'doomed'),
        where('reason', '!=', 'purge'),
      ]),
    )
    .limit(DOOMED_READ_MAX + 1)
    .execute()
  if (doomed.length === 0) return
  const isFew = doomed.length <= DOOMED_READ_MAX
  const keys = new Set(isFew ? doomed.map((row) => row.path_key) : [])
  const prefixes = new Set([...keys].map(hashOfKey))
  for (const { paths, hashes } of named) {
    const taken =
      hashes === undefined || !isFew
        ? paths
        : paths.filter((path, i) => prefixes.has(hashes[i] as bigint) && keys.has(pathKey(path)))
    await takeFromDeletion(transaction, taken, rewritten)
  }
}

function hashOfKey(key: string): bigint {
  return Buffer.from(key, 'base64url').subarray(0, HASH_BYTES).readBigInt64BE()
}
