import {
  keyInUse,
  type NewReplay,
  type ReplayKey,
  type ReplayRecord,
  type ReplayReservation,
  type ReserveOutcome,
} from '../../../core/replay.ts'
import type { MutationOptions, ReplayStore } from '../../replay-store.ts'
import {
  type Connection,
  forgetInRounds,
  read,
  type SqlEngine,
  type SqlTransaction,
  type TransactOptions,
  write,
} from '../engine/sql-engine.ts'
import type { Database } from '../engine/sql-schema.ts'
import { decodeExact, encodeExact } from '../rows/tagged-json.ts'
import { holdAsked } from './asked-namespaces.ts'
import { RaisedEvents } from './sql-raised-events.ts'

/** Status of a reservation, which has no answer yet. */
const NO_STATUS = 0n
/** Rows that are forgotten in one transaction: the answers of a busy hour would take seconds. */
const ROWS_AT_ONCE = 1_000

export class SqlReplays implements ReplayStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async find(key: ReplayKey): Promise<ReplayRecord | undefined> {
    const row = await read(this.#engine, (connection) => findRow(connection, key))
    return row === undefined || row.status === NO_STATUS ? undefined : recordOf(row)
  }

  async remember(replay: NewReplay): Promise<void> {
    await write(this.#engine, (transaction) => insertReplay(transaction, replay))
  }

  async amend({ reservedBy, nowMs, ...record }: NewReplay): Promise<void> {
    const { principal, replay_key } = keyColumns(record)
    await write(this.#engine, (transaction) =>
      transaction
        .updateTable('replays')
        .set({ status: BigInt(record.status), body: encodeExact(record.body) })
        .where('principal', '=', principal)
        .where('replay_key', '=', replay_key)
        .where('request_hash', '=', record.requestHash)
        .where('status', '!=', NO_STATUS)
        .execute(),
    )
  }

  reserve(reservation: ReplayReservation): Promise<ReserveOutcome> {
    return write(this.#engine, (transaction) => reserveReplay(transaction, reservation))
  }

  renew({ owner, nowMs, durationMs, ...key }: ReplayReservation): Promise<'renewed' | 'lost'> {
    const { principal, replay_key } = keyColumns(key)
    return write(this.#engine, async (transaction) => {
      const updated = await transaction
        .updateTable('replays')
        .set({ expires_at_ms: BigInt(Math.ceil(nowMs + durationMs)) })
        .where('principal', '=', principal)
        .where('replay_key', '=', replay_key)
        .where('owner', '=', owner)
        .executeTakeFirst()
      return updated.numUpdatedRows === 1n ? 'renewed' : 'lost'
    })
  }

  async release({ owner, ...key }: ReplayKey & { readonly owner: string }): Promise<void> {
    const { principal, replay_key } = keyColumns(key)
    await write(this.#engine, (transaction) =>
      transaction
        .deleteFrom('replays')
        .where('principal', '=', principal)
        .where('replay_key', '=', replay_key)
        .where('owner', '=', owner)
        .execute(),
    )
  }

  forget(beforeMs: number): Promise<number> {
    return forgetInRounds(this.#engine, ROWS_AT_ONCE, (transaction) =>
      forgetSome(transaction, beforeMs),
    )
  }
}

/**
 * `write`, with the events that the work raises, and the answer to the request that asked for it,
 * if it is kept.
 */
export function mutate<T>(
  engine: SqlEngine,
  { replay, events, namespaces, ...options }: MutationOptions & TransactOptions,
  work: (transaction: SqlTransaction, raised: RaisedEvents) => Promise<T>,
): Promise<T> {
  const mutation = async (transaction: SqlTransaction) => {
    // First: of two requests with one key at once, the second waits here for the first to end.
    if (replay !== undefined && !(await insertReplay(transaction, replay))) throw keyInUse(replay)
    if (namespaces !== undefined) await holdAsked(transaction, engine, namespaces)
    const raised = new RaisedEvents(engine, events)
    const result = await work(transaction, raised)
    await engine.runTogether(transaction, raised.takeInserts(transaction))
    return result
  }
  return write(engine, mutation, options)
}

/** Returns whether the key was free, or reserved for this very answer. */
export async function insertReplay(
  transaction: SqlTransaction,
  { reservedBy, nowMs, ...record }: NewReplay,
): Promise<boolean> {
  const row = {
    ...keyColumns(record),
    request_hash: record.requestHash,
    body_hash: record.bodyHash,
    owner: null,
    status: BigInt(record.status),
    // As JSON, because text may hold what PostgreSQL's cannot: NUL and lone surrogates.
    body: encodeExact(record.body),
    expires_at_ms: BigInt(record.expiresAtMs),
  }
  return insertRow(transaction, row, { nowMs, owner: reservedBy })
}

/** Over a reservation that has expired or is the owner's, never over an answer. */
async function insertRow(
  transaction: SqlTransaction,
  row: Database['replays'],
  { nowMs, owner }: { readonly nowMs: number; readonly owner: string | undefined },
): Promise<boolean> {
  const inserted = await transaction
    .insertInto('replays')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .columns(['principal', 'replay_key'])
        .doUpdateSet(row)
        .where('replays.status', '=', NO_STATUS)
        .where((where) => {
          const hasExpired = where('replays.expires_at_ms', '<=', BigInt(Math.ceil(nowMs)))
          if (owner === undefined) return hasExpired
          return where.or([hasExpired, where('replays.owner', '=', owner)])
        }),
    )
    .returning('replay_key')
    .executeTakeFirst()
  return inserted !== undefined
}

