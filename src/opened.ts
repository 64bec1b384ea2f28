type Close = () => unknown

/**
 * What was opened so far, to be closed in reverse order. A failure to close one keeps none of the
 * others open; the first such failure is thrown at the end.
 */
export class Opened {
  readonly #closers: Close[] = []
  #closed: Promise<void> | undefined

  /** Remembers how to close what has just been opened, and returns it. */
  add<T>(thing: T, close: (thing: T) => unknown): T {
    this.#closers.push(() => close(thing))
    return thing
  }

  /** Closes everything once, however often it is called. */
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

/** Runs `open`. When it fails, whatever it had opened is closed before the failure is passed on. */
export async function openAll<T>(open: (opened: Opened) => Promise<T>): Promise<T> {
  const opened = new Opened()
  try {
    return await open(opened)
  } catch (error) {
    // The failure that led here is the one to tell.
    await opened.close().catch(() => undefined)
    throw error
  }
}
