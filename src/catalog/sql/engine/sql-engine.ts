import { setTimeout as sleep } from 'node:timers/promises'
import type { Compilable, Kysely, RawBuilder, SqlBool, Transaction } from 'kysely'
import { CatalogError } from '../../../core/errors.ts'
import { type Damage, damaged } from './damage.ts'
import type { Database } from './sql-schema.ts'

export type Connection = Kysely<Database>
export type SqlTransaction = Transaction<Database>

/**
 * What a failure of the engine means here. `contention`: rolled back because of others, so try
 * again. `overloaded`: refused for now. `read-only`: no writes for now. `connection-lost`: nobody
 * knows how far it came. `damaged`: the database is not to be written again.
 */
export type SqlFailure =
  | 'contention'
  | 'overloaded'
  | 'read-only'
  | 'storage-full'
  | 'connection-lost'
  | 'damaged'
  | 'unique-violation'
  | 'other'

/** A folder, and all above it, the outermost first. */
export interface FolderPlace {
  readonly folder: string
  readonly above: readonly string[]
}

export interface TransactOptions {
  /** Whether it has more rows than `rowsOnLoopMax`. */
  readonly isLarge?: boolean
}

/** What differs between the engines. */
export interface SqlEngine {
  /** Names the folder of the migrations, too. */
  readonly name: 'sqlite' | 'postgres'
  /** Its transactions hold off other writers of what they write until they end. */
  readonly connection: Connection
  /** Whether its clock may differ from this computer's: it then dates events itself. */
  readonly hasOwnClock: boolean
  /** How long work is tried again because of others before it is `overloaded`. */
  readonly contentionMsMax: number
  failureOf(error: unknown): SqlFailure
  readonly damage: Damage
  /** Throws `damaged` when what is written now would not be found by the next start. */
  requireInPlace(): void
  /** Held until the transaction ends, so that one process at a time migrates. */
  lockMigrations(transaction: SqlTransaction): Promise<void>
  /**
   * Keeps these namespaces from being dropped until the transaction ends. Returns whether all are
   * there: one may have been dropped since it was last seen.
   */
  holdNamespaces(transaction: SqlTransaction, namespaceKeys: readonly string[]): Promise<boolean>
  /**
   * Held until the transaction ends: no other can lock the folder, one above it or one below it
   * in between. What is read afterwards is as those left it.
   */
  lockFolder(transaction: SqlTransaction, place: FolderPlace): Promise<void>
  /**
   * All of the work, durable when it resolves, or nothing when it throws what the work throws.
   * Others' work may be part of the same transaction: when its end fails, it fails for all.
   */
  transact<T>(
    work: (transaction: SqlTransaction) => Promise<T>,
    options?: TransactOptions,
  ): Promise<T>
  /**
   * Work of more rows is large, and runs in a thread; infinite where the database is not in this
   * process.
   */
  readonly rowsOnLoopMax: number
  /**
   * Held until the transaction ends, so that one reader at a time gives positions to events.
   * `undefined` where the database gives them when events are written.
   */
  readonly lockNumbering: ((transaction: SqlTransaction) => Promise<void>) | undefined
  /**
   * Until the transaction ends, nobody stages files or makes paths known: whoever is about to has
   * ended before it returns, or comes after the transaction. Throws `overloaded` after a second.
   */
  holdPaths(transaction: SqlTransaction): Promise<void>
  /** What an index gives the known paths of one table in the order of. */
  readonly pathOrder: 'rowid' | 'path_hash'
  /** Ends a SELECT of rows to change: those that others are about to change are passed over. */
  readonly skipLocked: RawBuilder<unknown>
  /** Whether a JSON object has any of the texts in a list. */
  hasText(
    json: RawBuilder<unknown>,
    list: { readonly member: string; readonly texts: readonly string[] },
  ): RawBuilder<SqlBool>
  /**
   * Runs statements that do not depend on each other: in one round trip where that is possible.
   * Returns the rows of the last one.
   */
  runTogether(
    transaction: SqlTransaction,
    statements: Iterable<Compilable>,
  ): Promise<readonly unknown[]>
}

const BACKOFF_MS_MAX = 50
/** Failures of a COMMIT after which it may be there all the same. */
const LEAVES_UNKNOWN: readonly SqlFailure[] = ['connection-lost', 'damaged']

