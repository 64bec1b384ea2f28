type Close = () => unknown

/**
 * Everything opened so far, to be closed in reverse order. If closing one fails, the others are
 * closed all the same, and the first failure is thrown at the end.
 */
export class Opened {
  readonly #closers: Close[] = []
  #closed: Promise<void> | undefined

  /** Registers how to close `thing`, and returns it. */
  add<T>(thing: T, close: (thing: T) => unknown): T {
    this.#closers.push(() => close(thing))
    return thing
  }

  /** Closes everything. Further calls wait for the first one. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll()
    return this.#closed
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = []
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      try {
        await close()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
}

/** Runs `open`. If it fails, closes whatever it had opened before throwing the failure. */
export async function openAll<T>(open: (opened: Opened) => Promise<T>): Promise<T> {
  const opened = new Opened()
  try {
    return await open(opened)
  } catch (error) {
    // Report the original failure, not one of closing.
    await opened.close().catch(() => undefined)
    throw error
  }
}
