/**
 * A signal that ends with any of others, or by itself. Signals made with `AbortSignal.any` of one
 * that lives as long as the service leave a little memory behind each, in Node 20 and 22; this one
 * leaves nothing once it is unlinked.
 */
export class LinkedStop {
  readonly #own = new AbortController()
  readonly #sources: readonly AbortSignal[]
  readonly #follow = (): void => {
    const ended = this.#sources.find(({ aborted }) => aborted)
    this.#own.abort(ended?.reason)
  }

  /** The caller unlinks it when the work that it may stop is over. */
  constructor(...sources: readonly AbortSignal[]) {
    this.#sources = sources
    for (const source of sources) source.addEventListener('abort', this.#follow, { once: true })
    if (sources.some(({ aborted }) => aborted)) this.#follow()
  }

  get signal(): AbortSignal {
    return this.#own.signal
  }

  abort(reason: unknown): void {
    this.#own.abort(reason)
  }

  /** From now on the others do not end it. */
  unlink(): void {
    for (const source of this.#sources) source.removeEventListener('abort', this.#follow)
  }
}
