import type { Snapshot, SnapshotLogEntry } from '../../core/table/snapshot.ts'

/**
 * One item of `snapshots` in table metadata, equal to that of `snapshotToJson`. There are
 * thousands, so no objects are created for them.
 */
export function snapshotText(snapshot: Snapshot, formatVersion: number): string {
  const { parentSnapshotId, operation, inlineManifests, firstRowId, addedRows } = snapshot
  const parent = parentSnapshotId === null ? '' : `,"parent-snapshot-id":${parentSnapshotId}`
  const sequence = formatVersion > 1 ? `,"sequence-number":${snapshot.sequenceNumber}` : ''
  const summary = JSON.stringify({ ...snapshot.summary, operation })
  const manifests =
    inlineManifests === undefined
      ? `"manifest-list":${JSON.stringify(snapshot.manifestList)}`
      : `"manifests":${JSON.stringify(inlineManifests)}`
  const rows =
    (firstRowId === undefined ? '' : `,"first-row-id":${firstRowId}`) +
    (addedRows === undefined ? '' : `,"added-rows":${addedRows}`)
  return (
    `{"snapshot-id":${snapshot.snapshotId}${parent}${sequence},` +
    `"timestamp-ms":${snapshot.timestampMs},` +
    `${manifests},` +
    `"summary":${summary},"schema-id":${snapshot.schemaId}${rows}}`
  )
}

/** One item of `snapshot-log` in table metadata. */
export function logEntryText({ timestampMs, snapshotId }: SnapshotLogEntry): string {
  return `{"timestamp-ms":${timestampMs},"snapshot-id":${snapshotId}}`
}
