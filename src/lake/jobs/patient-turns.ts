/** A disk that takes longer is away. */
const PATIENCE_MS = 10_000

interface Waiting {
  begin(): Promise<void>
  refuse(): void
}

/**
 * Calls that may never end, as those of a disk that is away: one at a time, so that one alone
 * hangs. Once it has taken too long, it and all others are refused until it ends.
 */
export class PatientTurns {
  readonly #patienceMs: number
  readonly #waiting: Waiting[] = []
  #isBusy = false
  #isHanging = false

  constructor(patienceMs = PATIENCE_MS) {
    this.#patienceMs = patienceMs
  }

  /** Throws what `refusal` returns; the call goes on, and nobody learns what came of it. */
  run<T>(call: () => Promise<T>, refusal: () => Error): Promise<T> {
    if (this.#isHanging) return Promise.reject(refusal())
    return new Promise<T>((resolve, reject) => {
      const refuse = () => reject(refusal())
      const begin = async () => {
        try {
          resolve(await call())
        } catch (error) {
          reject(error)
        }
      }
      this.#waiting.push({ begin, refuse })
      this.#next()
    })
  }

  #next(): void {
    if (this.#isBusy) return
    const turn = this.#waiting.shift()
    if (turn === undefined) return
    this.#isBusy = true
    const timer = setTimeout(() => {
      this.#isHanging = true
      for (const { refuse } of [turn, ...this.#waiting.splice(0)]) refuse()
    }, this.#patienceMs)
    void turn.begin().finally(() => {
      clearTimeout(timer)
      this.#isBusy = false
      this.#isHanging = false
      this.#next()
    })
  }
}
