import type { EventOrigin } from './event-store.ts'

/** Answers to requests with an `Idempotency-Key`, so that a repeated request gets the same one. */
export interface ReplayStore {
  /** Found until it is forgotten, expired or not. */
  find(key: string): Promise<ReplayRecord | undefined>
  /** Of a final refusal, which changed nothing else. Does nothing when the key is there. */
  remember(record: ReplayRecord): Promise<void>
  /** Forgets those that expired before the instant. Returns how many. */
  forget(beforeMs: number): Promise<number>
}

export interface ReplayRecord {
  readonly key: string
  /** Hash of method, path and body: the same key on another request is a mistake of the client. */
  readonly requestHash: string
  readonly status: number
  /** What the answer is made from again; small, never a whole table. */
  readonly body: string
  readonly expiresAtMs: number
}

export interface MutationOptions {
  /**
   * Kept in the database transaction of the mutation itself, and only if that changes something.
   * When the key is there already, nothing is changed and `overloaded` is thrown: who tries again
   * finds the first answer.
   */
  readonly replay?: ReplayRecord
  /** Who asked for it: kept with the events that the mutation raises. */
  readonly events?: EventOrigin
}
