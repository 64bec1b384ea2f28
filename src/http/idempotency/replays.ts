import type {
  NewReplay,
  ReplayKey,
  ReplayRecord,
  ReplayReservation,
  ReserveOutcome,
} from '../../core/replay.ts'

/** Stores responses to requests with a key. The catalog's `ReplayStore` is one. */
export interface Replays {
  find(key: ReplayKey): Promise<ReplayRecord | undefined>
  remember(replay: NewReplay): Promise<void>
  amend(replay: NewReplay): Promise<void>
  reserve(reservation: ReplayReservation): Promise<ReserveOutcome>
  renew(reservation: ReplayReservation): Promise<'renewed' | 'lost'>
  release(reservation: ReplayKey & { readonly owner: string }): Promise<void>
}
