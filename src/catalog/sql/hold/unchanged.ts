interface Seen {
  readonly value: string
  readonly sinceMs: number
}

/**
 * What is dated by a clock ahead, as this process sees it. Who wrote it may live, by a clock that
 * has been put right since, or that is ahead of the one here: then it changes as often as it is
 * renewed. It is a dead one's if it stays the same.
 */
export class Unchanged {
  readonly #seen = new Map<string, Seen>()

  /** Whether it has stayed the same for over `forMs`, when it was asked for at `askedAtMs`. */
  isOver(
    key: string,
    value: string,
    { askedAtMs, forMs }: { readonly askedAtMs: number; readonly forMs: number },
  ): boolean {
    const seen = this.#seen.get(key)
    if (seen?.value === value) return askedAtMs - seen.sinceMs > forMs
    // As late as the answer, of what may have been so since the question.
    this.#seen.set(key, { value, sinceMs: performance.now() })
    return false
  }

  forget(key: string): void {
    this.#seen.delete(key)
  }

  /** Forgets what is ahead no more. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#seen.keys()) if (!keys.has(key)) this.#seen.delete(key)
  }
}
