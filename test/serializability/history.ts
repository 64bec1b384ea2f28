/** What clients did and when, the replies they got, and what the service says afterwards. */
export interface History {
  readonly operations: readonly Operation[]
  readonly readings: readonly Reading[]
  readonly tables: readonly TableLog[]
  /** What a client saw that no order of the operations explains: two replies to one request. */
  readonly contradictions: readonly string[]
}

/** One transaction or REST commit. Times are of one clock, in milliseconds. */
export interface Operation {
  /** Its message in the snapshot log: unlike a transaction id, known before the reply. */
  readonly id: string
  /** When its commit was sent. */
  readonly calledAt: number
  /** Infinity when it never got a reply. */
  readonly answeredAt: number
  /** Unknown: the connection was cut, or the service could not tell. */
  readonly outcome: 'committed' | 'refused' | 'unknown'
  readonly changes: readonly TableChange[]
  /** Results by table if it was committed; none for REST commits, which return the table. */
  readonly results?: readonly TableResult[]
}

export interface TableChange {
  readonly table: string
  readonly added: readonly AddedFile[]
  readonly removed: readonly string[]
  readonly truncates: boolean
  /** It takes whatever is live at its commit: a file gone by then is no reason to refuse. */
  readonly overwrites: boolean
  /**
   * When the transaction first touched the table, for a change that conflicts with any commit since
   * then.
   */
  readonly touchedBy?: number
}

export interface AddedFile {
  readonly path: string
  readonly records: number
}

export interface TableResult {
  readonly table: string
  readonly snapshotId: string
  readonly parentSnapshotId: string | null
  readonly sequenceNumber: string
  readonly timestampMs: number
  readonly operation: string
  readonly addedFiles: number
  readonly addedRecords: number
  readonly removedFiles: number
  readonly removedRecords: number
}

/** A table as the service returned it, now or as at an instant. */
export interface Reading {
  readonly table: string
  readonly calledAt: number
  readonly answeredAt: number
  readonly asAtMs?: number
  readonly snapshotId: string | null
  readonly files: readonly string[]
}

export interface TableLog {
  readonly table: string
  /** Oldest first. */
  readonly snapshots: readonly LoggedSnapshot[]
}

export interface LoggedSnapshot {
  readonly snapshotId: string
  readonly parentSnapshotId: string | null
  readonly sequenceNumber: string
  readonly timestampMs: number
  readonly operation: string
  /** Ids of the operations in it. */
  readonly operationIds: readonly string[]
  /** None for a REST commit. */
  readonly transactionIds: readonly string[]
  /** Every data file of the table at this snapshot, as the service returns it. */
  readonly files: readonly string[]
  readonly totalFiles: number
  readonly totalRecords: number
}
