import type { Value } from '../value/value.ts'
import type { DataFile } from './data-file.ts'

/** What pruning knows about one file. `undefined` means unknown, and never prunes. */
export interface FileStatistics {
  readonly recordCount: number
  /** Partition spec that `partition` follows. */
  readonly specId: number
  /** One value for each field of the spec, in its order. */
  partition(): readonly (Value | null)[]
  /** Values, nulls and NaNs included. */
  valueCount(fieldId: number): number | undefined
  nullCount(fieldId: number): number | undefined
  nanCount(fieldId: number): number | undefined
  /** In binary single-value form. */
  lowerBound(fieldId: number): Uint8Array | undefined
  upperBound(fieldId: number): Uint8Array | undefined
}

/** The statistics that a data file carries. */
export function fileStatistics(file: DataFile): FileStatistics {
  return {
    recordCount: file.recordCount,
    specId: file.specId,
    partition: () => file.partition,
    valueCount: (fieldId) => file.valueCounts?.get(fieldId),
    nullCount: (fieldId) => file.nullValueCounts?.get(fieldId),
    nanCount: (fieldId) => file.nanValueCounts?.get(fieldId),
    lowerBound: (fieldId) => file.lowerBounds?.get(fieldId),
    upperBound: (fieldId) => file.upperBounds?.get(fieldId),
  }
}
