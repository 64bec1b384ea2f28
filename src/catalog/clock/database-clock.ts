import type { Catalog } from '../catalog.ts'

const SYNC_MS = 10_000
/** The computer's clock was set, or slept: what is known of the database's is no longer sure. */
const JUMP_MS = 1_000
/** An answer that was away for longer is taken only if nothing better is known. */
const ROUND_TRIP_MS_MAX = 1_000
/** Until an answer is asked for again that took too long, and how often at the start. */
const AGAIN_MS = 1_000
const FIRST_ATTEMPTS_MAX = 3

interface Sample {
  /** The database's time, in epoch milliseconds, and this process's when the answer was here. */
  readonly databaseMs: number
  readonly monotonicMs: number
  readonly wallMs: number
  readonly roundTripMs: number
}

/**
 * The clock of the database, which all processes on it share: leases, expiry and the stamps of
 * snapshots go by it, whatever the clocks of their computers say. Asked now and then, and counted
 * on from the moment when the answer is here. So it is never ahead of the database: who is ahead
 * takes leases over that are held. It is behind by no more than the round trip, which is bounded,
 * because who is behind is taken for dead.
 */
export class DatabaseClock {
  readonly #catalog: Pick<Catalog, 'readClock'>
  readonly #timer: NodeJS.Timeout
  #again: NodeJS.Timeout | undefined
  #sample: Sample | undefined
  #isAsking = false
  #isClosed = false

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
    for (let attempt = 0; attempt < FIRST_ATTEMPTS_MAX; attempt++) {
      await clock.#sync()
      if (clock.#sample === undefined || isSure(clock.#sample)) break
    }
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
    this.#isClosed = true
    clearInterval(this.#timer)
    clearTimeout(this.#again)
  }

  async #sync(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      const askedAtMs = performance.now()
      const databaseMs = await this.#catalog.readClock()
      if (databaseMs === undefined) return
      const monotonicMs = performance.now()
      const roundTripMs = monotonicMs - askedAtMs
      this.#learn({ databaseMs, monotonicMs, wallMs: Date.now(), roundTripMs })
    } catch {
      // Out of reach: counted on from the last answer.
    } finally {
      this.#isAsking = false
    }
  }

  #learn(answer: Sample): void {
    const known = this.#sample
    if (known === undefined || isSure(answer) || !isBetter(known, answer)) this.#sample = answer
    if (isSure(answer) || this.#isClosed) return
    clearTimeout(this.#again)
    this.#again = setTimeout(() => void this.#sync(), AGAIN_MS).unref()
  }
}

function isSure({ roundTripMs }: Sample): boolean {
  return roundTripMs <= ROUND_TRIP_MS_MAX
}

/**
 * Whether what is known is surer than the answer and agrees with it: the database's clock was set
 * in between, or this computer slept, if it does not.
 */
function isBetter(known: Sample, answer: Sample): boolean {
  const { databaseMs, monotonicMs, roundTripMs } = answer
  const aheadMs = known.databaseMs + (monotonicMs - known.monotonicMs) - databaseMs
  const agrees = aheadMs >= -JUMP_MS && aheadMs <= roundTripMs + JUMP_MS
  return agrees && known.roundTripMs <= roundTripMs
}
