import type { Transform } from './transform.ts'

export interface PartitionField {
  /** Unique across all specs of a table, starting at 1000. */
  readonly fieldId: number
  readonly sourceId: number
  readonly name: string
  readonly transform: Transform
}

export interface PartitionSpec {
  readonly specId: number
  readonly fields: readonly PartitionField[]
}

export interface SortField {
  readonly sourceId: number
  readonly transform: Transform
  readonly direction: 'asc' | 'desc'
  readonly nullOrder: 'nulls-first' | 'nulls-last'
}

export interface SortOrder {
  readonly orderId: number
  readonly fields: readonly SortField[]
}

export const UNPARTITIONED: PartitionSpec = { specId: 0, fields: [] }
export const UNSORTED: SortOrder = { orderId: 0, fields: [] }
/** Field ids of partition fields start above this (Iceberg spec, "Partition Field IDs"). */
export const PARTITION_FIELD_ID_BASE = 999
