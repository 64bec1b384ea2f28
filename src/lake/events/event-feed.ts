import type { Catalog } from '../../catalog/catalog.ts'
import type { Log } from '../../core/log.ts'
import { Bell } from '../jobs/bell.ts'

/** How soon an event of another process is seen. */
const POLL_MS = 500

/** Tells when there are new events: one look at the catalog for all who wait in this process. */
export class EventFeed {
  readonly #catalog: Pick<Catalog, 'events'>
  readonly #log: Log
  readonly #pollMs: number
  readonly #closing = new AbortController()
  readonly #news = new Bell()
  readonly #pause = new Bell()
  #waiting = 0
  #last = -1n
  #polling: Promise<void> | undefined

  constructor(
    { catalog, log }: { readonly catalog: Pick<Catalog, 'events'>; readonly log: Log },
    { pollMs = POLL_MS } = {},
  ) {
    this.#catalog = catalog
    this.#log = log
    this.#pollMs = pollMs
  }

  /**
   * Resolves when there is an event after the position, when the time is over or the signal ends;
   * never throws.
   */
  async waitPast(
    after: bigint,
    { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const closing = this.#closing.signal
    const endMs = performance.now() + waitMs
    this.#waiting++
    try {
      this.#polling ??= this.#poll()
      while (this.#last <= after && !signal.aborted && !closing.aborted) {
        const leftMs = endMs - performance.now()
        if (leftMs <= 0) return
        await this.#news.wait(leftMs, signal)
      }
    } finally {
      this.#waiting--
      if (this.#waiting === 0) this.#pause.ring()
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#news.ring()
    await this.#polling
  }

  /** As long as somebody waits. */
  async #poll(): Promise<void> {
    const { signal } = this.#closing
    while (this.#waiting > 0 && !signal.aborted) {
      try {
        const { last } = await this.#catalog.events.findRange()
        if (last !== this.#last) {
          this.#last = last
          this.#news.ring()
        }
      } catch (err) {
        this.#log.warn({ err }, 'events could not be looked for; trying again')
      }
      await this.#pause.wait(this.#pollMs, signal)
    }
    this.#polling = undefined
  }
}
