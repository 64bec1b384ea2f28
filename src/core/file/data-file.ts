import type { Value } from '../value/value.ts'

export type FileContent = 'data' | 'position-deletes' | 'equality-deletes'
export type FileFormat = 'parquet' | 'avro' | 'orc' | 'puffin'

/** Numbers by field id. Counts are exact integers below 2^53. */
export type CountByFieldId = ReadonlyMap<number, number>
/** Bounds by field id, each in Iceberg's binary single-value form (Iceberg spec, Appendix D). */
export type BoundByFieldId = ReadonlyMap<number, Uint8Array>

/**
 * Column metrics known without reading the file. An absent map or entry means unknown, never zero.
 */
export interface ColumnMetrics {
  /** Compressed, in bytes. */
  readonly columnSizes?: CountByFieldId
  /** Values, nulls and NaNs included. */
  readonly valueCounts?: CountByFieldId
  readonly nullValueCounts?: CountByFieldId
  readonly nanValueCounts?: CountByFieldId
  /** At or below every value that is neither null nor NaN; strings and binary may be truncated. */
  readonly lowerBounds?: BoundByFieldId
  /** At or above every such value. */
  readonly upperBounds?: BoundByFieldId
}

/** A data file or delete file (Iceberg spec, "Data file fields"). */
export interface DataFile extends ColumnMetrics {
  readonly content: FileContent
  /** Full location with its scheme, kept verbatim. */
  readonly path: string
  readonly format: FileFormat
  readonly specId: number
  /** One value for each field of the partition spec, in its order. */
  readonly partition: readonly (Value | null)[]
  readonly recordCount: number
  readonly fileSizeBytes: number
  readonly splitOffsets?: readonly number[]
  readonly equalityIds?: readonly number[]
  readonly sortOrderId?: number
  readonly keyMetadata?: Uint8Array
  /** The only data file that this position delete file or deletion vector applies to. */
  readonly referencedDataFile?: string
  readonly contentOffset?: number
  readonly contentSizeBytes?: number
  readonly firstRowId?: bigint
}

/** A data file that is added, and perhaps what tells it from another that takes its place. */
export interface AddedFile extends DataFile {
  /** Digest of the Parquet footer, in hexadecimal, where it was read. */
  readonly footerSha256?: string
}

export type EntryStatus = 'existing' | 'added' | 'deleted'

/** Entry of a manifest. Null ids and sequence numbers are inherited from the manifest list. */
export interface ManifestEntry {
  readonly status: EntryStatus
  readonly snapshotId: bigint | null
  readonly sequenceNumber: bigint | null
  readonly fileSequenceNumber: bigint | null
  readonly dataFile: DataFile
}

/**
 * Range of one partition field over a manifest (Iceberg spec, `field_summary`). Bounds are in
 * binary single-value form.
 */
export interface PartitionFieldSummary {
  readonly containsNull: boolean
  readonly containsNan?: boolean
  readonly lowerBound?: Uint8Array
  readonly upperBound?: Uint8Array
}

/** Entry of a manifest list (Iceberg spec, `manifest_file`). */
export interface ManifestFile {
  readonly path: string
  readonly lengthBytes: number
  readonly specId: number
  readonly content: 'data' | 'deletes'
  readonly sequenceNumber: bigint
  readonly minSequenceNumber: bigint
  readonly addedSnapshotId: bigint
  readonly addedFilesCount: number
  readonly existingFilesCount: number
  readonly deletedFilesCount: number
  readonly addedRowsCount: number
  readonly existingRowsCount: number
  readonly deletedRowsCount: number
  /** In the order of the partition spec's fields; absent if the writer gave none. */
  readonly partitions?: readonly PartitionFieldSummary[]
  readonly keyMetadata?: Uint8Array
  readonly firstRowId?: bigint
}

/** Number of live entries (added or existing) of a manifest. */
export function liveFilesCount(manifest: ManifestFile): number {
  return manifest.addedFilesCount + manifest.existingFilesCount
}
