/** Which moment of a table: one of these at most. */
export interface SnapshotSelector {
  readonly asAtMs?: number
  /** A snapshot id, `latest`, or the name of a ref. */
  readonly snapshotIdentifier?: string
}
