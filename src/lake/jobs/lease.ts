import type { Catalog } from '../../catalog/catalog.ts'
import type { HeldLease } from '../../catalog/lease-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { CatalogError } from '../../core/errors.ts'
import { LEASE_MS } from '../../core/limits.ts'
import { LinkedStop } from '../../core/linked-stop.ts'
import type { Log } from '../../core/log.ts'

const RENEWAL_MS = 2_500
const POLL_MS = 200

export interface LeaseDependencies {
  readonly catalog: Pick<Catalog, 'leases'>
  readonly ambient: Ambient
  readonly log: Log
}

export interface LeaseWish {
  /** Begins with what it is about, a word and a space, so that no two features mean the same. */
  readonly name: string
  readonly signal: AbortSignal
  /** Ends the wait for it, and its own signal, as `signal` does. */
  readonly stop?: AbortSignal
}

/**
 * While it is held nobody else has one of the name: no other process, and nothing else in this one.
 */
export class Lease {
  readonly #deps: LeaseDependencies
  readonly #held: HeldLease
  readonly #stop: LinkedStop
  readonly #renewal: NodeJS.Timeout
  #renewedAtMs: number
  #wasFree = false
  /**
   * Aborted when the lease is lost, or when the holder is to stop. What was written so far is safe
   * to write twice.
   */
  readonly signal: AbortSignal

  private constructor(deps: LeaseDependencies, { askedAtMs, ...held }: Asked, ends: AbortSignal[]) {
    this.#deps = deps
    this.#held = held
    this.#renewedAtMs = askedAtMs
    this.#stop = new LinkedStop(...ends)
    this.signal = this.#stop.signal
    this.#renewal = setInterval(() => {
      this.#renew().catch((err) =>
        deps.log.warn({ err, name: held.name }, 'a lease could not be renewed; trying again'),
      )
    }, RENEWAL_MS)
    this.#renewal.unref()
  }

  /** Waits for its turn. */
  static async acquire(deps: LeaseDependencies, wish: LeaseWish): Promise<Lease> {
    const owner = deps.ambient.newUuid()
    const { name } = wish
    const ends = endsOf(wish)
    const either = new LinkedStop(...ends)
    try {
      for (;;) {
        for (const end of ends) end.throwIfAborted()
        const held = await ask(deps, { name, owner })
        if (held !== undefined) return new Lease(deps, held, ends)
        await deps.ambient.sleep(POLL_MS, either.signal)
      }
    } finally {
      either.unlink()
    }
  }

  /** `undefined` when somebody has it. */
  static async tryAcquire(deps: LeaseDependencies, wish: LeaseWish): Promise<Lease | undefined> {
    const { name } = wish
    const owner = deps.ambient.newUuid()
    const held = await ask(deps, { name, owner })
    return held === undefined ? undefined : new Lease(deps, held, endsOf(wish))
  }

  /** Greater than that of any earlier holder of the name. */
  get fencingToken(): bigint {
    return this.#held.fencingToken
  }

  /**
   * Whether it may have expired at any time since it was acquired, though nobody took it: the
   * process was stopped, or the database out of reach.
   */
  get hasLapsed(): boolean {
    return this.#wasFree || performance.now() - this.#renewedAtMs > LEASE_MS
  }

  /**
   * Asked before what must not be done by two: throws unless the lease is ours, from now on for its
   * whole length.
   */
  async confirm(): Promise<void> {
    this.signal.throwIfAborted()
    await this.#renew()
    this.signal.throwIfAborted()
  }

  async release(): Promise<void> {
    clearInterval(this.#renewal)
    this.#stop.unlink()
    const { catalog } = this.#deps
    // Whoever waits gets it when it expires.
    await catalog.leases.release(this.#held).catch(() => undefined)
  }

  async #renew(): Promise<void> {
    const { catalog, ambient } = this.#deps
    const askedAtMs = performance.now()
    const request = { ...this.#held, nowMs: ambient.nowMs(), durationMs: LEASE_MS }
    if ((await catalog.leases.renew(request)) === 'renewed') {
      // It may be kept as late as now, while it counts from when it was asked for.
      this.#wasFree ||= performance.now() - this.#renewedAtMs > LEASE_MS
      this.#renewedAtMs = askedAtMs
      return
    }
    this.#stop.abort(new CatalogError('overloaded', 'another process took this over: try again'))
  }
}

/** It counts from when it was asked for: an answer that took long has used it up. */
interface Asked extends HeldLease {
  readonly askedAtMs: number
}

async function ask(
  { catalog, ambient }: LeaseDependencies,
  { name, owner }: { readonly name: string; readonly owner: string },
): Promise<Asked | undefined> {
  const askedAtMs = performance.now()
  const request = { name, owner, nowMs: ambient.nowMs(), durationMs: LEASE_MS }
  const outcome = await catalog.leases.acquire(request)
  if (outcome.outcome === 'held') return undefined
  return { name, owner, fencingToken: outcome.fencingToken, askedAtMs }
}

function endsOf({ signal, stop }: LeaseWish): AbortSignal[] {
  return stop === undefined ? [signal] : [signal, stop]
}