/** One statement decides, whoever comes at the same time. */
async function reserveReplay(
  transaction: SqlTransaction,
  { requestHash, owner, nowMs, durationMs, ...key }: ReplayReservation,
): Promise<ReserveOutcome> {
  const row = {
    ...keyColumns(key),
    request_hash: requestHash,
    body_hash: null,
    owner,
    status: NO_STATUS,
    body: '',
    expires_at_ms: BigInt(Math.ceil(nowMs + durationMs)),
  }
  if (await insertRow(transaction, row, { nowMs, owner: undefined })) {
    return { outcome: 'reserved' }
  }
  const found = await findRow(transaction, key)
  // Released in between: whoever asks again gets it.
  if (found === undefined) return { outcome: 'in-use', requestHash, expiresAtMs: nowMs }
  if (found.status !== NO_STATUS) return { outcome: 'answered', record: recordOf(found) }
  const expiresAtMs = Number(found.expires_at_ms)
  return { outcome: 'in-use', requestHash: found.request_hash, expiresAtMs }
}

function findRow(connection: Connection, key: ReplayKey): Promise<Database['replays'] | undefined> {
  const { principal, replay_key } = keyColumns(key)
  return connection
    .selectFrom('replays')
    .selectAll()
    .where('principal', '=', principal)
    .where('replay_key', '=', replay_key)
    .executeTakeFirst()
}

async function forgetSome(transaction: SqlTransaction, beforeMs: number): Promise<number> {
  const instant = BigInt(Math.ceil(beforeMs))
  const deleted = await transaction
    .deleteFrom('replays')
    .where((where) =>
      where(
        where.refTuple('principal', 'replay_key'),
        'in',
        where
          .selectFrom('replays as old')
          .select(['old.principal', 'old.replay_key'])
          .where('old.expires_at_ms', '<', instant)
          .orderBy('old.expires_at_ms')
          .limit(ROWS_AT_ONCE)
          .$asTuple('principal', 'replay_key'),
      ),
    )
    // Again, because the key may have been reserved since it was selected.
    .where('expires_at_ms', '<', instant)
    .executeTakeFirst()
  return Number(deleted.numDeletedRows)
}

function keyColumns({ principal, key }: ReplayKey) {
  return { principal, replay_key: key }
}

function recordOf(row: Database['replays']): ReplayRecord {
  return {
    principal: row.principal,
    key: row.replay_key,
    requestHash: row.request_hash,
    bodyHash: row.body_hash,
    status: Number(row.status),
    body: decodeExact<string>(row.body),
    expiresAtMs: Number(row.expires_at_ms),
  }
}
