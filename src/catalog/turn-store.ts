/**
 * Turns among all processes on one database, first come, first served as far as the database can.
 * A turn keeps processes out of each other's way, no more: it ends when its process is killed or
 * falls silent, so what is done in it must be safe without it. Its contract:
 * test/catalog/turns.contract.ts.
 */
export interface TurnStore {
  /**
   * Waits for the turn of all these names, for at most this long; `undefined` when it was not had.
   * Never throws: whatever is wrong, the caller goes on without a turn. One call at a time for a
   * name in a process.
   */
  take(request: TurnRequest): Promise<HeldTurn | undefined>
  /** Whether somebody has the turn of this name now; false when that cannot be told. */
  isTaken(name: string): Promise<boolean>
}

export interface TurnRequest {
  readonly names: readonly string[]
  readonly waitMsMax: number
}

export interface HeldTurn {
  /** Whether somebody else had it first. */
  readonly hasWaited: boolean
  /** Never throws. */
  end(): Promise<void>
}
