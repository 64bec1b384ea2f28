import type { PartitionField, SortOrder } from '../partition/partition-spec.ts'
import type { Snapshot, SnapshotLogEntry, SnapshotRef } from '../table/snapshot.ts'
import type { StoredJson, TableState } from '../table/table.ts'
import type { Schema } from '../value/type.ts'

/** Stands for the id of the schema, partition spec or sort order added last in the same commit. */
export const LAST_ADDED = -1

/** A partition spec as clients send it; fields without ids get them, and its own id is assigned. */
export interface UnboundPartitionSpec {
  readonly fields: readonly UnboundPartitionField[]
}
export interface UnboundPartitionField extends Omit<PartitionField, 'fieldId'> {
  readonly fieldId?: number
}

/** A snapshot as clients send it; without a schema id it uses the current schema. */
export interface UnboundSnapshot extends Omit<Snapshot, 'schemaId'> {
  readonly schemaId?: number
}

/** One change of a table's metadata (Iceberg REST specification, `TableUpdate`). */
export type TableUpdate =
  | { readonly action: 'assign-uuid'; readonly uuid: string }
  | { readonly action: 'upgrade-format-version'; readonly formatVersion: number }
  | { readonly action: 'add-schema'; readonly schema: Schema }
  | { readonly action: 'set-current-schema'; readonly schemaId: number }
  | { readonly action: 'add-spec'; readonly spec: UnboundPartitionSpec }
  | { readonly action: 'set-default-spec'; readonly specId: number }
  | { readonly action: 'add-sort-order'; readonly sortOrder: Pick<SortOrder, 'fields'> }
  | { readonly action: 'set-default-sort-order'; readonly sortOrderId: number }
  | { readonly action: 'add-snapshot'; readonly snapshot: UnboundSnapshot }
  | { readonly action: 'set-snapshot-ref'; readonly refName: string; readonly ref: SnapshotRef }
  | { readonly action: 'remove-snapshots'; readonly snapshotIds: readonly bigint[] }
  | { readonly action: 'remove-snapshot-ref'; readonly refName: string }
  | { readonly action: 'set-location'; readonly location: string }
  | { readonly action: 'set-properties'; readonly updates: Readonly<Record<string, string>> }
  | { readonly action: 'remove-properties'; readonly removals: readonly string[] }
  | SetStatistics<'set-statistics'>
  | { readonly action: 'remove-statistics'; readonly snapshotId: bigint }
  | SetStatistics<'set-partition-statistics'>
  | { readonly action: 'remove-partition-statistics'; readonly snapshotId: bigint }
  | { readonly action: 'remove-partition-specs'; readonly specIds: readonly number[] }
  | { readonly action: 'remove-schemas'; readonly schemaIds: readonly number[] }
  | {
      readonly action: 'add-encryption-key'
      readonly keyId: string
      readonly encryptionKey: StoredJson
    }
  | { readonly action: 'remove-encryption-key'; readonly keyId: string }

interface SetStatistics<Action> {
  readonly action: Action
  readonly snapshotId: bigint
  /** The statistics file as JSON, kept unchanged. */
  readonly statistics: StoredJson
}

/** What must hold for a commit (Iceberg REST specification, `TableRequirement`). */
export type TableRequirement =
  | { readonly type: 'assert-create' }
  | { readonly type: 'assert-table-uuid'; readonly uuid: string }
  /** Null means that the ref must not exist. */
  | {
      readonly type: 'assert-ref-snapshot-id'
      readonly ref: string
      readonly snapshotId: bigint | null
    }
  | { readonly type: 'assert-last-assigned-field-id'; readonly lastAssignedFieldId: number }
  | { readonly type: 'assert-current-schema-id'; readonly currentSchemaId: number }
  | { readonly type: 'assert-last-assigned-partition-id'; readonly lastAssignedPartitionId: number }
  | { readonly type: 'assert-default-spec-id'; readonly defaultSpecId: number }
  | { readonly type: 'assert-default-sort-order-id'; readonly defaultSortOrderId: number }

export interface UpdateContext {
  readonly nowMs: number
  /** Time of the last entry of the log; if absent, that of the table's last change. */
  readonly lastLoggedMs?: number
  /**
   * Called only for ids that `snapshotIdsMentioned` returns. If absent, only the current snapshot
   * exists.
   */
  readonly findSnapshot?: (snapshotId: bigint) => Snapshot | undefined
}

/** What a commit changes. Its size depends on the updates, not on the table's history. */
export interface TableChange {
  /** The base itself if nothing changed. The version is unchanged. */
  readonly state: TableState
  readonly newSnapshots: readonly Snapshot[]
  /**
   * Snapshots that the table had. Entries of the snapshot log up to the last one that names any of
   * them are removed, too: otherwise an older snapshot would seem to have been current when it was
   * not.
   */
  readonly removedSnapshotIds: readonly bigint[]
  /** One entry if the current snapshot changed, else none. */
  readonly newLogEntries: readonly SnapshotLogEntry[]
}

/** Ids of the snapshots that must be looked up, all at once, to apply the updates. */
export function snapshotIdsMentioned(updates: readonly TableUpdate[]): ReadonlySet<bigint> {
  return new Set(updates.flatMap(snapshotIdsOf))
}

function snapshotIdsOf(update: TableUpdate): readonly bigint[] {
  switch (update.action) {
    case 'add-snapshot':
      return [update.snapshot.snapshotId]
    case 'set-snapshot-ref':
      return [update.ref.snapshotId]
    case 'remove-snapshots':
      return update.snapshotIds
    case 'set-statistics':
    case 'set-partition-statistics':
      return [update.snapshotId]
    default:
      return []
  }
}
