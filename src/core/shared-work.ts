import { untilStopped } from './until-stopped.ts'

/** Work that several may wait for, and that is stopped when nobody waits any longer. */
export class SharedWork<T> {
  readonly #stop = new AbortController()
  readonly #work: Promise<T>
  #state: 'running' | 'done' | 'failed' = 'running'
  #waiting = 0

  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.#work = work(this.#stop.signal)
    // Whoever waits hears of a failure.
    this.#work.then(
      () => {
        this.#state = 'done'
      },
      () => {
        this.#state = 'failed'
      },
    )
  }

  /** Whether it was stopped or has failed, so that it has no result for who comes now. */
  get isLost(): boolean {
    return this.#state === 'failed' || this.#stop.signal.aborted
  }

  get isDone(): boolean {
    return this.#state === 'done'
  }

  /** Resolves when the work is over, however it ends. */
  async over(): Promise<void> {
    await this.#work.catch(() => undefined)
  }

  async result(signal: AbortSignal): Promise<T> {
    this.#waiting++
    try {
      return await untilStopped(this.#work, signal)
    } finally {
      this.#waiting--
      if (this.#waiting === 0 && this.#state === 'running') this.#stop.abort(signal.reason)
    }
  }
}
