/** Length of a slice of work between two turns of the event loop. */
const SLICE_MS = 8

/** Callers waiting for a turn, first come, first served. */
const WAITING: (() => void)[] = []

/**
 * Lets long work yield to others. However many callers there are, only one of them runs a slice
 * before the event loop handles its sockets and timers again.
 */
export class Turns {
  #endMs = 0

  /**
   * Returns `undefined` to continue at once. The first call always waits, so that requests that
   * arrive together take turns, too.
   */
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
  // Immediates set now run after the event loop has handled sockets and timers.
  WAITING.shift()?.()
  if (WAITING.length > 0) setImmediate(giveTurn)
}
