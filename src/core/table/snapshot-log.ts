import type { SnapshotLogEntry } from './snapshot.ts'

/** The last entry at or before the instant. The log is sorted by time, oldest first. */
export function snapshotAsAt(
  log: readonly SnapshotLogEntry[],
  asAtMs: number,
): SnapshotLogEntry | undefined {
  // Entries before `low` are at or before the instant, those from `high` on are after it.
  let low = 0
  let high = log.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const entry = log[middle]
    if (entry !== undefined && entry.timestampMs <= asAtMs) low = middle + 1
    else high = middle
  }
  return low === 0 ? undefined : log[low - 1]
}

/**
 * The time of a table's next change: the clock's, or just after the last change if the clock is
 * behind.
 */
export function nextTimestampMs(nowMs: number, lastUpdatedMs: number): number {
  return Math.max(nowMs, lastUpdatedMs + 1)
}

/** How far the clock of a writer may be ahead of ours. */
const SKEW_MS_MAX = 1_000

/**
 * The time that the log says of a new snapshot of another writer: the snapshot's own, under which
 * engines look for it (`TIMESTAMP AS OF`), unless that would change the order of the log, or the
 * snapshot would be of the future. Then the service's, `timestampMs`.
 */
export function loggedTimestampMs(
  snapshotMs: number,
  {
    lastLoggedMs,
    nowMs,
    timestampMs,
  }: { readonly lastLoggedMs: number; readonly nowMs: number; readonly timestampMs: number },
): number {
  return lastLoggedMs < snapshotMs && snapshotMs <= nowMs + SKEW_MS_MAX ? snapshotMs : timestampMs
}

interface Timed {
  readonly timestampMs: number
}

/**
 * The earliest moment that a metadata file tells, in milliseconds: the table is at least as old,
 * and as old as that while the log of its metadata is whole.
 */
export function earliestMsOf(metadata: {
  readonly lastUpdatedMs: number
  readonly snapshots: readonly Timed[]
  readonly snapshotLog: readonly Timed[]
  readonly metadataLog: readonly Timed[]
}): number {
  let earliest = metadata.lastUpdatedMs
  for (const list of [metadata.snapshots, metadata.snapshotLog, metadata.metadataLog]) {
    for (const { timestampMs } of list) earliest = Math.min(earliest, timestampMs)
  }
  return earliest
}
