import { CatalogError } from '../../core/errors.ts'

const WAITERS_MAX = 1_000

/**
 * Requests that wait for something to happen: a bounded number, and none past the end of the
 * service.
 */
export class Waiters {
  readonly #max: number
  /**
   * One for each. Signals made with `AbortSignal.any` of one that lives as long as the service
   * would leave a little memory behind each, in Node 20 and 22.
   */
  readonly #waiting = new Set<AbortController>()
  #isClosed = false

  constructor(max = WAITERS_MAX) {
    this.#max = max
  }

  /**
   * Does the work with a signal that ends with the client's and with the service. Throws
   * `overloaded` when too many wait already.
   */
  async wait<T>(signal: AbortSignal, work: (waiting: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#waiting.size >= this.#max) {
      throw new CatalogError('overloaded', 'too many requests wait already: ask without "wait"', {
        facts: { waitingMax: this.#max, retryAfterSeconds: 5 },
      })
    }
    const stop = new AbortController()
    const leave = () => stop.abort(signal.reason)
    if (signal.aborted || this.#isClosed) leave()
    signal.addEventListener('abort', leave, { once: true })
    this.#waiting.add(stop)
    try {
      return await work(stop.signal)
    } finally {
      this.#waiting.delete(stop)
      signal.removeEventListener('abort', leave)
    }
  }

  /** How many wait now. */
  get count(): number {
    return this.#waiting.size
  }

  /** Lets all waiting callers return with what there is. */
  close(): void {
    this.#isClosed = true
    for (const stop of this.#waiting) stop.abort()
  }
}
