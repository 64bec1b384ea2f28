import { CatalogError } from '../errors.ts'
import type { PartitionSpec, SortOrder } from '../partition/partition-spec.ts'
import { findField } from '../schema/schema-lookup.ts'
import type { Schema } from '../value/type.ts'
import type { Snapshot, SnapshotLogEntry, SnapshotRef } from './snapshot.ts'

/** All of a table but its snapshots: its cost does not grow with the table's history. */
export interface TableDefinition {
  readonly formatVersion: 1 | 2 | 3
  readonly tableUuid: string
  /** Root of the table's own files; no slash at the end. */
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
  /** Statistics files by snapshot id, as they were given. */
  readonly statistics?: Readonly<Record<string, StoredJson>>
  /** Partition statistics files by snapshot id, as they were given. */
  readonly partitionStatistics?: Readonly<Record<string, StoredJson>>
  /** By key id, as they were given; format version 3. */
  readonly encryptionKeys?: Readonly<Record<string, StoredJson>>
  /** Above every row id assigned so far; format version 3, where absent is 0. */
  readonly nextRowId?: bigint
  /** What other refs have in `refs`, the main branch has here. */
  readonly mainRetention?: RefRetention
}

/** JSON that passes through: 64-bit integers are exact, as number or bigint. */
export type StoredJson = Readonly<Record<string, unknown>>

/** How long a ref and its snapshots are kept. */
export type RefRetention = Omit<SnapshotRef, 'type' | 'snapshotId'>

/** A table as of one version of the catalog. */
export interface TableState {
  readonly namespace: readonly string[]
  readonly name: string
  readonly definition: TableDefinition
  /** Commits so far, of any kind; compare-and-swap is on this. */
  readonly version: number
  readonly lastSequenceNumber: bigint
  /** Epoch milliseconds of the last change of any kind; at or above every snapshot's. */
  readonly lastUpdatedMs: number
  readonly createdAtMs: number
  /** `undefined` while the table has no snapshot. */
  readonly currentSnapshot: Snapshot | undefined
  /** Every ref but `main`, by name. */
  readonly refs: Readonly<Record<string, SnapshotRef>>
  /** Newest metadata file that is known to exist, and the version that it holds. */
  readonly metadataLocation: string | undefined
  readonly publishedVersion: number
}

/** What a `*.metadata.json` holds (Iceberg spec, "Table Metadata"). */
export interface TableMetadata {
  readonly definition: TableDefinition
  readonly lastSequenceNumber: bigint
  readonly lastUpdatedMs: number
  readonly currentSnapshotId: bigint | undefined
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[]
  readonly snapshotLog: readonly SnapshotLogEntry[]
  readonly metadataLog: readonly { readonly timestampMs: number; readonly metadataFile: string }[]
  /** `main` included. */
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

/** The current schema, or the newest that has all source columns of the spec: some may have been dropped since. */
export function schemaOfSpec(definition: TableDefinition, spec: PartitionSpec): Schema {
  const candidates = [currentSchema(definition), ...definition.schemas.toReversed()]
  const schema = candidates.find((candidate) =>
    spec.fields.every((field) => findField(candidate, field.sourceId) !== undefined),
  )
  if (schema === undefined) {
    throw new CatalogError(
      'metadata-corrupt',
      `table ${definition.tableUuid} has no schema with the columns of partition spec ${spec.specId}`,
    )
  }
  return schema
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
