import { CatalogError } from '../../../core/errors.ts'

/** Counts at once in one process: each has a connection of a source, for up to ten minutes. */
const COUNTS_MAX = 4
const RETRY_AFTER_SECONDS = 5

/** A few counts of what runs would archive, and no more. */
export class DryRuns {
  #running = 0

  /** Throws `overloaded` when too many count already. */
  async count(rows: () => Promise<number>): Promise<number> {
    if (this.#running >= COUNTS_MAX) {
      const detail = `too many dry runs: the rows of ${this.#running} are being counted already`
      throw new CatalogError('overloaded', detail, {
        facts: { countsMax: COUNTS_MAX, retryAfterSeconds: RETRY_AFTER_SECONDS },
      })
    }
    this.#running++
    try {
      return await rows()
    } finally {
      this.#running--
    }
  }
}
