import { CatalogError } from './errors.ts'
import type { EventOrigin } from './event-origin.ts'

/**
 * One client's name for one request. Two principals may use the same key for different requests.
 */
export interface ReplayKey {
  readonly principal: string
  /** The `Idempotency-Key` of the request. */
  readonly key: string
}

/**
 * The answer to a request with an `Idempotency-Key`, kept so that a repeated request gets it again.
 */
export interface ReplayRecord extends ReplayKey {
  /** Hash of what makes the request: the same key on another request is a mistake of the client. */
  readonly requestHash: string
  /**
   * SHA-256 of an upload's body; null when the body was not read, or is part of the request hash.
   */
  readonly bodyHash: string | null
  readonly status: number
  /** What the answer is made from again; small, never a whole table. */
  readonly body: string
  readonly expiresAtMs: number
}

/** A record to write, and which reservations of its key it may replace. */
export interface NewReplay extends ReplayRecord {
  /** Any reservation that expired by now is replaced. */
  readonly nowMs: number
  /** Owner of the reservation that this answer ends. */
  readonly reservedBy?: string
}

/** A key that is in use: whoever reserved it works on the request. */
export interface ReplayReservation extends ReplayKey {
  readonly requestHash: string
  /** Unique to one attempt of one process. */
  readonly owner: string
  readonly nowMs: number
  readonly durationMs: number
}

/** What became of an attempt to reserve a key. */
export type ReserveOutcome =
  | { readonly outcome: 'reserved' }
  /**
   * Someone else works on a request with this key, at most until that instant unless they renew.
   */
  | { readonly outcome: 'in-use'; readonly requestHash: string; readonly expiresAtMs: number }
  | { readonly outcome: 'answered'; readonly record: ReplayRecord }

/** What a repeated request is answered from. */
export interface KeptAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** The answer's JSON, repeated verbatim unless it is too long to keep. */
  readonly value?: unknown
  /** Facts from which the route makes the answer again, when it has no value or too long a one. */
  readonly from?: Readonly<Record<string, unknown>>
  /**
   * More is known after the change: the reply replaces this, unless the process dies before. Until
   * then the route completes it, if it has facts.
   */
  readonly isProvisional?: boolean
}

/** What the name of a namespace led to when somebody was allowed a change by it. */
export interface AskedNamespace {
  readonly levels: readonly string[]
  readonly namespaceUuid: string
}

/** What a change stores in its own database transaction. */
export interface KeptWithEffect {
  readonly replay?: NewReplay
  /** Who asked for it: kept with the events that it raises. */
  readonly events?: EventOrigin
  /** Who asked for it was allowed it on these. */
  readonly namespaces?: readonly AskedNamespace[]
}

/** What to keep of a change, given what the change comes to. */
export type Keep<Result> = (result: Result) => KeptWithEffect

/**
 * Keeps the answer to a request with an `Idempotency-Key`, without a key none, and who asked for
 * the change.
 */
export interface AnswerKeeper {
  /** For the change that the answer tells of. */
  withEffect(answer: KeptAnswer): KeptWithEffect
  /** As `withEffect`, for an answer that is known when the change is: made only if it is kept. */
  keeping<Result>(answer: (result: Result) => KeptAnswer): Keep<Result>
  /** For a request that turned out to change nothing. */
  withoutEffect(answer: KeptAnswer): Promise<void>
}

/** The keeper of changes that no request asks for. */
export const KEEPS_NOTHING: AnswerKeeper = {
  withEffect: () => ({}),
  keeping: () => () => ({}),
  withoutEffect: () => Promise.resolve(),
}

const RETRY_AFTER_SECONDS = 1

/** For the one who comes second: the first answer is there, or will be. */
export function keyInUse(
  { key }: Pick<ReplayKey, 'key'>,
  retryAfterSeconds = RETRY_AFTER_SECONDS,
): CatalogError {
  return new CatalogError(
    'idempotency-key-in-use',
    `a request with the Idempotency-Key ${key} is being worked on: try again soon`,
    { facts: { retryAfterSeconds } },
  )
}
