import { sql } from 'kysely'
import type { EventOrigin } from '../../core/event-origin.ts'
import { PASSED_AHEAD_MS_MAX } from '../../core/limits.ts'
import type {
  CatalogEvent,
  EventCursor,
  EventData,
  EventPage,
  EventQuery,
  EventRange,
  EventStore,
  EventType,
  OutsideEvent,
  StateEvent,
} from '../event-store.ts'
import {
  type Connection,
  forgetInRounds,
  read,
  type SqlEngine,
  type SqlTransaction,
  write,
} from './engine/sql-engine.ts'
import type { EventRow } from './engine/sql-schema.ts'
import { claimTick } from './hold/sql-ticks.ts'
import { mutate } from './mutation/sql-replays.ts'

/** Positions that one query passes at most: one with a filter that nothing meets ends, too. */
const SCAN_MAX = 10_000n
/** Rows that are numbered, or forgotten, in one transaction. */
const ROWS_AT_ONCE = 10_000

export class SqlEvents implements EventStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async list(query: EventQuery): Promise<EventPage> {
    const { last } = await this.findRange()
    const end = least(query.after + SCAN_MAX, last)
    const rows = await read(this.#engine, (connection) => findEvents(connection, query, end))
    // Asked afterwards: what was forgotten before the rows were read is seen here.
    const { forgotten } = await read(this.#engine, findRange)
    const isFull = rows.length === query.limit
    const nextAfter = isFull ? (rows.at(-1)?.position ?? query.after) : end
    return {
      events: rows.map(eventOf),
      nextAfter: nextAfter > query.after ? nextAfter : query.after,
      forgotten,
      last,
    }
  }

  async findRange(): Promise<EventRange> {
    await this.#numberEvents()
    return read(this.#engine, findRange)
  }

  /**
   * Gives positions to all events that are visible and have none, in the order in which they were
   * written for each subject: that of its versions. One at a time, and each sees what the one
   * before it did, because the lock is taken in a statement of its own: the next one has a snapshot
   * from after it. What commits in between gets a later number.
   */
  async #numberEvents(): Promise<void> {
    const { lockNumbering } = this.#engine
    if (lockNumbering === undefined) return
    while (await read(this.#engine, hasUnnumbered)) {
      await write(this.#engine, async (transaction) => {
        await lockNumbering(transaction)
        await numberEvents(transaction)
      })
    }
  }

  raise(event: OutsideEvent, events: EventOrigin): Promise<void> {
    return mutate(this.#engine, { events }, async (_, raised) => {
      raised.raise({ ...event, version: 0 })
    })
  }

  async raiseOnce(state: StateEvent): Promise<boolean> {
    const { onceName: name, sinceMs: tickMs, nowMs, ...event } = state
    return mutate(this.#engine, {}, async (transaction, raised) => {
      const isFirst = await claimTick(transaction, { name, tickMs, nowMs })
      if (isFirst) raised.raise({ ...event, version: 0 })
      return isFirst
    })
  }

  /** Numbers them first: without a reader nobody else does. */
  async forget(age: { readonly beforeMs: number; readonly nowMs: number }): Promise<number> {
    await this.#numberEvents()
    return forgetInRounds(this.#engine, ROWS_AT_ONCE, (transaction) => forgetSome(transaction, age))
  }

  async findCursor(name: string): Promise<bigint | undefined> {
    const row = await read(this.#engine, (connection) =>
      connection
        .selectFrom('event_cursors')
        .select('position')
        .where('name', '=', name)
        .executeTakeFirst(),
    )
    return row?.position
  }

  saveCursor({ name, position, fencingToken }: EventCursor): Promise<'saved' | 'fenced'> {
    return write(this.#engine, async (transaction) => {
      const saved = await transaction
        .insertInto('event_cursors')
        .values({ name, position, fencing_token: fencingToken })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet({ position, fencing_token: fencingToken })
            .where('event_cursors.fencing_token', '<=', fencingToken),
        )
        .returning('name')
        .executeTakeFirst()
      return saved === undefined ? 'fenced' : 'saved'
    })
  }
}

