import type { Stores } from '../../catalog/catalog.ts'
import type { HeldLease, LeaseOutcome } from '../../catalog/lease-store.ts'
import { CatalogError } from '../../core/errors.ts'
import type { DumpDependencies } from './dump-dependencies.ts'

/** How long others wait for a process that was killed. */
const DURATION_MS = 10_000
const RENEWAL_MS = 2_500
const POLL_MS = 200

type LeaseDependencies = Stores<'leases'> & Pick<DumpDependencies, 'ambient' | 'log'>

export interface LeaseWish {
  /** Of one table and format: shards are shared among its dumps, and a sweep must not meet a half-made one. */
  readonly folder: string
  readonly signal: AbortSignal
}

/** While it is held no other process, and nothing else in this one, makes or removes dumps in the folder. */
export class DumpLease {
  readonly #deps: LeaseDependencies
  readonly #held: HeldLease
  readonly #lost = new AbortController()
  readonly #renewal: NodeJS.Timeout
  /** Aborted when the lease is lost, or when the holder is to stop. What was written so far is safe to write twice. */
  readonly signal: AbortSignal

  private constructor(deps: LeaseDependencies, held: HeldLease, signal: AbortSignal) {
    this.#deps = deps
    this.#held = held
    this.signal = AbortSignal.any([signal, this.#lost.signal])
    this.#renewal = setInterval(() => {
      this.#renew().catch((err) =>
        deps.log.warn({ err, name: held.name }, 'a lease could not be renewed; trying again'),
      )
    }, RENEWAL_MS)
    this.#renewal.unref()
  }

  /** Waits for its turn. */
  static async acquire(deps: LeaseDependencies, { folder, signal }: LeaseWish): Promise<DumpLease> {
    const name = nameOf(folder)
    const owner = deps.ambient.newUuid()
    for (;;) {
      signal.throwIfAborted()
      const outcome = await ask(deps, { name, owner })
      if (outcome.outcome === 'acquired') {
        return new DumpLease(deps, { name, owner, fencingToken: outcome.fencingToken }, signal)
      }
      await deps.ambient.sleep(POLL_MS)
    }
  }

  /** `undefined` when somebody has it. */
  static async tryAcquire(
    deps: LeaseDependencies,
    { folder, signal }: LeaseWish,
  ): Promise<DumpLease | undefined> {
    const name = nameOf(folder)
    const owner = deps.ambient.newUuid()
    const outcome = await ask(deps, { name, owner })
    if (outcome.outcome === 'held') return undefined
    return new DumpLease(deps, { name, owner, fencingToken: outcome.fencingToken }, signal)
  }

  /** Asked before what must not be done by two: throws unless the lease is ours, from now on for its whole length. */
  async confirm(): Promise<void> {
    this.signal.throwIfAborted()
    await this.#renew()
    this.signal.throwIfAborted()
  }

  async release(): Promise<void> {
    clearInterval(this.#renewal)
    const { catalog, ambient } = this.#deps
    // Whoever waits gets it when it expires.
    await catalog.leases.release({ ...this.#held, nowMs: ambient.nowMs() }).catch(() => undefined)
  }

  async #renew(): Promise<void> {
    const { catalog, ambient } = this.#deps
    const request = { ...this.#held, nowMs: ambient.nowMs(), durationMs: DURATION_MS }
    if ((await catalog.leases.renew(request)) === 'renewed') return
    this.#lost.abort(
      new CatalogError('overloaded', 'another process took the dump over: try again'),
    )
  }
}

function ask(
  { catalog, ambient }: LeaseDependencies,
  { name, owner }: { readonly name: string; readonly owner: string },
): Promise<LeaseOutcome> {
  return catalog.leases.acquire({ name, owner, nowMs: ambient.nowMs(), durationMs: DURATION_MS })
}

function nameOf(folder: string): string {
  return `dump ${folder}`
}
