/** How long the place of a job whose turn has come is kept for it: it looks every 2 s. */
const KEPT_MS = 6_000
/** After so long without a look a job is no longer in line: it has ended, or runs elsewhere. */
const UNSEEN_MS = 10_000

type Waiting =
  | { readonly kind: 'query'; readonly start: () => void }
  | { readonly kind: 'job'; readonly key: string; seenAtMs: number }

/**
 * The places of one caller, first come, first served. Queries wait here; a job, which holds
 * nothing while it waits, has its place in line and comes again.
 */
export class QueryLine {
  readonly #placesMax: number
  #running = 0
  readonly #waiting: Waiting[] = []
  /** Places that are kept for jobs. */
  readonly #kept = new Map<string, NodeJS.Timeout>()

  constructor(placesMax: number) {
    this.#placesMax = placesMax
  }

  /** Queries and jobs that run here, and queries that wait. */
  get taken(): number {
    const waiting = this.#waiting.filter(({ kind }) => kind === 'query').length
    return this.#running - this.#kept.size + waiting
  }

  /** Takes a place when its turn comes; rejects with the reason of the signal. */
  async enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#running < this.#placesMax) {
      this.#running++
      return
    }
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(signal.reason)
      }
      const start = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const waiting: Waiting = { kind: 'query', start }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiting.push(waiting)
    })
  }

  /** Whether a job has a place now; else it is in line from its first look on. */
  enterJob(key: string): boolean {
    const kept = this.#kept.get(key)
    if (kept !== undefined) {
      clearTimeout(kept)
      this.#kept.delete(key)
      return true
    }
    if (this.#running < this.#placesMax) {
      this.#running++
      return true
    }
    const seenAtMs = performance.now()
    const inLine = this.#waiting.find((each) => each.kind === 'job' && each.key === key)
    if (inLine?.kind === 'job') inLine.seenAtMs = seenAtMs
    else this.#waiting.push({ kind: 'job', key, seenAtMs })
    return false
  }

  /** Gives the place to the next in line, if there is one. */
  leave(): void {
    for (;;) {
      const next = this.#waiting.shift()
      if (next?.kind === 'job' && performance.now() - next.seenAtMs > UNSEEN_MS) continue
      if (next === undefined) this.#running--
      else if (next.kind === 'query') next.start()
      else this.#keepFor(next.key)
      return
    }
  }

  #keepFor(key: string): void {
    const giveUp = () => {
      this.#kept.delete(key)
      this.leave()
    }
    this.#kept.set(key, setTimeout(giveUp, KEPT_MS).unref())
  }
}
