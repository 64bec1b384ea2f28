import type { PartitionSpec, SortOrder } from '../partition/partition-spec.ts'
import { findField } from '../schema/schema-lookup.ts'
import type { Field, Schema } from '../value/type.ts'
import type { Snapshot, SnapshotLogEntry, SnapshotRef } from './snapshot.ts'

/**
 * Everything about a table except its snapshots, so that its size does not grow with the table's
 * history.
 */
export interface TableDefinition {
  readonly formatVersion: 1 | 2 | 3
  readonly tableUuid: string
  /** Root of the table's own files, without a trailing slash. */
  readonly location: string
  readonly lastColumnId: number
  readonly schemas: readonly Schema[]
  readonly currentSchemaId: number
  readonly partitionSpecs: readonly PartitionSpec[]
  readonly defaultSpecId: number
  readonly lastPartitionId: number
  readonly sortOrders: readonly SortOrder[]
  readonly defaultSortOrderId: number
  /** Iceberg table properties; Moraine's own begin with `moraine.`. */
  readonly properties: Readonly<Record<string, string>>
  /** Statistics files by snapshot id, unchanged. */
  readonly statistics?: Readonly<Record<string, StoredJson>>
  /** Partition statistics files by snapshot id, unchanged. */
  readonly partitionStatistics?: Readonly<Record<string, StoredJson>>
  /** Encryption keys by key id, unchanged; format version 3. */
  readonly encryptionKeys?: Readonly<Record<string, StoredJson>>
  /** Above every row id assigned so far. Format version 3, where absent means 0. */
  readonly nextRowId?: bigint
  /** Retention of the main branch; other refs have theirs in `refs`. */
  readonly mainRetention?: RefRetention
}

/** JSON that is passed on; 64-bit integers are exact, as number or bigint. */
export type StoredJson = Readonly<Record<string, unknown>>

/** How long a ref and its snapshots are kept. */
export type RefRetention = Omit<SnapshotRef, 'type' | 'snapshotId'>

/** A table at one version in the catalog. */
export interface TableState {
  readonly namespace: readonly string[]
  readonly name: string
  readonly definition: TableDefinition
  /** Number of commits of any kind so far; commits compare and swap this. */
  readonly version: number
  readonly lastSequenceNumber: bigint
  /** Epoch milliseconds of the last change of any kind; not before any snapshot. */
  readonly lastUpdatedMs: number
  readonly createdAtMs: number
  /** `undefined` while the table has no snapshot. */
  readonly currentSnapshot: Snapshot | undefined
  /** Every ref except `main`, by name. */
  readonly refs: Readonly<Record<string, SnapshotRef>>
  /** Newest metadata file known to exist, and the version that it contains. */
  readonly metadataLocation: string | undefined
  readonly publishedVersion: number
}

/** Row ids that a snapshot takes, from the first on; those of version 3 alone take any. */
export type TakenRowIds = Pick<Snapshot, 'firstRowId' | 'addedRows'>

/** The definition as a new snapshot of its table leaves it: no row id is given twice. */
export function withTakenRowIds(
  definition: TableDefinition,
  { firstRowId, addedRows }: TakenRowIds,
): TableDefinition {
  if (firstRowId === undefined || addedRows === undefined) return definition
  const nextRowId = firstRowId + addedRows
  return nextRowId <= (definition.nextRowId ?? 0n) ? definition : { ...definition, nextRowId }
}

/** Contents of a `*.metadata.json` (Iceberg spec, "Table Metadata"). */
export interface TableMetadata {
  readonly definition: TableDefinition
  readonly lastSequenceNumber: bigint
  readonly lastUpdatedMs: number
  readonly currentSnapshotId: bigint | undefined
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[]
  readonly snapshotLog: readonly SnapshotLogEntry[]
  readonly metadataLog: readonly { readonly timestampMs: number; readonly metadataFile: string }[]
  /** Including `main`. */
  readonly refs: Readonly<Record<string, SnapshotRef>>
  readonly nextRowId?: bigint
}

export function currentSchema(definition: TableDefinition): Schema {
  return getSchema(definition, definition.currentSchemaId)
}

export function getSchema(definition: TableDefinition, schemaId: number): Schema {
  const schema = definition.schemas.find((s) => s.schemaId === schemaId)
  if (schema === undefined)
    throw new Error(`table ${definition.tableUuid} has no schema ${schemaId}`)
  return schema
}

/**
 * The current schema, or the newest one with all source columns of the spec, since some may have
 * been dropped. Where no schema has them all at once, as when one was dropped before another came,
 * the current one with those that others have, under names of their own. Columns whose schemas were
 * removed are in none.
 */
export function schemaOfSpec(definition: TableDefinition, spec: PartitionSpec): Schema {
  const schemas = definition.schemas.toReversed()
  const current = currentSchema(definition)
  const lackedBy = (schema: Schema) =>
    spec.fields.filter(({ sourceId }) => findField(schema, sourceId) === undefined)
  const whole = [current, ...schemas].find((schema) => lackedBy(schema).length === 0)
  if (whole !== undefined) return whole
  const ids = new Set(lackedBy(current).map(({ sourceId }) => sourceId))
  const dropped = [...ids].flatMap((id): readonly Field[] => {
    const field = schemas.map((schema) => findField(schema, id)).find((f) => f !== undefined)
    return field === undefined ? [] : [{ ...field, name: `${field.name}_${id}`, required: false }]
  })
  return { ...current, fields: [...current.fields, ...dropped] }
}

export function defaultSpec(definition: TableDefinition): PartitionSpec {
  return getSpec(definition, definition.defaultSpecId)
}

export function getSpec(definition: TableDefinition, specId: number): PartitionSpec {
  const spec = definition.partitionSpecs.find((s) => s.specId === specId)
  if (spec === undefined) {
    throw new Error(`table ${definition.tableUuid} has no partition spec ${specId}`)
  }
  return spec
}
