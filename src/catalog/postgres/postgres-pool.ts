import type { PostgresPool as KyselyPool, PostgresPoolClient as KyselyPoolClient } from 'kysely'
import pg from 'pg'
import { cancelStatement } from './cancel-statement.ts'

/**
 * The server did not answer, or not in time. Carries no more than the cause's message: no URL, no
 * password.
 */
export class ConnectionLostError extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error && cause.message !== '' ? cause.message : 'no connection')
    this.name = 'ConnectionLostError'
  }
}

/**
 * A client that is listened to from its birth. pg's pool listens only while a connection is idle;
 * unheard, the end of a connection would end the process. Whoever queries next learns of it.
 */
export class HeardClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config)
    this.on('error', () => undefined)
  }
}

const STATEMENT_MS_MAX = 30_000
/**
 * One round trip, and limits that end with the transaction: a session may be shared, and PgBouncer
 * refuses them among the parameters of a connection.
 */
const BEGIN = [
  'begin isolation level read committed',
  `set local statement_timeout = ${STATEMENT_MS_MAX}`,
  `set local idle_in_transaction_session_timeout = ${STATEMENT_MS_MAX}`,
].join('; ')

/**
 * Lets each statement of the transaction take a day: an index over the paths of very many files
 * takes minutes. The server's limit goes by the statement, ours by its text.
 */
export const LIFT_LIMITS = 'set local statement_timeout = 0'
const LIFTED_MS_MAX = 86_400_000

const ROLLED_BACK: pg.QueryResult = {
  command: 'ROLLBACK',
  rowCount: 0,
  rows: [],
  fields: [],
  oid: 0,
}

/** pg's pool, except that a connection whose state is unknown is closed instead of used again. */
export class PostgresPool implements KyselyPool {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
    // An idle connection that breaks is replaced at the next need; unheard, the event would end the
    // process.
    this.#pool.on('error', () => undefined)
  }

  async connect(): Promise<KyselyPoolClient> {
    try {
      // The cast drops Kysely's form for cursors, which need a package that we do not use.
      return new GuardedClient(await this.#pool.connect()) as unknown as KyselyPoolClient
    } catch (error) {
      throw error instanceof pg.DatabaseError ? error : new ConnectionLostError(error)
    }
  }

  end(): Promise<void> {
    return this.#pool.end()
  }
}

class GuardedClient {
  readonly #client: pg.PoolClient
  #isBroken = false
  #limits: { readonly query_timeout?: number } = {}

  constructor(client: pg.PoolClient) {
    this.#client = client
    client.on('error', this.#break)
  }

  async query(text: string, values: readonly unknown[] = []): Promise<pg.QueryResult> {
    if (text === 'begin') return await this.#begin()
    if (text === LIFT_LIMITS) this.#limits = { query_timeout: LIFTED_MS_MAX }
    return text === 'rollback' ? await this.#rollBack() : await this.#send(text, values)
  }

  release(): void {
    this.#client.off('error', this.#break)
    this.#client.release(this.#isBroken)
  }

  async #send(text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    try {
      return await this.#client.query({ text, values: [...values], ...this.#limits })
    } catch (error) {
      if (error instanceof pg.DatabaseError) throw error
      this.#isBroken = true
      // The server may work on it yet, if only the reply has taken too long.
      cancelStatement(this.#client)
      throw new ConnectionLostError(error)
    }
  }

  async #begin(): Promise<pg.QueryResult> {
    try {
      return await this.#send(BEGIN, [])
    } catch (error) {
      // Nobody rolls back what has not begun, and it may have.
      this.#isBroken = true
      throw error
    }
  }

  /**
   * Never throws: the failure that led here is the one to tell, and closing the connection rolls
   * back, too.
   */
  async #rollBack(): Promise<pg.QueryResult> {
    if (!this.#isBroken) await this.#client.query('rollback').catch(this.#break)
    return ROLLED_BACK
  }

  readonly #break = (): void => {
    this.#isBroken = true
  }
}
