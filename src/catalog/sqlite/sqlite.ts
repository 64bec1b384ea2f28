import Sqlite from 'better-sqlite3'
import {
  type Compilable,
  type Driver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import { CatalogDamagedError } from '../../core/catalog-unusable-error.ts'
import type { Catalog } from '../catalog.ts'
import { Damage } from '../sql/engine/damage.ts'
import type { Connection, SqlEngine, SqlFailure, SqlTransaction } from '../sql/engine/sql-engine.ts'
import type { Database } from '../sql/engine/sql-schema.ts'
import { sqlCatalog } from '../sql/sql-catalog.ts'
import { SqlLeases } from '../sql/sql-leases.ts'
import { CatalogFile } from './catalog-file.ts'
import { findDamage, SqliteCheck } from './sqlite-check.ts'
import { SqliteDriver } from './sqlite-driver.ts'
import { configure } from './sqlite-settings.ts'
import { SqliteThreadDriver } from './sqlite-thread-driver.ts'
import { SqliteTurns } from './sqlite-turns.ts'
import { SqliteWriteGroup } from './sqlite-write-group.ts'

const CONTENTION_MS_MAX = 10_000
// Short, because it blocks the process: whoever waits longer does so between attempts
// (sql-engine.ts).
const BUSY_MS = 5
/** Path hashes are looked up all over their index: SQLite's own 2 MiB hold but 100,000 of them. */
const CACHE_KIB = 64 * 1024

/** Some tens of milliseconds. */
const ROWS_ON_LOOP_MAX = 2_000

export interface SqliteOptions {
  /** A file, made when absent, or `:memory:`. Several processes may open one of a local disk. */
  readonly path: string
  /** Past it the catalog is `storage-full`. */
  readonly sizeBytesMax?: number
  /** Who waits longer for the writers of other processes is told `overloaded`. */
  readonly contentionMsMax?: number
  /**
   * Whether a large file, too, is checked as a whole before this resolves, for half a second per
   * hundred megabytes. By default another process checks it meanwhile.
   */
  readonly checksWhole?: boolean
  /** Transactions of more rows run in a thread, by default those of more than 2,000. */
  readonly rowsOnLoopMax?: number
  /** Called once, when the file is found damaged, moved or replaced. */
  readonly onDamage?: (cause: unknown) => void
}

/** Checked before the start goes on: some 50 ms. */
const CHECKED_AT_ONCE_BYTES_MAX = 8 * 1024 * 1024

/** Throws a `CatalogDamagedError` when the file is damaged, or no database at all. */
export async function openSqliteCatalog(options: SqliteOptions): Promise<Catalog> {
  const { path, sizeBytesMax, contentionMsMax = CONTENTION_MS_MAX, onDamage } = options
  const { rowsOnLoopMax = ROWS_ON_LOOP_MAX } = options
  const damage = new Damage(onDamage)
  const database = new Sqlite(path, { timeout: contentionMsMax })
  const check = new SqliteCheck(path)
  try {
    configure(database, { busyMs: BUSY_MS, cacheKib: CACHE_KIB })
    const pagesMax = sizeBytesMax === undefined ? undefined : limitSize(database, sizeBytesMax)
    const file = path === ':memory:' ? undefined : await CatalogFile.of(path)
    const isSmall = (file?.sizeBytes ?? 0) <= CHECKED_AT_ONCE_BYTES_MAX
    if (isSmall) requireSound(findDamage(database))
    else if (options.checksWhole) requireSound(await check.run())
    else void check.run().then((found) => found !== undefined && damage.found(new Error(found)))
    // What is in memory is the connection's own.
    const inThread = file && connectionOf(() => new SqliteThreadDriver({ path, pagesMax }))
    const engine = sqliteEngine(database, {
      contentionMsMax,
      damage,
      file,
      inThread,
      rowsOnLoopMax,
    })
    const turns = new SqliteTurns(new SqlLeases(engine))
    const beforeClose = async () => {
      check.close()
      await inThread?.destroy()
    }
    return sqlCatalog(engine, { turns, beforeClose })
  } catch (error) {
    check.close()
    database.close()
    if (error instanceof CatalogDamagedError) throw error
    if (sqliteFailure(error) === 'damaged') {
      throw new CatalogDamagedError('that file is damaged, or not an SQLite database')
    }
    throw new Error(`open the catalog database ${path}`, { cause: error })
  }
}

function requireSound(found: string | undefined): void {
  if (found !== undefined) throw new CatalogDamagedError(`that database is damaged (${found})`)
}

/** Returns how many pages that are. */
function limitSize(database: Sqlite.Database, sizeBytesMax: number): number {
  const pageBytes = Number(database.pragma('page_size', { simple: true }))
  const pagesMax = Math.max(1, Math.floor(sizeBytesMax / pageBytes))
  database.pragma(`max_page_count = ${pagesMax}`)
  return pagesMax
}

interface EngineParts {
  readonly contentionMsMax: number
  readonly damage: Damage
  readonly file: CatalogFile | undefined
  readonly inThread: Connection | undefined
  readonly rowsOnLoopMax: number
}

/** What is below the catalog. */
export function sqliteEngine(
  database: Sqlite.Database,
  { contentionMsMax, damage, file, inThread, rowsOnLoopMax }: EngineParts,
): SqlEngine {
  const connection = connectionOf(() => new SqliteDriver(database))
  const group = new SqliteWriteGroup(connection, {
    isInTransaction: () => database.inTransaction,
    ...(inThread !== undefined && { inThread }),
  })
  return {
    name: 'sqlite',
    contentionMsMax,
    connection,
    transact: (work, options) => group.transact(work, options),
    rowsOnLoopMax: inThread === undefined ? Number.POSITIVE_INFINITY : rowsOnLoopMax,
    requireInPlace: () => file?.requireInPlace(),
    failureOf: sqliteFailure,
    damage,
    // Its transactions begin with the lock on the whole file.
    lockMigrations: async () => undefined,
    // So do all others: nothing is dropped in between.
    holdNamespaces: async () => true,
    lockFolder: async () => undefined,
    holdPaths: async () => undefined,
    // Writers take turns, so positions come in the order of commits.
    hasOwnClock: false,
    lockNumbering: undefined,
    pathOrder: 'rowid',
    skipLocked: sql``,
    hasText: (json, { member, texts }) =>
      sql`exists (select 1 from json_each(${json}, ${`$.${member}`}) as item
        where item.value in (${sql.join(texts)}))`,
    runTogether,
  }
}

function connectionOf(createDriver: () => Driver): Connection {
  return new Kysely<Database>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver,
      createIntrospector: (kysely) => new SqliteIntrospector(kysely),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })
}

async function runTogether(
  transaction: SqlTransaction,
  statements: Iterable<Compilable>,
): Promise<readonly unknown[]> {
  let rows: readonly unknown[] = []
  for (const statement of statements) {
    rows = (await transaction.executeQuery(statement.compile())).rows
  }
  return rows
}

/** Also when the file is no longer where it was opened, so that the next start would miss it. */
const DAMAGE = /^SQLITE_(CORRUPT|NOTADB|READONLY_DBMOVED)/

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
  if (DAMAGE.test(code)) return 'damaged'
  // When fsync fails, what was written may be found after a restart, or not.
  if (code.startsWith('SQLITE_IOERR')) return 'connection-lost'
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') {
    return 'unique-violation'
  }
  return 'other'
}
