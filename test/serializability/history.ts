/** What clients did, when, and what they were answered; and what the service says afterwards. */
export interface History {
  readonly operations: readonly Operation[]
  readonly readings: readonly Reading[]
  readonly tables: readonly TableLog[]
  /** What a client saw that no order of the operations explains: two answers to one question. */
  readonly contradictions: readonly string[]
}

/** One transaction or REST commit. Times are of one clock, in milliseconds. */
export interface Operation {
  /** Its message in the snapshot log: unlike a transaction id, known before the answer. */
  readonly id: string
  /** When its commit was sent. */
  readonly calledAt: number
  /** Infinity when it was never answered. */
  readonly answeredAt: number
  /** Unknown: the connection was cut, or the service could not tell. */
  readonly outcome: 'committed' | 'refused' | 'unknown'
  readonly changes: readonly TableChange[]
  /** Of a committed one, table by table; none for REST commits, whose answer is the table. */
  readonly results?: readonly TableResult[]
}

export interface TableChange {
  readonly table: string
  readonly added: readonly AddedFile[]
  readonly removed: readonly string[]
  readonly truncates: boolean
  /** It takes whatever is there at its commit: what is gone by then is no reason to refuse. */
  readonly overwrites: boolean
  /**
   * Of what must conflict with any commit since the transaction first touched the table: when that touch was
   * answered.
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

/** A table as it was answered, now or as at an instant. */
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
  /** Of the operations that it holds. */
  readonly operationIds: readonly string[]
  /** None for a REST commit. */
  readonly transactionIds: readonly string[]
  /** Every data file of the table at this snapshot, as the service answers it. */
  readonly files: readonly string[]
  readonly totalFiles: number
  readonly totalRecords: number
}
