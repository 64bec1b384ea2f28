import { createHash } from 'node:crypto'
import pg from 'pg'
import type { HeldTurn, TurnRequest, TurnStore } from '../turn-store.ts'

/**
 * Connections for turns: a turn holds one while it waits and while it is had. Never those of the
 * catalog, which whoever has the turn needs to end it.
 */
export const TURN_CONNECTIONS_MAX = 4
/** Beyond any wait and any commit in a turn; then the server takes back a turn of the silent. */
const HELD_MS_MAX = 35_000

/** What was done in the turn is done: nobody waits longer for its end. */
const COMMIT: pg.QueryConfig & { readonly query_timeout: number } = {
  text: 'commit',
  query_timeout: 1_000,
}

/**
 * Advisory locks, which PostgreSQL gives in the order in which they were asked for. Each is held by
 * an open transaction, also behind PgBouncer in transaction mode.
 */
export class PostgresTurns implements TurnStore {
  readonly #pool: pg.Pool
  readonly #held = new Set<pg.PoolClient>()

  /** Opens no connection yet, and none at all while nothing is contended. */
  constructor(config: pg.PoolConfig) {
    this.#pool = new pg.Pool({
      ...config,
      max: TURN_CONNECTIONS_MAX,
      query_timeout: HELD_MS_MAX,
    })
    this.#pool.on('error', () => undefined)
  }

  async take({ names, waitMsMax }: TurnRequest): Promise<HeldTurn | undefined> {
    const askedAtMs = performance.now()
    const client = await connect(this.#pool, waitMsMax)
    if (client === undefined) return undefined
    try {
      const leftMs = Math.ceil(waitMsMax - (performance.now() - askedAtMs))
      const hasWaited = await lock(client, names, Math.max(1, leftMs))
      this.#held.add(client)
      return { hasWaited, end: () => this.#end(client) }
    } catch {
      // Its transaction ends with the connection.
      client.release(true)
      return undefined
    }
  }

  async isTaken(name: string): Promise<boolean> {
    try {
      // Shared, and let go of at once with the statement: those who look do not see each other.
      const free = `select pg_try_advisory_xact_lock_shared(${lockKey(name)}) as is_free`
      const { rows } = await this.#pool.query<{ readonly is_free: boolean }>(free)
      return rows[0]?.is_free === false
    } catch {
      return false
    }
  }

  async close(): Promise<void> {
    const ends = Array.from(this.#held, (client) => this.#end(client))
    await Promise.all([...ends, this.#pool.end()])
  }

  async #end(client: pg.PoolClient): Promise<void> {
    if (!this.#held.delete(client)) return
    try {
      await client.query(COMMIT)
      client.release()
    } catch {
      client.release(true)
    }
  }
}

/** `undefined` when none is free in time, or the server is out of reach. */
async function connect(pool: pg.Pool, waitMsMax: number): Promise<pg.PoolClient | undefined> {
  let isLate = false
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), waitMsMax)
  })
  const connecting = pool.connect().catch(() => undefined)
  void connecting.then((client) => isLate && client?.release())
  const client = await Promise.race([connecting, late])
  clearTimeout(timer)
  isLate = client === undefined
  return client
}

/** Returns whether another had one of the locks. */
async function lock(
  client: pg.PoolClient,
  names: readonly string[],
  waitMsMax: number,
): Promise<boolean> {
  const keys = names.map(lockKey).toSorted((left, right) => (left < right ? -1 : 1))
  // One round trip: only if another has it or waits for it, a second.
  const begun = (await client.query(
    [
      'begin',
      `set local statement_timeout = ${HELD_MS_MAX}`,
      `set local idle_in_transaction_session_timeout = ${HELD_MS_MAX}`,
      `set local lock_timeout = ${waitMsMax}`,
      `select ${keys.map((key) => `pg_try_advisory_xact_lock(${key})`).join(' and ')} as had`,
    ].join('; '),
  )) as unknown as readonly pg.QueryResult<{ readonly had: boolean }>[]
  if (begun.at(-1)?.rows[0]?.had === true) return false
  await client.query(`select ${keys.map((key) => `pg_advisory_xact_lock(${key})`).join(', ')}`)
  return true
}

/** Those of different names are different, and none is that of the migrations. */
function lockKey(name: string): bigint {
  return createHash('sha256').update(`turn ${name}`).digest().readBigInt64BE()
}
