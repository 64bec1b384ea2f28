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
