/**
 * Who did what, and the seals over it. Rows are added and never changed; once a seal has them, they
 * go only with all rows of their seal. Its contract: test/catalog/audit.contract.ts.
 */
export interface AuditStore {
  /** Gives each its position. Leaves out rows whose id is there. */
  add(rows: readonly NewAuditRow[]): Promise<void>
  /** Newest first. */
  list(query: AuditQuery): Promise<readonly AuditRow[]>
  /** In the order of positions; `null`: those that no seal has yet. */
  listOfSeal(query: SealQuery): Promise<readonly AuditRow[]>
  /** `undefined` before the first. */
  findLastSeal(): Promise<AuditSeal | undefined>
  /** In their order, those after a number. */
  listSeals(query: {
    readonly after: bigint
    readonly limit: number
  }): Promise<readonly AuditSeal[]>
  /** A row that says that a seal has it which is none of 1 to the last one. */
  findBeyond(lastSeal: bigint): Promise<AuditRow | undefined>
  /**
   * Adds the seal unless it is there, and marks the rows that it has: those of these positions and
   * hashes that no seal has yet.
   */
  addSeal(seal: AuditSeal, rows: readonly SealedRow[]): Promise<void>
  /** The last seal before the first one that has a row of this instant or later; 0: none. */
  findLastOlder(beforeMs: number): Promise<bigint>
  /** The last seal whose newest row is of an instant from the one to before the other; 0: none. */
  findLastBetween(fromMs: number, beforeMs: number): Promise<bigint>
  /** Removes rows of seals up to and including this one; returns how many. */
  prune(throughSeal: bigint): Promise<number>
}

/** All but `allowed` are refusals: `hidden` by a 404, `unauthenticated` of who did not sign in. */
export type AuditDecision = 'allowed' | 'denied' | 'hidden' | 'unauthenticated'

export interface NewAuditRow {
  /** Unique: that of the event for a change. */
  readonly rowId: string
  readonly timeMs: number
  /** As in grants; `anonymous`, or `service` for what nobody asked for. */
  readonly principal: string
  /** A kind of change such as `table.committed`, or the operation of the API. */
  readonly action: string
  /** What the target is: `table`, `view`, `namespace`, `catalog` and so on. */
  readonly kind: string
  /** As the subject of an event; empty if there is no such thing. */
  readonly subject: string
  /** The target's name at the time, as far as known. */
  readonly name: string
  readonly decision: AuditDecision
  /** JSON of all else. */
  readonly content: string
  /** SHA-256 of all above, in hexadecimal. */
  readonly hash: string
}

export interface AuditRow extends NewAuditRow {
  readonly position: bigint
  /** `null` until a seal has it. */
  readonly seal: bigint | null
}

export interface AuditPosition {
  readonly timeMs: number
  readonly position: bigint
}

export interface AuditQuery {
  readonly principal?: string | undefined
  readonly action?: string | undefined
  readonly subject?: string | undefined
  /** Only rows with one of these. */
  readonly decisions?: readonly AuditDecision[] | undefined
  readonly fromMs?: number | undefined
  /** Up to, and not including. */
  readonly toMs?: number | undefined
  /** Only rows before this one, which are older. */
  readonly before?: AuditPosition | undefined
  readonly limit: number
}

export interface SealQuery {
  readonly seal: bigint | null
  /** Only rows after this position. */
  readonly after?: bigint
  readonly limit: number
}

export interface AuditSeal {
  /** 1 for the first, each one more than the one before. */
  readonly seal: bigint
  /** In hexadecimal; the next seal names it. */
  readonly hash: string
  /** When its youngest row was; its own instant if it has none. */
  readonly newestMs: number
  /** Rows of seals up to and including this one are given up by policy; 0 at first. */
  readonly prunedThrough: bigint
}

export interface SealedRow {
  readonly position: bigint
  readonly hash: string
}
