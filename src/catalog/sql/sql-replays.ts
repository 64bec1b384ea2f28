import { CatalogError } from '../../core/errors.ts'
import type { MutationOptions, ReplayRecord, ReplayStore } from '../replay-store.ts'
import { read, type SqlEngine, type SqlTransaction, write } from './sql-engine.ts'
import { RaisedEvents } from './sql-raised-events.ts'
import { decodeExact, encodeExact } from './tagged-json.ts'

const RETRY_AFTER_SECONDS = 1

export class SqlReplays implements ReplayStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async find(key: string): Promise<ReplayRecord | undefined> {
    const row = await read(this.#engine, (connection) =>
      connection.selectFrom('replays').selectAll().where('replay_key', '=', key).executeTakeFirst(),
    )
    if (row === undefined) return undefined
    return {
      key: row.replay_key,
      requestHash: row.request_hash,
      status: Number(row.status),
      body: decodeExact<string>(row.body),
      expiresAtMs: Number(row.expires_at_ms),
    }
  }

  async remember(record: ReplayRecord): Promise<void> {
    await write(this.#engine, (transaction) => insertReplay(transaction, record))
  }

  forget(beforeMs: number): Promise<number> {
    return write(this.#engine, async (transaction) => {
      const deleted = await transaction
        .deleteFrom('replays')
        .where('expires_at_ms', '<', BigInt(Math.ceil(beforeMs)))
        .executeTakeFirst()
      return Number(deleted.numDeletedRows)
    })
  }
}

/**
 * `write`, with the events that the work raises, and the answer to the request that asked for it,
 * if it is kept.
 */
export function mutate<T>(
  engine: SqlEngine,
  { replay, events }: MutationOptions,
  work: (transaction: SqlTransaction, raised: RaisedEvents) => Promise<T>,
): Promise<T> {
  return write(engine, async (transaction) => {
    // First: of two requests with one key at once, the second waits here for the first to end.
    if (replay !== undefined && !(await insertReplay(transaction, replay))) throw isAnswered(replay)
    const raised = new RaisedEvents(events)
    const result = await work(transaction, raised)
    await engine.runTogether(transaction, raised.takeInserts(transaction))
    return result
  })
}

function isAnswered({ key }: ReplayRecord): CatalogError {
  return new CatalogError(
    'overloaded',
    `another request with the idempotency key ${key} came first: try again for its answer`,
    { facts: { retryAfterSeconds: RETRY_AFTER_SECONDS } },
  )
}

/** Returns whether the key was new. */
async function insertReplay(transaction: SqlTransaction, record: ReplayRecord): Promise<boolean> {
  const inserted = await transaction
    .insertInto('replays')
    .values({
      replay_key: record.key,
      request_hash: record.requestHash,
      status: BigInt(record.status),
      // As JSON, because text may hold what PostgreSQL's cannot: NUL and lone surrogates.
      body: encodeExact(record.body),
      expires_at_ms: BigInt(record.expiresAtMs),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return inserted.numInsertedOrUpdatedRows === 1n
}
