import { CatalogError } from '../../../core/errors.ts'
import { ownCommand } from '../../../core/own-command.ts'

/** Clients that come back need not hurry: an operator has to act first. */
const RETRY_AFTER_SECONDS = 60

/**
 * Whether the database was found damaged. That is final: reads may still succeed, but whatever is
 * written from then on could be lost, and an answer of "nobody names it" could be wrong.
 */
export class Damage {
  readonly #onFound: (cause: unknown) => void
  #isFound = false
  #cause: unknown

  /** `onFound` is called once. */
  constructor(onFound: (cause: unknown) => void = () => undefined) {
    this.#onFound = onFound
  }

  found(cause: unknown): void {
    if (this.#isFound) return
    this.#isFound = true
    this.#cause = cause
    this.#onFound(cause)
  }

  /** Throws `catalog-damaged` once damage was found. */
  refuse(): void {
    if (this.#isFound) throw damaged(this.#cause)
  }
}

export function damaged(cause: unknown): CatalogError {
  return new CatalogError(
    'catalog-damaged',
    'the catalog database is damaged, so nothing is written any more; the operator restores a ' +
      `backup or runs ${ownCommand('rebuild')}`,
    { cause, facts: { retryAfterSeconds: RETRY_AFTER_SECONDS } },
  )
}
