import Sqlite from 'better-sqlite3'
import {
  type Compilable,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import type { Catalog } from '../catalog.ts'
import type { SqlEngine, SqlFailure, SqlTransaction } from '../sql/engine/sql-engine.ts'
import type { Database } from '../sql/engine/sql-schema.ts'
import { sqlCatalog } from '../sql/sql-catalog.ts'
import { SqliteDriver } from './sqlite-driver.ts'
import { SqliteWriteGroup } from './sqlite-write-group.ts'

const CONTENTION_MS_MAX = 10_000
// Short, because it blocks the process: whoever waits longer does so between attempts
// (sql-engine.ts).
const BUSY_MS = 5
/** Path hashes are looked up all over their index: SQLite's own 2 MiB hold but 100,000 of them. */
const CACHE_KIB = 64 * 1024

/**
 * `path` is a file, made when absent, or `:memory:`. Several processes may open one file of a local
 * disk. Past `sizeBytesMax` the catalog is `storage-full`; who waits longer than `contentionMsMax`
 * for the writers of other processes is told `overloaded`.
 */
export async function openSqliteCatalog({
  path,
  sizeBytesMax,
  contentionMsMax = CONTENTION_MS_MAX,
}: {
  path: string
  sizeBytesMax?: number
  contentionMsMax?: number
}): Promise<Catalog> {
  const database = new Sqlite(path, { timeout: contentionMsMax })
  try {
    configure(database)
    if (sizeBytesMax !== undefined) limitSize(database, sizeBytesMax)
  } catch (error) {
    database.close()
    throw new Error(`open the catalog database ${path}`, { cause: error })
  }
  return sqlCatalog(sqliteEngine(database, contentionMsMax))
}

function configure(database: Sqlite.Database): void {
  database.pragma('journal_mode = WAL')
  // FULL: an acknowledged commit survives power loss.
  database.pragma('synchronous = FULL')
  database.pragma('foreign_keys = ON')
  database.pragma(`cache_size = -${CACHE_KIB}`)
  database.pragma(`busy_timeout = ${BUSY_MS}`)
  database.defaultSafeIntegers(true)
}

function limitSize(database: Sqlite.Database, sizeBytesMax: number): void {
  const pageBytes = Number(database.pragma('page_size', { simple: true }))
  database.pragma(`max_page_count = ${Math.max(1, Math.floor(sizeBytesMax / pageBytes))}`)
}

function sqliteEngine(database: Sqlite.Database, contentionMsMax: number): SqlEngine {
  const connection = new Kysely<Database>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new SqliteDriver(database),
      createIntrospector: (kysely) => new SqliteIntrospector(kysely),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })
  const group = new SqliteWriteGroup(connection, () => database.inTransaction)
  return {
    name: 'sqlite',
    contentionMsMax,
    connection,
    transact: (work) => group.transact(work),
    failureOf: sqliteFailure,
    // Its transactions begin with the lock on the whole file.
    lockMigrations: async () => undefined,
    // So do all others: nothing is dropped in between.
    holdNamespaces: async () => true,
    // Writers take turns, so positions come in the order of commits.
    lockNumbering: undefined,
    skipLocked: sql``,
    runTogether,
  }
}

async function runTogether(
  transaction: SqlTransaction,
  statements: Iterable<Compilable>,
): Promise<void> {
  for (const statement of statements) await transaction.executeQuery(statement.compile())
}

/**
 * Not by class: the native part throws that of whoever loaded it first, which may be another realm.
 */
function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : ''
  return String(code)
}

function sqliteFailure(error: unknown): SqlFailure {
  const code = codeOf(error)
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return 'contention'
  if (code === 'SQLITE_FULL') return 'storage-full'
  // When fsync fails, what was written may be found after a restart, or not.
  if (code.startsWith('SQLITE_IOERR')) return 'connection-lost'
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') {
    return 'unique-violation'
  }
  return 'other'
}