/**
 * Thrown by the work of `write` to take back what it did so far; `write` then returns the outcome.
 */
export class Refusal<T> extends Error {
  readonly outcome: T

  constructor(outcome: T) {
    super('the work was refused')
    this.outcome = outcome
  }
}

export function read<T>(
  engine: SqlEngine,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  return persistently(engine, () => work(engine.connection))
}

/**
 * All of the work, or nothing when it throws; a `Refusal`, which must be of a `T`, is returned. The
 * work may run several times: it must leave no trace outside the database.
 */
export async function write<T>(
  engine: SqlEngine,
  work: (transaction: SqlTransaction) => Promise<T>,
  options: TransactOptions = {},
): Promise<T> {
  try {
    return await persistently(engine, async () => {
      engine.damage.refuse()
      engine.requireInPlace()
      return writeOnce(engine, work, options)
    })
  } catch (error) {
    if (error instanceof Refusal) return error.outcome
    throw error
  }
}

/**
 * Deletes old rows round by round, each in a transaction of its own, so that other writers get
 * their turn. A round returns how many it deleted, at most `rowsAtOnce`. Returns the sum.
 */
export async function forgetInRounds(
  engine: SqlEngine,
  rowsAtOnce: number,
  round: (transaction: SqlTransaction) => Promise<number>,
): Promise<number> {
  for (let forgotten = 0; ; ) {
    const count = await write(engine, round)
    forgotten += count
    if (count < rowsAtOnce) return forgotten
  }
}

async function writeOnce<T>(
  engine: SqlEngine,
  work: (transaction: SqlTransaction) => Promise<T>,
  options: TransactOptions,
): Promise<T> {
  let isCommitting = false
  try {
    return await engine.transact(async (transaction) => {
      const result = await work(transaction)
      isCommitting = true
      return result
    }, options)
  } catch (error) {
    if (isCommitting && LEAVES_UNKNOWN.includes(engine.failureOf(error))) {
      if (engine.failureOf(error) === 'damaged') engine.damage.found(error)
      const detail = 'the reply to a COMMIT was lost; read back before trying again'
      throw new CatalogError('commit-state-unknown', detail, { cause: error })
    }
    throw error
  }
}

async function persistently<T>(engine: SqlEngine, attempt: () => Promise<T>): Promise<T> {
  const giveUpAtMs = performance.now() + engine.contentionMsMax
  for (let backoffMs = 1; ; backoffMs = Math.min(2 * backoffMs, BACKOFF_MS_MAX)) {
    try {
      return await attempt()
    } catch (error) {
      const isWorthIt = engine.failureOf(error) === 'contention' && performance.now() < giveUpAtMs
      if (!isWorthIt) throw translated(engine, error)
    }
    await sleep(1 + Math.random() * backoffMs)
  }
}

function translated(engine: SqlEngine, error: unknown): unknown {
  switch (engine.failureOf(error)) {
    case 'contention':
    case 'overloaded':
      return new CatalogError('overloaded', 'the catalog database is busy', { cause: error })
    case 'read-only':
      return new CatalogError('overloaded', 'the catalog database is read-only for now', {
        cause: error,
      })
    case 'connection-lost':
      return new CatalogError('overloaded', 'the catalog database is out of reach', {
        cause: error,
      })
    case 'damaged':
      engine.damage.found(error)
      return damaged(error)
    case 'storage-full':
      return new CatalogError('storage-full', 'the catalog database has no space left', {
        cause: error,
      })
    default:
      return error
  }
}

/** Held until the transaction ends, by all who make something of this UUID or forget its rest. */
export function lockUuid(
  engine: SqlEngine,
  transaction: SqlTransaction,
  uuid: string,
): Promise<void> {
  return engine.lockFolder(transaction, { folder: `uuid:${uuid}`, above: [] })
}

// Engines limit the parameters of a statement: SQLite to 32,766, PostgreSQL to 65,535.
export const ROWS_PER_STATEMENT = 1_000

/** Slices small enough for one statement of up to 30 columns. */
export function* chunks<T>(rows: readonly T[], size = ROWS_PER_STATEMENT): Generator<readonly T[]> {
  for (let start = 0; start < rows.length; start += size) yield rows.slice(start, start + size)
}
