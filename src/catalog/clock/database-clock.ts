import type { Catalog } from '../catalog.ts'

const SYNC_MS = 10_000
/** The computer's clock was set, or slept: what is known of the database's is no longer sure. */
const JUMP_MS = 1_000

interface Sample {
  /** The database's time, in epoch milliseconds, and this process's at the same moment. */
  readonly databaseMs: number
  readonly monotonicMs: number
  readonly wallMs: number
}

/**
 * The clock of the database, which all processes on it share: leases, expiry and the stamps of
 * snapshots go by it, whatever the clocks of their computers say. Asked now and then, and counted
 * on from there; exact to half a round trip.
 */
export class DatabaseClock {
  readonly #catalog: Pick<Catalog, 'readClock'>
  readonly #timer: NodeJS.Timeout
  #sample: Sample | undefined
  #isAsking = false

  private constructor(catalog: Pick<Catalog, 'readClock'>) {
    this.#catalog = catalog
    this.#timer = setInterval(() => void this.#sync(), SYNC_MS)
    this.#timer.unref()
  }

  /**
   * `undefined` for a database that has the clock of this computer. The caller closes it before the
   * catalog.
   */
  static async of(catalog: Pick<Catalog, 'readClock'>): Promise<DatabaseClock | undefined> {
    const clock = new DatabaseClock(catalog)
    await clock.#sync()
    if (clock.#sample !== undefined) return clock
    clock.close()
    return undefined
  }

  readonly nowMs = (): number => {
    const sample = this.#sample
    if (sample === undefined) return Date.now()
    const passedMs = performance.now() - sample.monotonicMs
    const jumpMs = Math.abs(Date.now() - sample.wallMs - passedMs)
    if (jumpMs > JUMP_MS) void this.#sync()
    return Math.round(sample.databaseMs + passedMs)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #sync(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      const askedAtMs = performance.now()
      const databaseMs = await this.#catalog.readClock()
      const monotonicMs = (askedAtMs + performance.now()) / 2
      if (databaseMs === undefined) return
      const wallMs = Date.now() - (performance.now() - monotonicMs)
      this.#sample = { databaseMs, monotonicMs, wallMs }
    } catch {
      // Out of reach: counted on from the last answer.
    } finally {
      this.#isAsking = false
    }
  }
}
