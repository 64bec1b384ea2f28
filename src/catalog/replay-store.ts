import type { EventOrigin } from '../core/event-origin.ts'
import type {
  AskedNamespace,
  NewReplay,
  ReplayKey,
  ReplayRecord,
  ReplayReservation,
  ReserveOutcome,
} from '../core/replay.ts'

/**
 * Answers to requests with an `Idempotency-Key`, so that a repeated request gets the same one.
 * A key may be reserved while its request is worked on; the clock is the caller's.
 * Its contract: test/catalog/replays.contract.ts.
 */
export interface ReplayStore {
  /** Found until it is forgotten, expired or not. A reservation is no answer. */
  find(key: ReplayKey): Promise<ReplayRecord | undefined>
  /**
   * Keeps an answer without an effect. Does nothing when the key has an answer or another's
   * reservation.
   */
  remember(replay: NewReplay): Promise<void>
  /** Replaces the answer to the same request, of which more is known now. */
  amend(replay: NewReplay): Promise<void>
  /** Takes a key that is free, or whose reservation has expired. */
  reserve(reservation: ReplayReservation): Promise<ReserveOutcome>
  /** From now on for the duration, unless somebody else has taken the key. */
  renew(reservation: ReplayReservation): Promise<'renewed' | 'lost'>
  /** Frees the key again: nothing was done. */
  release(reservation: ReplayKey & { readonly owner: string }): Promise<void>
  /** Forgets answers and reservations that expired before the instant. Returns how many. */
  forget(beforeMs: number): Promise<number>
}

export interface MutationOptions {
  /**
   * Kept in the database transaction of the mutation itself, and only if that changes something.
   * When the key is answered or reserved by another already, nothing is changed and
   * `idempotency-key-in-use` is thrown: who tries again finds the first answer.
   */
  readonly replay?: NewReplay
  /** Who asked for it: kept with the events that the mutation raises. */
  readonly events?: EventOrigin
  /**
   * When one of these names leads to another namespace, or none, nothing is changed and
   * `namespace-not-found` is thrown.
   */
  readonly namespaces?: readonly AskedNamespace[]
}
