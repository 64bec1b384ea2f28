import type { Reading } from './history.ts'
import { isSameSet, mayBeCurrent, type Replay, type Timeline } from './replay.ts'

/**
 * Every reading is a snapshot of the log with exactly its files, and one that could be current just
 * then.
 */
export function checkReadings({ history, timelines }: Replay): string[] {
  return history.readings.flatMap((reading) => {
    const timeline = timelines.get(reading.table)
    if (timeline === undefined) return [`a reading of ${reading.table}, which has no log`]
    return checkReading(reading, timeline)
  })
}

function checkReading(reading: Reading, timeline: Timeline): string[] {
  const { entries } = timeline
  const { snapshotId, asAtMs, table } = reading
  const at = `${table}, read${asAtMs === undefined ? '' : ` as at ${asAtMs}`}`
  const index = entries.findIndex(({ snapshot }) => snapshot.snapshotId === snapshotId)
  if (index < 0 && snapshotId !== null) return [`${at}: there is no snapshot ${snapshotId}`]
  const files = new Set(reading.files)
  const wrong: string[] = []
  if (files.size !== reading.files.length) wrong.push(`${at}: a file is in it twice`)
  if (!isSameSet(files, entries[index]?.files ?? new Set())) {
    wrong.push(`${at}: its files are not those of snapshot ${snapshotId}`)
  }
  if (asAtMs !== undefined) {
    const expected = entries.findLastIndex(({ snapshot }) => snapshot.timestampMs <= asAtMs)
    if (index !== expected) wrong.push(`${at}: snapshot ${index}, not ${expected}, of the log`)
  } else if (!mayBeCurrent(timeline, index, reading)) {
    wrong.push(`${at}: snapshot ${snapshotId} could not be current at that moment`)
  }
  return wrong
}
