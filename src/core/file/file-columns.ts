import type { BoundValues } from '../value/bound-values.ts'
import { findNumber, type Numbers, numberAt, type SparseNumbers } from '../value/row-numbers.ts'
import type { Value } from '../value/value.ts'
import type { FileStatistics } from './file-statistics.ts'

/** The values of one partition field. */
export interface PartitionValues {
  readonly distinct: readonly (Value | null)[]
  /** Index into `distinct` for each row. */
  readonly codes: Numbers
}

/**
 * Statistics of many files of one partition spec, stored by column. A row is a file, counted from
 * 0.
 */
export interface FileColumns {
  readonly rowCount: number
  readonly specId: number
  readonly recordCounts: Numbers
  /** In the order of the spec's fields. */
  readonly partitions: readonly PartitionValues[]
  valueCounts(fieldId: number): SparseNumbers | undefined
  nullCounts(fieldId: number): SparseNumbers | undefined
  nanCounts(fieldId: number): SparseNumbers | undefined
  lowerBounds(fieldId: number): BoundValues | undefined
  upperBounds(fieldId: number): BoundValues | undefined
}

/** Statistics of one row. They keep the columns in memory, and their bounds are views. */
export function statisticsOfRow(files: FileColumns, row: number): FileStatistics {
  return {
    recordCount: numberAt(files.recordCounts, row),
    specId: files.specId,
    partition: () => partitionOfRow(files, row),
    valueCount: (fieldId) => findNumber(files.valueCounts(fieldId), row),
    nullCount: (fieldId) => findNumber(files.nullCounts(fieldId), row),
    nanCount: (fieldId) => findNumber(files.nanCounts(fieldId), row),
    lowerBound: (fieldId) => files.lowerBounds(fieldId)?.find(row),
    upperBound: (fieldId) => files.upperBounds(fieldId)?.find(row),
  }
}

export function partitionOfRow(
  { partitions }: Pick<FileColumns, 'partitions'>,
  row: number,
): readonly (Value | null)[] {
  return partitions.map(({ distinct, codes }) => distinct[numberAt(codes, row)] as Value | null)
}
