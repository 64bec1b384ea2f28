import {
  PARTITION_FIELD_ID_BASE,
  type PartitionSpec,
  type SortOrder,
  UNPARTITIONED,
  UNSORTED,
} from '../partition/partition-spec.ts'
import { assignFreshIds } from '../schema/column-definition.ts'
import { allFields } from '../schema/schema-lookup.ts'
import { requireBoundedDefinition } from '../table/definition-size.ts'
import type { TableDefinition, TableState } from '../table/table.ts'
import { parseUuid } from '../value/bytes-text.ts'
import type { Schema } from '../value/type.ts'
import { applyTableUpdates } from './apply-table-updates.ts'
import { withoutSlashes } from './location.ts'
import {
  checkProperties,
  formatVersionOf,
  requireFormatVersion,
  unreservedProperties,
} from './property-update.ts'
import { checkDistinctNames, checkSchema, checkSchemaVersion } from './schema-check.ts'
import { checkPartitionFields, checkSortFields } from './spec-check.ts'
import { checkRequirements } from './table-requirement.ts'
import type {
  TableChange,
  TableRequirement,
  TableUpdate,
  UnboundPartitionSpec,
} from './table-update.ts'
import { invalidUpdate } from './update-problem.ts'

const FIRST_SORT_ORDER_ID = 1
/** Iceberg's Java library sets this on every table that it creates. */
const NEW_TABLE_PROPERTIES = { 'write.parquet.compression-codec': 'zstd' }

export interface NewTableRequest {
  readonly tableUuid: string
  readonly location: string
  readonly schema: Schema
  readonly spec?: UnboundPartitionSpec
  readonly sortOrder?: Pick<SortOrder, 'fields'>
  /** As requested: `format-version` is taken from them, other reserved properties are dropped. */
  readonly properties?: Readonly<Record<string, string>>
}

/**
 * Definition of a table as `createTable` makes it. Field ids of the client are replaced by fresh
 * ones, level by level from 1, and partition field ids start at 1000. Throws `update-invalid`.
 */
export function newTableDefinition(request: NewTableRequest): TableDefinition {
  const given = request.properties ?? {}
  const formatVersion = formatVersionOf(given)
  const properties = { ...NEW_TABLE_PROPERTIES, ...unreservedProperties(given) }
  checkSchemaVersion(checkSchema(request.schema), formatVersion)
  checkDistinctNames(request.schema)
  checkProperties(properties)
  const { schema, lastColumnId, freshIds } = withFreshIds(request.schema)
  const spec = freshSpec(request.spec, freshIds)
  checkPartitionFields(spec.fields, schema)
  const sortOrder = freshSortOrder(request.sortOrder, freshIds)
  checkSortFields(sortOrder, schema)
  const definition: TableDefinition = {
    formatVersion,
    tableUuid: request.tableUuid,
    location: requireLocation(request.location),
    lastColumnId,
    schemas: [schema],
    currentSchemaId: schema.schemaId,
    partitionSpecs: [spec],
    defaultSpecId: spec.specId,
    lastPartitionId: PARTITION_FIELD_ID_BASE + spec.fields.length,
    sortOrders: [sortOrder],
    defaultSortOrderId: sortOrder.orderId,
    properties,
  }
  requireBoundedDefinition(definition)
  return definition
}

export interface NewTableIdentity {
  readonly namespace: readonly string[]
  readonly name: string
  /** Used unless the updates assign another, as they do after a staged creation. */
  readonly tableUuid: string
  readonly location: string
  readonly nowMs: number
}

/**
 * The table that a creating transaction starts. Its updates' ids are kept, since a staged creation
 * assigned them before. The version is 0. Throws `update-invalid` if the updates contain no schema.
 */
export function createFromUpdates(
  requirements: readonly TableRequirement[],
  updates: readonly TableUpdate[],
  identity: NewTableIdentity,
): TableChange {
  checkRequirements(requirements, undefined)
  const unmade = unmadeTable(updates, identity)
  const change = applyTableUpdates(unmade, updates, {
    nowMs: identity.nowMs,
    lastLoggedMs: Number.NEGATIVE_INFINITY,
  })
  const { definition } = change.state
  if (definition.schemas.length === 0) throw invalidUpdate('Cannot create a table without a schema')
  requireLocation(definition.location)
  return { ...change, state: { ...change.state, definition: withListedSortOrder(definition) } }
}

