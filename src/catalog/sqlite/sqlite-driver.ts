import { setImmediate as nextTurn } from 'node:timers/promises'
import type SqliteDatabase from 'better-sqlite3'
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely'

const CACHED_STATEMENTS_MAX = 256
/** In characters; statements with many rows are rarely met twice. */
const CACHED_TEXT_MAX = 4_096
/**
 * Longest work in one turn of the event loop: then others get theirs, in the middle of a
 * transaction, too.
 */
const TURN_MS_MAX = 10

/**
 * Kysely's own driver begins deferred transactions, which fail when another process writes in
 * between, and prepares again for every query. One connection: queries and transactions take turns.
 */
export class SqliteDriver implements Driver {
  readonly #database: SqliteDatabase.Database
  readonly #connection: DatabaseConnection
  #lastTurn: Promise<void> = Promise.resolve()
  #endTurn: () => void = () => undefined

  constructor(database: SqliteDatabase.Database) {
    this.#database = database
    this.#connection = new SqliteConnection(database)
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    const previousTurn = this.#lastTurn
    let endTurn: () => void = () => undefined
    this.#lastTurn = new Promise((resolve) => {
      endTurn = resolve
    })
    await previousTurn
    this.#endTurn = endTurn
    return this.#connection
  }

  async releaseConnection(): Promise<void> {
    this.#endTurn()
  }

  async beginTransaction(): Promise<void> {
    this.#database.exec('begin immediate')
  }

  async commitTransaction(): Promise<void> {
    this.#database.exec('commit')
  }

  async rollbackTransaction(): Promise<void> {
    // SQLite rolls back by itself after some failures, a full disk among them.
    if (this.#database.inTransaction) this.#database.exec('rollback')
  }

  async destroy(): Promise<void> {
    this.#database.close()
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #database: SqliteDatabase.Database
  readonly #statements = new Map<string, SqliteDatabase.Statement<unknown[], unknown>>()
  /** When the first query of this turn of the event loop began; `undefined` before it. */
  #turnBeganMs: number | undefined

  constructor(database: SqliteDatabase.Database) {
    this.#database = database
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#isTurnOver()) await nextTurn()
    const statement = this.#prepare(sql)
    if (statement.reader) return { rows: statement.all(parameters) as R[] }
    const { changes } = statement.run(parameters)
    return { rows: [], numAffectedRows: BigInt(changes) }
  }

  #isTurnOver(): boolean {
    const nowMs = performance.now()
    if (this.#turnBeganMs === undefined) {
      this.#turnBeganMs = nowMs
      setImmediate(() => {
        this.#turnBeganMs = undefined
      })
    }
    return nowMs - this.#turnBeganMs > TURN_MS_MAX
  }

  // biome-ignore lint/correctness/useYield: the interface asks for it; nothing here streams.
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('the SQLite driver does not stream')
  }

  #prepare(sql: string): SqliteDatabase.Statement<unknown[], unknown> {
    const cached = this.#statements.get(sql)
    if (cached !== undefined) return cached
    const statement = this.#database.prepare<unknown[], unknown>(sql)
    if (sql.length > CACHED_TEXT_MAX) return statement
    if (this.#statements.size >= CACHED_STATEMENTS_MAX) this.#statements.clear()
    this.#statements.set(sql, statement)
    return statement
  }
}
