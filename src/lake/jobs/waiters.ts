import { CatalogError } from '../../core/errors.ts'

const WAITERS_MAX = 1_000

/**
 * Requests that wait for something to happen: a bounded number, and none past the end of the
 * service.
 */
export class Waiters {
  readonly #max: number
  readonly #closing = new AbortController()
  #count = 0

  constructor(max = WAITERS_MAX) {
    this.#max = max
  }

  /**
   * Does the work with a signal that ends with the client's and with the service. Throws
   * `overloaded` when too many wait already.
   */
  async wait<T>(signal: AbortSignal, work: (waiting: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#count >= this.#max) {
      throw new CatalogError('overloaded', 'too many requests wait already: ask without "wait"', {
        facts: { waitingMax: this.#max, retryAfterSeconds: 5 },
      })
    }
    this.#count++
    try {
      return await work(AbortSignal.any([signal, this.#closing.signal]))
    } finally {
      this.#count--
    }
  }

  /** How many wait now. */
  get count(): number {
    return this.#count
  }

  /** Lets all waiting callers return with what there is. */
  close(): void {
    this.#closing.abort()
  }
}
