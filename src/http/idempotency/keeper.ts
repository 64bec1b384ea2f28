import type { EventOrigin } from '../../core/event-origin.ts'
import type {
  AnswerKeeper,
  KeptAnswer,
  KeptWithEffect,
  NewReplay,
  ReplayKey,
} from '../../core/replay.ts'
import type { Reply } from '../reply.ts'
import { storedReply, storedText } from './kept-reply.ts'
import type { Replays } from './replays.ts'

/** How long a client may repeat a request (ISO 8601); advertised to clients. */
export const IDEMPOTENCY_KEY_LIFETIME = 'PT1H'
const LIFETIME_MS = 3600 * 1000
/** Extra time for clock differences and repetitions in transit. */
const GRACE_MS = 300 * 1000

export interface KeyedRequest extends ReplayKey {
  readonly requestHash: string
}

/** Stores the response to one request with a key. */
export class Keeper implements AnswerKeeper {
  readonly #replays: Replays
  readonly #nowMs: () => number
  readonly #keyed: KeyedRequest
  readonly #origin: EventOrigin
  readonly #reservedBy: string | undefined
  /** Hash of an upload's body, once it was read. */
  bodyHash: string | null = null
  /** Changes that should store the response: the last of them did, unless all were refused. */
  #attempts = 0
  #isRemembered = false
  #isProvisional = false

  constructor(
    { replays, nowMs }: { readonly replays: Replays; readonly nowMs: () => number },
    { keyed, origin }: { readonly keyed: KeyedRequest; readonly origin: EventOrigin },
    reservedBy?: string,
  ) {
    this.#replays = replays
    this.#nowMs = nowMs
    this.#keyed = keyed
    this.#origin = origin
    this.#reservedBy = reservedBy
  }

  withEffect(answer: KeptAnswer): KeptWithEffect {
    this.#attempts++
    this.#isProvisional = answer.isProvisional === true
    return { replay: this.#record(answer.status, storedText(answer)), events: this.#origin }
  }

  keeping<Result>(answer: (result: Result) => KeptAnswer): (result: Result) => KeptWithEffect {
    return (result) => this.withEffect(answer(result))
  }

  async withoutEffect(answer: KeptAnswer): Promise<void> {
    this.#isRemembered = true
    await this.#replays.remember(this.#record(answer.status, storedText(answer)))
  }

  /** Stores a reply that no change has stored. */
  async end(reply: Reply): Promise<void> {
    const isKept = this.#attempts === 1 || this.#isRemembered
    if (isKept && !this.#isProvisional) return
    const stored = storedReply(reply)
    if (stored === undefined) return
    const record = this.#record(reply.status, stored)
    if (this.#isProvisional) await this.#replays.amend(record)
    // After several attempts, the last one may have stored it: then this changes nothing.
    else await this.#replays.remember(record)
  }

  /** Stores a refusal that a repeated request must get again. */
  async refused(reply: Reply): Promise<void> {
    const stored = storedReply(reply)
    if (stored !== undefined) await this.#replays.remember(this.#record(reply.status, stored))
  }

  #record(status: number, body: string): NewReplay {
    const nowMs = this.#nowMs()
    return {
      ...this.#keyed,
      bodyHash: this.bodyHash,
      status,
      body,
      expiresAtMs: nowMs + LIFETIME_MS + GRACE_MS,
      nowMs,
      ...(this.#reservedBy === undefined ? {} : { reservedBy: this.#reservedBy }),
    }
  }
}

/** For a request without a key: stores no response, only who requested the change. */
export class KeylessKeeper implements AnswerKeeper {
  readonly #kept: KeptWithEffect

  constructor(origin: EventOrigin) {
    this.#kept = { events: origin }
  }

  withEffect(): KeptWithEffect {
    return this.#kept
  }

  keeping(): () => KeptWithEffect {
    return () => this.#kept
  }

  withoutEffect(): Promise<void> {
    return Promise.resolve()
  }
}
