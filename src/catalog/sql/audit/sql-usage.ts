import type { DayUsage, UsageKey, UsageQuery, UsageStore } from '../../audit/usage-store.ts'
import {
  type Connection,
  chunks,
  forgetInRounds,
  read,
  type SqlEngine,
  write,
} from '../engine/sql-engine.ts'

const ADDED_BY_STATEMENT = 50
const FORGOTTEN_AT_ONCE = 5_000
const COUNTS = ['requests', 'bytes_received', 'bytes_sent'] as const

export class SqlUsage implements UsageStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async add(usage: readonly DayUsage[]): Promise<void> {
    // In one order, so that two processes do not wait for each other.
    const inOrder = [...usage].sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1))
    await write(this.#engine, async (transaction) => {
      for (const some of chunks(inOrder, ADDED_BY_STATEMENT)) {
        await transaction
          .insertInto('usage_days')
          .values(some.map(columnsOf))
          .onConflict((conflict) =>
            conflict
              .columns(['day', 'principal', 'namespace'])
              .doUpdateSet((column) =>
                Object.fromEntries(
                  COUNTS.map((count) => [
                    count,
                    column(`usage_days.${count}`, '+', column.ref(`excluded.${count}`)),
                  ]),
                ),
              ),
          )
          .execute()
      }
    })
  }

  async list(query: UsageQuery): Promise<readonly DayUsage[]> {
    const rows = await read(this.#engine, (connection) => selectDays(connection, query).execute())
    return rows.map(({ bytes_received, bytes_sent, requests, ...key }) => ({
      ...key,
      requests: Number(requests),
      bytesReceived: Number(bytes_received),
      bytesSent: Number(bytes_sent),
    }))
  }

  forget(beforeDay: string): Promise<number> {
    return forgetInRounds(this.#engine, FORGOTTEN_AT_ONCE, async (transaction) => {
      const days = await transaction
        .selectFrom('usage_days')
        .select(['day', 'principal'])
        .where('day', '<', beforeDay)
        .orderBy('day')
        .orderBy('principal')
        .limit(FORGOTTEN_AT_ONCE)
        .execute()
      const last = days.at(-1)
      if (last === undefined) return 0
      const deleted = await transaction
        .deleteFrom('usage_days')
        .where('day', '<', beforeDay)
        .where((where) =>
          where.or([
            where('day', '<', last.day),
            where.and([where('day', '=', last.day), where('principal', '<=', last.principal)]),
          ]),
        )
        .executeTakeFirst()
      return Number(deleted.numDeletedRows)
    })
  }
}

function keyOf({ day, principal, namespace }: UsageKey): string {
  return [day, principal, namespace].join('\0')
}

function columnsOf({ bytesReceived, bytesSent, requests, ...key }: DayUsage) {
  return {
    ...key,
    requests: BigInt(requests),
    bytes_received: BigInt(bytesReceived),
    bytes_sent: BigInt(bytesSent),
  }
}

function selectDays(connection: Connection, query: UsageQuery) {
  const { fromDay, toDay, principal, namespace, after, limit } = query
  let days = connection
    .selectFrom('usage_days')
    .selectAll()
    .orderBy('day')
    .orderBy('principal')
    .orderBy('namespace')
    .limit(limit)
  if (fromDay !== undefined) days = days.where('day', '>=', fromDay)
  if (toDay !== undefined) days = days.where('day', '<=', toDay)
  if (principal !== undefined) days = days.where('principal', '=', principal)
  if (namespace !== undefined) days = days.where('namespace', '=', namespace)
  if (after === undefined) return days
  return days
    .where('day', '>=', after.day)
    .where((where) =>
      where.or([
        where('day', '>', after.day),
        where('principal', '>', after.principal),
        where.and([
          where('principal', '=', after.principal),
          where('namespace', '>', after.namespace),
        ]),
      ]),
    )
}