async function hasUnnumbered(connection: Connection): Promise<boolean> {
  const row = await connection
    .selectFrom('events')
    .select('written')
    .where('position', 'is', null)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

async function numberEvents(transaction: SqlTransaction): Promise<void> {
  await sql`
    update events set position = numbered.position
    from (
      select written,
        (select greatest(forgotten, (select max(position) from events)) from event_horizon)
          + row_number() over (order by subject, written) as position
      from events where position is null
      order by subject, written limit ${ROWS_AT_ONCE}
    ) as numbered
    where events.written = numbered.written`.execute(transaction)
}

async function findRange(connection: Connection): Promise<EventRange> {
  const row = await connection
    .selectFrom('event_horizon')
    .select('forgotten')
    .select((query) =>
      query
        .selectFrom('events')
        .select((column) => column.fn.max('position').as('newest'))
        .as('newest'),
    )
    .executeTakeFirstOrThrow()
  const newest = row.newest ?? 0n
  return { forgotten: row.forgotten, last: newest > row.forgotten ? newest : row.forgotten }
}

function findEvents(
  connection: Connection,
  { after, types, exceptTypes = [], subject, limit }: EventQuery,
  end: bigint,
): Promise<readonly EventRow[]> {
  let query = connection
    .selectFrom('events')
    .selectAll()
    .where('position', '>', after)
    .where('position', '<=', end)
    .orderBy('position')
    .limit(limit)
  if (types !== undefined) query = query.where('type', 'in', types)
  if (exceptTypes.length > 0) query = query.where('type', 'not in', exceptTypes)
  if (subject !== undefined) {
    const name = subject.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
    query = query.where((where) =>
      where.or([
        where('subject', '=', subject),
        // Names of /v1 are ASCII, and lower() knows no other letters here.
        where(where.fn<string>('lower', ['name']), '=', name),
      ]),
    )
  }
  return query.execute()
}

function eventOf(row: EventRow): CatalogEvent {
  const { principal, request_id, address } = row
  return {
    position: row.position ?? 0n,
    eventId: row.event_id,
    type: row.type as EventType,
    subject: row.subject,
    name: row.name,
    version: Number(row.version),
    timeMs: Number(row.time_ms),
    data: JSON.parse(row.data) as EventData,
    origin: {
      ...(principal !== null && { principal }),
      ...(request_id !== null && { requestId: request_id }),
      ...(address !== null && { address }),
    },
  }
}

/** From the oldest on, so that what is there is always whole from some position on. */
async function forgetSome(
  transaction: SqlTransaction,
  { beforeMs, nowMs }: { readonly beforeMs: number; readonly nowMs: number },
): Promise<number> {
  const dated = transaction.selectFrom('events').select(['position', 'time_ms']).orderBy('position')
  const oldest = await dated.where('position', 'is not', null).limit(ROWS_AT_ONCE).execute()
  const isOld = (row: { readonly time_ms: bigint }) => row.time_ms < BigInt(Math.ceil(beforeMs))
  const ahead = BigInt(Math.ceil(nowMs + PASSED_AHEAD_MS_MAX))
  const young = oldest.findIndex((row) => !isOld(row) && row.time_ms <= ahead)
  let last = oldest.slice(0, young < 0 ? undefined : young).findLast(isOld)?.position
  const end = oldest.at(-1)?.position ?? 0n
  if (young < 0 && last !== end) {
    // What is ahead at the end of these goes with an old one that comes after it.
    const [next] = await dated
      .where('position', '>', end)
      .where('time_ms', '<=', ahead)
      .limit(1)
      .execute()
    if (next !== undefined && isOld(next)) last = end
  }
  if (last === undefined || last === null) return 0
  await transaction
    .updateTable('event_horizon')
    .set({ forgotten: last })
    .where('forgotten', '<', last)
    .execute()
  const deleted = await transaction
    .deleteFrom('events')
    .where('position', '<=', last)
    .executeTakeFirst()
  return Number(deleted.numDeletedRows)
}

function least(left: bigint, right: bigint): bigint {
  return left < right ? left : right
}
