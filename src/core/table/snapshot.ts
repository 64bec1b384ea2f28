export type Operation = 'append' | 'replace' | 'overwrite' | 'delete'

/** The state of a table at one time (Iceberg spec, "Snapshots"). */
export interface Snapshot {
  /** Up to 63 bits. */
  readonly snapshotId: bigint
  readonly parentSnapshotId: bigint | null
  readonly sequenceNumber: bigint
  /** Epoch milliseconds, strictly increasing within a table. */
  readonly timestampMs: number
  readonly operation: Operation
  /** `added-data-files`, `total-records`, ...: values are strings, as in the specification. */
  readonly summary: Readonly<Record<string, string>>
  readonly manifestList: string
  /**
   * Manifests of a snapshot of format version 1 that has no list, whose name is empty then: only as
   * it is read from a metadata file.
   */
  readonly inlineManifests?: readonly string[]
  readonly schemaId: number
  readonly firstRowId?: bigint
  readonly addedRows?: bigint
}

/** One change of the main branch. Oldest first wherever it is a list. */
export interface SnapshotLogEntry {
  readonly timestampMs: number
  readonly snapshotId: bigint
}

export interface SnapshotRef {
  readonly type: 'branch' | 'tag'
  readonly snapshotId: bigint
  readonly minSnapshotsToKeep?: number
  readonly maxSnapshotAgeMs?: number
  readonly maxRefAgeMs?: number
}

export const MAIN_BRANCH = 'main'
