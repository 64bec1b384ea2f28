import { folderKey, keysAbove, keysBelow } from '../../core/table/folder-key.ts'
import { locationTaken } from '../../core/table/location-taken.ts'
import { foldersOf } from '../../core/table/metadata-folder.ts'
import type { LocationStore, PlaceOfTable, TableLocation } from '../location-store.ts'
import {
  type Connection,
  chunks,
  Refusal,
  read,
  type SqlEngine,
  type SqlTransaction,
  write,
} from './engine/sql-engine.ts'
import type { Database, ViewRow } from './engine/sql-schema.ts'
import { findTableVersion } from './find/find-table.ts'
import { endLeaving, noteLeftovers } from './paths/table-leftovers.ts'
import { decodeExact } from './rows/tagged-json.ts'

/** What is in one query for the owners of paths: each has a few folders above it. */
const KEYS_PER_QUERY = 1_000
const VIEWS_AT_ONCE = 1_000
const KEY_BYTES_MAX = 2_000

export class SqlLocations implements LocationStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  findOverlapping(location: string, limit: number): Promise<readonly TableLocation[]> {
    return read(this.#engine, async (connection) => {
      const rows = await overlapping(connection, folderKey(location)).limit(limit).execute()
      return rows.map(locationOf)
    })
  }

  findOwners(paths: readonly string[]): Promise<ReadonlyMap<string, readonly TableLocation[]>> {
    return read(this.#engine, (connection) => findOwners(connection, paths))
  }

  findLastVersion(uuid: string): Promise<number | undefined> {
    return read(this.#engine, (connection) => findLastVersion(connection, uuid))
  }

  async remember(dropped: PlaceOfTable): Promise<void> {
    await write(this.#engine, (transaction) => insertLocation(transaction, dropped))
  }

  forget(place: PlaceOfTable): Promise<'forgotten' | 'table-lives'> {
    return write(this.#engine, (transaction) => forget(transaction, place, this.#engine))
  }
}

/**
 * Takes the location for a table whose row is there already, and throws `location-taken` if it is
 * that of another table, or lies within or around one. Several who come at once take turns.
 */
export async function claimLocation(
  transaction: SqlTransaction,
  { tableUuid, location }: PlaceOfTable,
  engine: SqlEngine,
): Promise<void> {
  const key = folderKey(location)
  await engine.lockFolder(transaction, { folder: key, above: keysAbove(key) })
  const taken = await overlapping(transaction, key)
    .where('l.table_uuid', '!=', tableUuid)
    .limit(1)
    .executeTakeFirst()
  if (taken !== undefined) throw locationTaken(location, locationOf(taken))
  await insertLocation(transaction, { tableUuid, location })
}

/** Does nothing if the table has it. */
export async function insertLocation(
  transaction: SqlTransaction,
  { tableUuid, location }: PlaceOfTable,
): Promise<void> {
  await transaction
    .insertInto('table_locations')
    .values({
      location_key: folderKey(location),
      table_uuid: tableUuid,
      location,
      keeps_files: 0n,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/**
 * Takes folders for a view whose row is there already, as `claimLocation` does. What is in them is
 * deleted by nobody.
 */
export async function claimFolders(
  transaction: SqlTransaction,
  {
    viewUuid,
    folders,
    mayShare,
  }: {
    readonly viewUuid: string
    readonly folders: readonly string[]
    readonly mayShare: boolean
  },
  engine: SqlEngine,
): Promise<void> {
  if (folders.length === 0) return
  for (const location of folders) {
    const place = { tableUuid: viewUuid, location }
    if (mayShare) await insertLocation(transaction, place)
    else await claimLocation(transaction, place, engine)
  }
  await markKeepsFiles(transaction, viewUuid, true)
}

/**
 * Takes the folders of views that are older than such claims, also where a table or another view
 * has them: what is there is then deleted by nobody. Returns a line for each that is shared.
 */
export async function claimFoldersOfOldViews(
  transaction: SqlTransaction,
): Promise<readonly string[]> {
  const notes: string[] = []
  for (let after = ''; ; ) {
    const views = await transaction
      .selectFrom('views')
      .select(['view_uuid', 'namespace', 'name', 'metadata'])
      .where('view_uuid', '>', after)
      .orderBy('view_uuid')
      .limit(VIEWS_AT_ONCE)
      .execute()
    for (const view of views) {
      const shared = await claimOldFolders(transaction, view)
      const name = [...decodeExact<readonly string[]>(view.namespace), view.name].join('.')
      notes.push(...shared.map((folder) => sharedNote(name, folder)))
    }
    const last = views.at(-1)
    if (last === undefined) return notes
    after = last.view_uuid
  }
}

function sharedNote(view: string, folder: string): string {
  return (
    `the view ${view} has its files at ${folder}, in or around the folder of a table or another ` +
    'view: a purge deletes nothing there; give the view another location'
  )
}

/** Returns those that somebody else has, too. */
async function claimOldFolders(
  transaction: SqlTransaction,
  { view_uuid, metadata }: Pick<ViewRow, 'view_uuid' | 'metadata'>,
): Promise<readonly string[]> {
  const folders = foldersIn(metadata)
  const shared: string[] = []
  for (const location of folders) {
    const taken = await overlapping(transaction, folderKey(location))
      .where('l.table_uuid', '!=', view_uuid)
      .limit(1)
      .executeTakeFirst()
    if (taken !== undefined) shared.push(location)
    await insertLocation(transaction, { tableUuid: view_uuid, location })
  }
  if (folders.length > 0) await markKeepsFiles(transaction, view_uuid, true)
  return shared
}

/** Those whose keys fit into PostgreSQL's indexes; views that are made now have no longer ones. */
function foldersIn(metadata: string): readonly string[] {
  const { location, properties = {} } = JSON.parse(metadata)
  if (typeof location !== 'string') return []
  const folders = foldersOf({ location, properties })
  return folders.filter((folder) => Buffer.byteLength(folderKey(folder)) <= KEY_BYTES_MAX)
}

/** Gives the folders of a view to others. */
export async function releaseFolders(transaction: SqlTransaction, viewUuid: string): Promise<void> {
  await transaction.deleteFrom('table_locations').where('table_uuid', '=', viewUuid).execute()
}

/** Whether the table has or had this location. */
export async function hasLocation(
  transaction: SqlTransaction,
  { tableUuid, location }: PlaceOfTable,
): Promise<boolean> {
  const row = await transaction
    .selectFrom('table_locations')
    .select('table_uuid')
    .where('location_key', '=', folderKey(location))
    .where('table_uuid', '=', tableUuid)
    .executeTakeFirst()
  return row !== undefined
}

interface EndOfLife {
  readonly uuid: string
  readonly version: number
  readonly keepsFiles: boolean
  /** Whether nothing that the table references is to be deleted: it may come back. */
  readonly leavesFiles?: boolean
}

/** Remembers of a table or view that is dropped what whoever comes after it must know. */
export async function endLife(
  transaction: SqlTransaction,
  { uuid, version: last, keepsFiles, leavesFiles = false }: EndOfLife,
): Promise<void> {
  const ended = { version: BigInt(last), leaves_files: leavesFiles ? 1n : 0n }
  await transaction
    .insertInto('last_versions')
    .values({ uuid, ...ended })
    .onConflict((conflict) => conflict.column('uuid').doUpdateSet(ended))
    .execute()
  if (keepsFiles) await markKeepsFiles(transaction, uuid, true)
}

/**
 * Lets a table or view with this UUID begin, or come back. Throws a `Refusal` if its version is not
 * above all that the UUID stood for before: a commit that was prepared then could not tell them
 * apart.
 */
export async function beginLife(
  transaction: SqlTransaction,
  { uuid, version }: Pick<EndOfLife, 'uuid' | 'version'>,
  refused: 'already-exists' | 'view-exists',
): Promise<void> {
  const last = await findLastVersion(transaction, uuid)
  if (last !== undefined && version <= last) throw new Refusal(refused)
  if (last !== undefined) await endLeaving(transaction, uuid)
  await markKeepsFiles(transaction, uuid, false)
}

/** That of the last life that a table or view of this UUID has ended. */
export async function findLastVersion(
  connection: Connection,
  uuid: string,
): Promise<number | undefined> {
  const row = await connection
    .selectFrom('last_versions')
    .select('version')
    .where('uuid', '=', uuid)
    .executeTakeFirst()
  return row === undefined ? undefined : Number(row.version)
}

async function markKeepsFiles(
  transaction: SqlTransaction,
  tableUuid: string,
  keepsFiles: boolean,
): Promise<void> {
  const [before, after] = keepsFiles ? [0n, 1n] : [1n, 0n]
  await transaction
    .updateTable('table_locations')
    .set({ keeps_files: after })
    .where('table_uuid', '=', tableUuid)
    .where('keeps_files', '=', before)
    .execute()
}

function overlapping(connection: Connection, key: string) {
  const { start, end } = keysBelow(key)
  return locations(connection).where((where) =>
    where.or([
      where('l.location_key', 'in', [...keysAbove(key), key]),
      where.and([where('l.location_key', '>=', start), where('l.location_key', '<', end)]),
    ]),
  )
}

function locations(connection: Connection) {
  return connection
    .selectFrom('table_locations as l')
    .leftJoin('tables as t', 't.table_uuid', 'l.table_uuid')
    .leftJoin('views as v', 'v.view_uuid', 'l.table_uuid')
    .select(['l.location_key', 'l.table_uuid', 'l.location', 'l.keeps_files'])
    .select(['t.table_uuid as living_uuid', 'v.view_uuid as view_uuid'])
}

interface LocationRow extends Readonly<Database['table_locations']> {
  readonly living_uuid: string | null
  readonly view_uuid: string | null
}

function locationOf(row: LocationRow): TableLocation {
  return {
    tableUuid: row.table_uuid,
    location: row.location,
    isDropped: row.living_uuid === null && row.view_uuid === null,
    keepsFiles: row.keeps_files === 1n,
  }
}

async function findOwners(
  connection: Connection,
  paths: readonly string[],
): Promise<ReadonlyMap<string, readonly TableLocation[]>> {
  const keysOf = (path: string) => keysAbove(folderKey(path))
  const byKey = new Map<string, TableLocation[]>()
  for (const keys of chunks([...new Set(paths.flatMap(keysOf))], KEYS_PER_QUERY)) {
    for (const row of await locations(connection).where('l.location_key', 'in', keys).execute()) {
      byKey.set(row.location_key, [...(byKey.get(row.location_key) ?? []), locationOf(row)])
    }
  }
  const owners = paths.map((path) => {
    return [path, keysOf(path).flatMap((key) => byKey.get(key) ?? [])] as const
  })
  return new Map(owners.filter(([, found]) => found.length > 0))
}

/** A table that comes back at the same time holds its folder until it is there. */
async function forget(
  transaction: SqlTransaction,
  { tableUuid, location }: PlaceOfTable,
  engine: SqlEngine,
): Promise<'forgotten' | 'table-lives'> {
  const folder = folderKey(location)
  await engine.lockFolder(transaction, { folder, above: keysAbove(folder) })
  if ((await findTableVersion(transaction, tableUuid)) !== undefined) return 'table-lives'
  await transaction
    .deleteFrom('table_locations')
    .where('location_key', '=', folder)
    .where('table_uuid', '=', tableUuid)
    .execute()
  await forgetPathsOfPlaceless(transaction, tableUuid)
  return 'forgotten'
}

/** None of its metadata is left that might bring it back. */
async function forgetPathsOfPlaceless(
  transaction: SqlTransaction,
  tableUuid: string,
): Promise<void> {
  const place = await transaction
    .selectFrom('table_locations')
    .select('table_uuid')
    .where('table_uuid', '=', tableUuid)
    .limit(1)
    .executeTakeFirst()
  if (place !== undefined || !(await endLeaving(transaction, tableUuid))) return
  await noteLeftovers(transaction, tableUuid)
}
