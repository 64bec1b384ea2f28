import type { SnapshotRef } from './snapshot.ts'
import type { TableMetadata } from './table.ts'

/**
 * Field, schema, spec and sort order ids of other writers: from 2,147,483,448 on field ids are
 * reserved, and what is added later needs ids, too.
 */
export const ID_MAX = 2_000_000_000
/**
 * Sequence numbers and row ids of other writers: each commit takes one of the former and as many of
 * the latter as it adds rows, and from here nobody gets to the last 64-bit integer.
 */
export const NUMBER_MAX = 2n ** 62n
/**
 * The end of the year 9998: each change is later than the one before, and instants after the year
 * 9999 have no RFC 3339 text.
 */
export const TIMESTAMP_MS_MAX = 253_370_764_799_999

/** A number in the metadata of another writer, by its name there, and the highest that is taken. */
type Numbers = Generator<readonly [name: string, value: number | bigint, max: number | bigint]>

/**
 * The first number that is negative or leaves no room for later commits, in words; `undefined` if
 * there is none. A table with such a one could be registered, and never be committed to.
 */
export function findNumberWithoutRoom(metadata: TableMetadata): string | undefined {
  for (const [name, value, max] of numbersOf(metadata)) {
    if (value < 0) return `${name} is negative: ${value}`
    if (value > max) return `${name} leaves no room for later commits: ${value}, at most ${max}`
  }
  return undefined
}

function* numbersOf(metadata: TableMetadata): Numbers {
  const { definition, lastSequenceNumber, lastUpdatedMs, nextRowId = 0n, refs } = metadata
  yield ['last-sequence-number', lastSequenceNumber, NUMBER_MAX]
  yield ['next-row-id', nextRowId, NUMBER_MAX]
  yield ['last-updated-ms', lastUpdatedMs, TIMESTAMP_MS_MAX]
  yield ['last-column-id', definition.lastColumnId, ID_MAX]
  yield ['last-partition-id', definition.lastPartitionId, ID_MAX]
  for (const { schemaId } of definition.schemas) yield ['schema-id', schemaId, ID_MAX]
  for (const { specId } of definition.partitionSpecs) yield ['spec-id', specId, ID_MAX]
  for (const { orderId } of definition.sortOrders) yield ['order-id', orderId, ID_MAX]
  for (const ref of Object.values(refs)) yield* numbersOfRef(ref)
  yield* numbersOfHistory(metadata)
}

function* numbersOfRef({
  minSnapshotsToKeep,
  maxSnapshotAgeMs,
  maxRefAgeMs,
}: SnapshotRef): Numbers {
  const max = Number.MAX_SAFE_INTEGER
  yield ['min-snapshots-to-keep', minSnapshotsToKeep ?? 0, max]
  yield ['max-snapshot-age-ms', maxSnapshotAgeMs ?? 0, max]
  yield ['max-ref-age-ms', maxRefAgeMs ?? 0, max]
}

function* numbersOfHistory({ snapshots, snapshotLog, metadataLog }: TableMetadata): Numbers {
  for (const { sequenceNumber, timestampMs, firstRowId = 0n, addedRows = 0n } of snapshots) {
    yield ['sequence-number', sequenceNumber, NUMBER_MAX]
    yield ['timestamp-ms', timestampMs, TIMESTAMP_MS_MAX]
    yield ['first-row-id', firstRowId, NUMBER_MAX]
    yield ['added-rows', addedRows, NUMBER_MAX - firstRowId]
  }
  for (const { timestampMs } of [...snapshotLog, ...metadataLog]) {
    yield ['timestamp-ms', timestampMs, TIMESTAMP_MS_MAX]
  }
}
