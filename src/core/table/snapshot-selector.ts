/** Selects a snapshot of a table by at most one of these. */
export interface SnapshotSelector {
  readonly asAtMs?: number
  /** A snapshot id, `latest`, or the name of a ref. */
  readonly snapshotIdentifier?: string
  /** The name of a branch or tag, also one that reads as a snapshot id. */
  readonly ref?: string
}