function unmadeTable(updates: readonly TableUpdate[], identity: NewTableIdentity): TableState {
  const { namespace, name, location, nowMs } = identity
  const adds = (action: TableUpdate['action']) => updates.some((u) => u.action === action)
  const definition: TableDefinition = {
    formatVersion: firstFormatVersion(updates),
    tableUuid: assignedUuid(updates) ?? identity.tableUuid,
    location: withoutSlashes(location),
    lastColumnId: 0,
    schemas: [],
    // The first of each has id 0 and is the current one, unless an update says otherwise.
    currentSchemaId: 0,
    partitionSpecs: adds('add-spec') ? [] : [UNPARTITIONED],
    defaultSpecId: UNPARTITIONED.specId,
    lastPartitionId: PARTITION_FIELD_ID_BASE,
    sortOrders: adds('add-sort-order') ? [] : [UNSORTED],
    defaultSortOrderId: UNSORTED.orderId,
    properties: {},
  }
  return {
    namespace,
    name,
    definition,
    version: 0,
    lastSequenceNumber: 0n,
    lastUpdatedMs: nowMs - 1,
    createdAtMs: nowMs,
    currentSnapshot: undefined,
    refs: {},
    metadataLocation: undefined,
    publishedVersion: -1,
  }
}

function withListedSortOrder(definition: TableDefinition): TableDefinition {
  const { sortOrders, defaultSortOrderId } = definition
  const isListed = sortOrders.some(({ orderId }) => orderId === defaultSortOrderId)
  return isListed ? definition : { ...definition, sortOrders: [UNSORTED, ...sortOrders] }
}

function firstFormatVersion(updates: readonly TableUpdate[]): TableDefinition['formatVersion'] {
  const update = updates.find((u) => u.action === 'upgrade-format-version')
  return update === undefined ? 2 : requireFormatVersion(update.formatVersion)
}

function assignedUuid(updates: readonly TableUpdate[]): string | undefined {
  const update = updates.find((u) => u.action === 'assign-uuid')
  if (update === undefined) return undefined
  const uuid = update.uuid.toLowerCase()
  if (parseUuid(uuid) === undefined) throw invalidUpdate('Cannot assign an invalid uuid')
  return uuid
}

function requireLocation(given: string): string {
  const location = withoutSlashes(given)
  if (location === '') throw invalidUpdate('Invalid location: it is empty')
  return location
}

function withFreshIds(given: Schema): {
  readonly schema: Schema
  readonly lastColumnId: number
  readonly freshIds: ReadonlyMap<number, number>
} {
  const { fields, lastId } = assignFreshIds(given.fields, 1)
  const before = allFields(given)
  const freshIds = new Map(
    allFields({ fields }).map((field, i): [number, number] => [before[i]?.id ?? 0, field.id]),
  )
  const identifierFieldIds = given.identifierFieldIds.map((id) => getFresh(freshIds, id))
  return { schema: { schemaId: 0, fields, identifierFieldIds }, lastColumnId: lastId, freshIds }
}

function freshSpec(
  given: UnboundPartitionSpec | undefined,
  freshIds: ReadonlyMap<number, number>,
): PartitionSpec {
  const fields = (given?.fields ?? []).map(({ sourceId, name, transform }, i) => ({
    fieldId: PARTITION_FIELD_ID_BASE + 1 + i,
    sourceId: getFresh(freshIds, sourceId),
    name,
    transform,
  }))
  return { specId: UNPARTITIONED.specId, fields }
}

function freshSortOrder(
  given: Pick<SortOrder, 'fields'> | undefined,
  freshIds: ReadonlyMap<number, number>,
): SortOrder {
  if (given === undefined || given.fields.length === 0) return UNSORTED
  const fields = given.fields.map((field) => ({
    ...field,
    sourceId: getFresh(freshIds, field.sourceId),
  }))
  return { orderId: FIRST_SORT_ORDER_ID, fields }
}

function getFresh(freshIds: ReadonlyMap<number, number>, id: number): number {
  const fresh = freshIds.get(id)
  if (fresh === undefined) throw invalidUpdate(`Cannot find source column: ${id}`)
  return fresh
}
