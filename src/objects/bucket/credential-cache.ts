import { isFresh } from '../../core/is-fresh.ts'
import type { EngineSettings } from '../object-vending.ts'

/** Folders whose credentials are kept: about a kilobyte each. */
const ENTRIES_MAX = 2_000
/** Shorter than any life that a store gives. */
const LIFE_LEFT_MS_MIN = 15 * 60_000
/** How long a refusal is repeated before the issuer is asked again. */
const REFUSED_MS = 5_000

export interface IssuedCredentials {
  readonly settings: EngineSettings
  readonly expiresAtMs: number
}

interface Entry {
  readonly issued: Promise<IssuedCredentials>
  /** When they were asked for, and for how long no newer ones are. */
  askedAtMs: number
  freshMs: number
  expiresAtMs: number
}

/**
 * Credentials by folder, shared by all who ask, so that loading a table seldom asks their issuer.
 * In the second half of their life newer ones are asked for; if there are none, the older ones
 * serve while they last.
 */
export class CredentialCache {
  readonly #entries = new Map<string, Entry>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  async get(key: string, issue: () => Promise<IssuedCredentials>): Promise<IssuedCredentials> {
    const before = this.#entries.get(key)
    const isKept = before !== undefined && isFresh(before.askedAtMs, before.freshMs, this.#nowMs())
    if (isKept) return before.issued
    const entry = this.#ask(issue, before)
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > ENTRIES_MAX && oldest !== undefined) this.#entries.delete(oldest)
    return entry.issued
  }

  #ask(issue: () => Promise<IssuedCredentials>, before: Entry | undefined): Entry {
    const issued = issue().catch((error: unknown) => {
      const isLasting =
        before !== undefined && before.expiresAtMs - this.#nowMs() > LIFE_LEFT_MS_MIN
      if (isLasting) return before.issued
      throw error
    })
    const askedAtMs = this.#nowMs()
    const entry = { issued, askedAtMs, freshMs: Number.POSITIVE_INFINITY, expiresAtMs: 0 }
    const answered = (answer: { readonly expiresAtMs: number; readonly freshMs: number }) => {
      Object.assign(entry, answer, { askedAtMs: this.#nowMs() })
    }
    issued.then(
      ({ expiresAtMs }) => answered({ expiresAtMs, freshMs: (expiresAtMs - this.#nowMs()) / 2 }),
      () => answered({ expiresAtMs: 0, freshMs: REFUSED_MS }),
    )
    return entry
  }
}
