import type { Catalog } from '../../catalog/catalog.ts'
import { pause } from '../jobs/bell.ts'
import { newClosing } from '../jobs/closing.ts'
import { Lease, type LeaseDependencies } from '../jobs/lease.ts'
import type { Consumer } from './consumer.ts'
import type { EventFeed } from './event-feed.ts'

const BATCH = 100
/** How soon another replica takes over when the one that had the lease has stopped. */
const LEASE_POLL_MS = 2_000
/** A cursor that passed nothing of interest is written down that often. */
const PASSING_MS = 30_000
const WAIT_MS = 60_000
const BACKOFF_MS_MIN = 500
const BACKOFF_MS_MAX = 60_000

export type ConsumerDependencies = LeaseDependencies & {
  readonly catalog: Pick<Catalog, 'events' | 'leases'>
}

interface Cursor {
  after: bigint
  savedAtMs: number
}

/** Hands events to those who consume them, until it is closed. */
export class Consumers {
  readonly #deps: ConsumerDependencies
  readonly #feed: EventFeed
  readonly #consumers: readonly Consumer[]
  readonly #closing = newClosing()
  #loops: readonly Promise<void>[] = []

  constructor(
    deps: ConsumerDependencies,
    { feed, consumers }: { readonly feed: EventFeed; readonly consumers: readonly Consumer[] },
  ) {
    this.#deps = deps
    this.#feed = feed
    this.#consumers = consumers
  }

  start(): void {
    this.#loops = this.#consumers.map((consumer) =>
      this.#persistently(consumer, () =>
        consumer.scope === 'cluster'
          ? this.#consumeForAll(consumer)
          : this.#consumeForUs(consumer, this.#closing.signal),
      ),
    )
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#loops)
  }

  async #persistently(consumer: Consumer, consume: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing
    let backoffMs = BACKOFF_MS_MIN
    while (!signal.aborted) {
      const beganAtMs = performance.now()
      try {
        await consume()
      } catch (err) {
        if (signal.aborted) return
        this.#deps.log.warn({ err, consumer: consumer.name }, 'events were not consumed; again')
        if (performance.now() - beganAtMs > BACKOFF_MS_MAX) backoffMs = BACKOFF_MS_MIN
        await pause(backoffMs, signal)
        backoffMs = Math.min(2 * backoffMs, BACKOFF_MS_MAX)
      }
    }
  }

  /** Under the lease, from the cursor that the last holder left. */
  async #consumeForAll(consumer: Consumer): Promise<void> {
    const { signal } = this.#closing
    const { events } = this.#deps.catalog
    const { name } = consumer
    const lease = await Lease.tryAcquire(this.#deps, { name: `consumer ${name}`, signal })
    if (lease === undefined) return pause(LEASE_POLL_MS, signal)
    try {
      const saved = await events.findCursor(name)
      const cursor = { after: saved ?? (await events.findRange()).forgotten, savedAtMs: 0 }
      while (!lease.signal.aborted) await this.#consumeNext(consumer, cursor, lease)
    } finally {
      await lease.release()
    }
  }

  /** From now on. A batch that fails comes again; its cursor is this process's own. */
  async #consumeForUs(consumer: Consumer, signal: AbortSignal): Promise<void> {
    const { last } = await this.#deps.catalog.events.findRange()
    let after = last
    await this.#persistently(consumer, async () => {
      while (!signal.aborted) {
        const page = await this.#nextPage(consumer, after, signal)
        if (page.events.length > 0) await consumer.handle(page.events, signal)
        after = page.nextAfter
      }
    })
  }

  async #consumeNext(consumer: Consumer, cursor: Cursor, lease: Lease): Promise<void> {
    const { name } = consumer
    const page = await this.#nextPage(consumer, cursor.after, lease.signal)
    if (page.forgotten > cursor.after) {
      this.#deps.log.warn({ consumer: name }, 'events were forgotten before they were consumed')
    }
    if (page.events.length > 0) await consumer.handle(page.events, lease.signal)
    const nowMs = performance.now()
    const isPassing = page.events.length === 0 && nowMs - cursor.savedAtMs < PASSING_MS
    if (page.nextAfter === cursor.after || isPassing) {
      cursor.after = page.nextAfter
      return
    }
    const position = page.nextAfter
    const { fencingToken } = lease
    const saved = await this.#deps.catalog.events.saveCursor({ name, position, fencingToken })
    if (saved === 'fenced') throw new Error(`another replica consumes for ${name}`)
    cursor.after = position
    cursor.savedAtMs = nowMs
  }

  /** Waits when there is nothing new. */
  async #nextPage({ events: types }: Consumer, after: bigint, signal: AbortSignal) {
    await this.#feed.waitPast(after, { waitMs: WAIT_MS, signal })
    return this.#deps.catalog.events.list({ after, types, limit: BATCH })
  }
}
