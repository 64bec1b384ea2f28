/**
 * Readers of snapshots, whose files stay for as long as they read. A process that reads renews what
 * it holds; what a killed one held ends by itself. The clock is the caller's, who has it from the
 * database (database-clock.ts). Its contract: test/catalog/holds.contract.ts.
 */
export interface HoldStore {
  /** Makes new ones, and renews those that are there: held until the instant. */
  keep(holds: readonly FileHold[], expiresAtMs: number): Promise<void>
  /**
   * Those that have not ended, but for what a clock ahead has held and, as this process has seen,
   * nobody renews.
   */
  list(nowMs: number): Promise<readonly FileHold[]>
  /** Ends them; no error for one that is not there. */
  end(holdIds: readonly string[]): Promise<void>
  /** Removes those that ended before the instant without a word; returns how many. */
  forget(beforeMs: number): Promise<number>
}

/** A snapshot that something reads. */
export interface FileHold {
  readonly holdId: string
  readonly tableUuid: string
  readonly snapshotId: bigint
  /** By which the files are found, when the table is gone, too. */
  readonly manifestList: string
  /** What reads, in a word: `export`. */
  readonly kind: string
  /** Which of that kind. */
  readonly name: string
}
