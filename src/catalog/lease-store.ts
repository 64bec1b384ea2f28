/**
 * One holder at a time of a thing with a name, over all processes, for as long as it renews. The
 * clock is the caller's, who has it from the database (database-clock.ts). A lease keeps two from
 * doing one work, not from thinking that they do: who finds it `lost` must stop, and what it writes
 * must be safe to write twice or carry the fencing token.
 */
export interface LeaseStore {
  /**
   * `held` if anyone holds it, the same owner included. What a clock ahead has taken is free when
   * this process has seen that nobody renews it.
   */
  acquire(request: LeaseRequest): Promise<LeaseOutcome>
  /** Whether anyone holds it. */
  isHeld(lease: { readonly name: string; readonly nowMs: number }): Promise<boolean>
  /** From now on for the duration, also when it expired and nobody took it since. */
  renew(lease: LeaseRequest & HeldLease): Promise<'renewed' | 'lost'>
  /** From now on others may acquire it. */
  release(lease: HeldLease): Promise<'released' | 'lost'>
  /**
   * Forgets leases that expired or were released before the instant, unless their token is ahead of
   * it: tokens of a name grow over that, too, as long as no clock is behind the instant. Returns
   * how many.
   */
  forget(beforeMs: number): Promise<number>
}

export interface LeaseRequest {
  readonly name: string
  /** Unique to one attempt of one process. */
  readonly owner: string
  readonly nowMs: number
  readonly durationMs: number
}

export interface HeldLease {
  readonly name: string
  readonly owner: string
  readonly fencingToken: bigint
}

export type LeaseOutcome =
  /** The token is greater than any that was given for this name before. */
  | { readonly outcome: 'acquired'; readonly fencingToken: bigint }
  /** It may be worth trying again before that instant: the holder may release it. */
  | { readonly outcome: 'held'; readonly expiresAtMs: number }
