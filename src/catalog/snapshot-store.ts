import type { Snapshot, SnapshotLogEntry } from '../core/table/snapshot.ts'

/**
 * The histories of tables: their snapshots, and the log of which of them was current on the main
 * branch from when on. Commits write them (`TableStore`). Its contract:
 * test/catalog/snapshots.contract.ts.
 */
export interface SnapshotStore {
  find(tableUuid: string, snapshotId: bigint): Promise<Snapshot | undefined>
  /** The snapshot that was current on the main branch at that instant. */
  findAsAt(tableUuid: string, asAtMs: number): Promise<Snapshot | undefined>
  /** Every snapshot of the table, oldest first by sequence number, then time. */
  list(tableUuid: string): Promise<readonly Snapshot[]>
  /** As `list`, in pages: a history of any length keeps no other work waiting. */
  read(tableUuid: string): AsyncIterable<readonly Snapshot[]>
  /** The whole log of the main branch, oldest first, in pages. */
  readLog(tableUuid: string): AsyncIterable<readonly SnapshotLogEntry[]>
  /** One page of the log, newest first, each with its snapshot. */
  pageLog(query: SnapshotLogQuery): Promise<readonly SnapshotLogPageEntry[]>
}

export interface SnapshotLogQuery {
  readonly tableUuid: string
  /** Only entries earlier than this instant. */
  readonly beforeMs?: number
  /** Only entries later than this instant. */
  readonly afterMs?: number
  readonly limit: number
}

export interface SnapshotLogPageEntry extends SnapshotLogEntry {
  readonly snapshot: Snapshot
}
