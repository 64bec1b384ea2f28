import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HeldLease, LeaseStore } from '../lease-store.ts'
import type { HeldTurn, TurnRequest, TurnStore } from '../turn-store.ts'

/** How long others wait for a process that was killed in its turn. */
const HELD_MS_MAX = 5_000
const POLL_MS_MAX = 4
/** Whoever had a turn leaves the next to those who wait. */
const YIELD_MS = 2.5 * POLL_MS_MAX
const ENDED_MAX = 10_000

/**
 * Leases that are polled, since SQLite's lock for writers is no queue: who asks most often gets it.
 * For the processes of one machine, whose clock they share.
 */
export class SqliteTurns implements TurnStore {
  readonly #leases: LeaseStore
  /** When the last turn of a name ended here. */
  readonly #endedAtMs = new Map<string, number>()

  constructor(leases: LeaseStore) {
    this.#leases = leases
  }

  async take({ names, waitMsMax }: TurnRequest): Promise<HeldTurn | undefined> {
    const giveUpAtMs = performance.now() + waitMsMax
    const held: HeldLease[] = []
    let hasWaited = false
    // In one order, so that no two wait for each other.
    for (const name of names.toSorted()) {
      const lease = await this.#acquire(name, giveUpAtMs)
      if (lease === undefined) {
        await this.#release(held)
        return undefined
      }
      held.push(lease.held)
      hasWaited ||= lease.hasWaited
    }
    return { hasWaited, end: () => this.#release(held) }
  }

  isTaken(name: string): Promise<boolean> {
    const lease = { name: `turn ${name}`, nowMs: Date.now() }
    return this.#leases.isHeld(lease).catch(() => false)
  }

  async #acquire(
    name: string,
    giveUpAtMs: number,
  ): Promise<{ readonly held: HeldLease; readonly hasWaited: boolean } | undefined> {
    const lease = { name: `turn ${name}`, owner: randomUUID() }
    const yieldMs = (this.#endedAtMs.get(name) ?? 0) + YIELD_MS - performance.now()
    if (yieldMs > 0) await sleep(yieldMs)
    try {
      for (let hasWaited = false; ; hasWaited = true) {
        const fencingToken = await this.#tryAcquire(lease)
        if (fencingToken !== undefined) return { held: { ...lease, fencingToken }, hasWaited }
        if (performance.now() >= giveUpAtMs) return undefined
        await sleep(POLL_MS_MAX * (0.5 + Math.random() / 2))
      }
    } catch {
      return undefined
    }
  }

  /** Reads first: a poll that finds it held does not hold up who writes. */
  async #tryAcquire(lease: Pick<HeldLease, 'name' | 'owner'>): Promise<bigint | undefined> {
    const nowMs = Date.now()
    if (await this.#leases.isHeld({ name: lease.name, nowMs })) return undefined
    const outcome = await this.#leases.acquire({ ...lease, nowMs, durationMs: HELD_MS_MAX })
    return outcome.outcome === 'acquired' ? outcome.fencingToken : undefined
  }

  async #release(held: readonly HeldLease[]): Promise<void> {
    for (const lease of held) {
      await this.#leases.release(lease).catch(() => undefined)
      this.#remember(lease.name.slice('turn '.length))
    }
  }

  #remember(name: string): void {
    this.#endedAtMs.delete(name)
    this.#endedAtMs.set(name, performance.now())
    for (const oldest of this.#endedAtMs.keys()) {
      if (this.#endedAtMs.size <= ENDED_MAX) return
      this.#endedAtMs.delete(oldest)
    }
  }
}
