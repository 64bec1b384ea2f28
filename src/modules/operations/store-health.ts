import { CatalogError } from '../../core/errors.ts'
import { type Meter, refreshedGauge } from '../../http/metrics.ts'
import type { WatchedStore } from '../../objects/object-store-watch.ts'
import { NoReplyError, withinTime } from './within-time.ts'

export interface StoreAway {
  readonly name: string
  readonly isNeeded: boolean
  /** For people: what is wrong, and what to do. */
  readonly reason: string
}

/** Probes, however many there are, ask a store no more often. */
const UP_KEPT_MS = 5_000
const AWAY_KEPT_MS = 1_000

interface Seen {
  readonly atMs: number
  readonly reason: string | undefined
}

/** Which buckets are there, as they were found a moment ago. */
export class StoreHealth {
  readonly #stores: () => readonly WatchedStore[]
  readonly #nowMs: () => number
  readonly #seen = new Map<string, Seen>()
  readonly #looks = new Map<string, Promise<void>>()

  /** `nowMs` is a clock that nobody sets. */
  constructor(stores: () => readonly WatchedStore[], nowMs = () => performance.now()) {
    this.#stores = stores
    this.#nowMs = nowMs
  }

  /** Takes five seconds at most: who does not respond in time is away. */
  async findAway(): Promise<readonly StoreAway[]> {
    const found = await Promise.all(
      this.#stores().map(async (store) => ({ ...store, reason: await this.#reasonOf(store) })),
    )
    return found.flatMap(({ name, isNeeded, reason }) =>
      reason === undefined ? [] : [{ name, isNeeded, reason }],
    )
  }

  get meter(): Meter {
    const help = 'Whether a bucket responded when it was last asked: 1, or 0.'
    return refreshedGauge('moraine_store_up', help, 'store', () => {
      // Asked anew for the next reader: nobody waits for metrics.
      this.findAway().catch(() => undefined)
      return [...this.#seen].map(([name, { reason }]) => [name, reason === undefined ? 1 : 0])
    })
  }

  async #reasonOf(store: WatchedStore): Promise<string | undefined> {
    const { name } = store
    const seen = this.#seen.get(name)
    const keptMs = seen?.reason === undefined ? UP_KEPT_MS : AWAY_KEPT_MS
    if (seen !== undefined && this.#nowMs() - seen.atMs < keptMs) return seen.reason
    try {
      await withinTime(this.#lookAt(store), `the store ${name}`)
    } catch (error) {
      this.#note(name, reasonOf(name, error))
    }
    return this.#seen.get(name)?.reason
  }

  /** One look at a time, which goes on when nobody waits for it any more. */
  #lookAt(store: WatchedStore): Promise<void> {
    const { name } = store
    const running = this.#looks.get(name)
    if (running !== undefined) return running
    const look = store
      .look()
      .then(
        () => this.#note(name, undefined),
        (error: unknown) => this.#note(name, reasonOf(name, error)),
      )
      .finally(() => this.#looks.delete(name))
    this.#looks.set(name, look)
    return look
  }

  #note(name: string, reason: string | undefined): void {
    this.#seen.set(name, { atMs: this.#nowMs(), reason })
  }
}

function reasonOf(name: string, error: unknown): string {
  if (error instanceof NoReplyError) return error.message
  const told = error instanceof CatalogError ? error.message : 'it fails: the log says how'
  return `the store ${name} is away: ${told}`
}
