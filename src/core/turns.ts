/** Work between two turns of the event loop. */
const SLICE_MS = 8

/** Those that wait for a turn, first come first served. */
const WAITING: (() => void)[] = []

/**
 * Lets others work while something long goes on. However many such works there are, only one of them has a slice
 * before the event loop looks at its sockets and timers again.
 */
export class Turns {
  #endMs = 0

  /** `undefined`: go on. The first call always waits, so that many requests that come at once take turns, too. */
  take(): Promise<void> | undefined {
    return performance.now() < this.#endMs ? undefined : this.#wait()
  }

  async #wait(): Promise<void> {
    await new Promise<void>((resolve) => {
      WAITING.push(resolve)
      if (WAITING.length === 1) setImmediate(giveTurn)
    })
    this.#endMs = performance.now() + SLICE_MS
  }
}

function giveTurn(): void {
  // Immediates that are set now run after the next look at sockets and timers.
  WAITING.shift()?.()
  if (WAITING.length > 0) setImmediate(giveTurn)
}
