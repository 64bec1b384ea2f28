import { AHEAD_MS_MAX, LEASE_MS } from '../../core/limits.ts'
import type { HeldLease, LeaseOutcome, LeaseRequest, LeaseStore } from '../lease-store.ts'
import { read, type SqlEngine, type SqlTransaction, write } from './engine/sql-engine.ts'
import type { Database } from './engine/sql-schema.ts'
import { Unchanged } from './hold/unchanged.ts'

type Expiry = Pick<Database['leases'], 'expires_at_ms' | 'fencing_token'>

export class SqlLeases implements LeaseStore {
  readonly #engine: SqlEngine
  readonly #ahead = new Unchanged()

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async acquire(request: LeaseRequest): Promise<LeaseOutcome> {
    const ask = (left?: Expiry) =>
      write(this.#engine, (transaction) => acquireLease(transaction, request, left))
    const outcome = await ask()
    if (outcome.outcome === 'acquired') return outcome
    const held = await this.#findHeld(request)
    return held?.isLeft === true ? ask(held.row) : outcome
  }

  async isHeld({ name, nowMs }: { name: string; nowMs: number }): Promise<boolean> {
    // A damaged database says "free" of what it has lost.
    this.#engine.damage.refuse()
    const held = await this.#findHeld({ name, nowMs })
    return held?.isLeft === false
  }

  /** `isLeft`: by a clock ahead, and nobody renews it. */
  async #findHeld({
    name,
    nowMs,
  }: {
    readonly name: string
    readonly nowMs: number
  }): Promise<{ readonly row: Expiry; readonly isLeft: boolean } | undefined> {
    const askedAtMs = performance.now()
    const row = await read(this.#engine, (connection) =>
      connection
        .selectFrom('leases')
        .select(['expires_at_ms', 'fencing_token'])
        .where('name', '=', name)
        .where('expires_at_ms', '>', BigInt(nowMs))
        .executeTakeFirst(),
    )
    if (row === undefined || row.expires_at_ms <= BigInt(nowMs + AHEAD_MS_MAX)) {
      this.#ahead.forget(name)
      return row && { row, isLeft: false }
    }
    const seen = `${row.expires_at_ms} ${row.fencing_token}`
    return { row, isLeft: this.#ahead.isOver(name, seen, { askedAtMs, forMs: LEASE_MS }) }
  }

  async renew(lease: LeaseRequest & HeldLease): Promise<'renewed' | 'lost'> {
    const expires_at_ms = BigInt(lease.nowMs + lease.durationMs)
    const isHeld = await this.#updateHeld(lease, { expires_at_ms })
    return isHeld ? 'renewed' : 'lost'
  }

  /** The row stays without an owner, so that the next token is greater. */
  async release(lease: HeldLease): Promise<'released' | 'lost'> {
    const isHeld = await this.#updateHeld(lease, { expires_at_ms: 0n, owner: '' })
    return isHeld ? 'released' : 'lost'
  }

  forget(beforeMs: number): Promise<number> {
    const before = BigInt(Math.ceil(beforeMs))
    return write(this.#engine, async (transaction) => {
      const deleted = await transaction
        .deleteFrom('leases')
        .where('expires_at_ms', '<', before)
        // The next of the name begins with the clock, so a token that is ahead of it has to stay.
        .where('fencing_token', '<', before)
        .executeTakeFirst()
      return Number(deleted.numDeletedRows)
    })
  }

  #updateHeld(
    { name, owner, fencingToken }: HeldLease,
    columns: Partial<Database['leases']>,
  ): Promise<boolean> {
    return write(this.#engine, async (transaction) => {
      const updated = await transaction
        .updateTable('leases')
        .set(columns)
        .where('name', '=', name)
        .where('owner', '=', owner)
        .where('fencing_token', '=', fencingToken)
        .executeTakeFirst()
      return updated.numUpdatedRows === 1n
    })
  }
}

/** One statement decides, whoever comes at the same time. */
async function acquireLease(
  transaction: SqlTransaction,
  { name, owner, nowMs, durationMs }: LeaseRequest,
  /** As it was seen: who has renewed it since holds it. */
  left: Expiry | undefined,
): Promise<LeaseOutcome> {
  const acquired = await transaction
    .insertInto('leases')
    .values({
      name,
      owner,
      // Greater than the tokens of a lease of this name that was forgotten: they were behind the
      // clock.
      fencing_token: BigInt(nowMs),
      expires_at_ms: BigInt(nowMs + durationMs),
    })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet((row) => ({
          owner: row.ref('excluded.owner'),
          fencing_token: row('leases.fencing_token', '+', 1n),
          expires_at_ms: row.ref('excluded.expires_at_ms'),
        }))
        .where((where) =>
          where.or([
            where('leases.expires_at_ms', '<=', BigInt(nowMs)),
            where.and([
              where('leases.expires_at_ms', '=', left?.expires_at_ms ?? 0n),
              where('leases.fencing_token', '=', left?.fencing_token ?? 0n),
            ]),
          ]),
        ),
    )
    .returning('fencing_token')
    .executeTakeFirst()
  if (acquired !== undefined) return { outcome: 'acquired', fencingToken: acquired.fencing_token }
  const held = await transaction
    .selectFrom('leases')
    .select('expires_at_ms')
    .where('name', '=', name)
    .executeTakeFirst()
  return { outcome: 'held', expiresAtMs: Number(held?.expires_at_ms ?? BigInt(nowMs)) }
}
