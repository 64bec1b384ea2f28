import type {
  TableRequirement,
  TableUpdate,
  UnboundPartitionSpec,
} from '../../../core/metadata/table-update.ts'
import type { SortOrder } from '../../../core/partition/partition-spec.ts'
import type { NamespacedName } from '../../../core/table/table-name.ts'
import type { Schema } from '../../../core/value/type.ts'
import { JsonNode } from '../../../formats/json/json-node.ts'
import { readSchema } from '../../../formats/metadata/schema-json.ts'
import { readSortOrder } from '../../../formats/metadata/spec-json.ts'
import {
  LIST_LENGTH_MAX,
  NAMESPACE_LEVELS_MAX,
  REQUIREMENTS_MAX,
  TABLE_CHANGES_MAX,
  UPDATES_MAX,
} from './request-bounds.ts'
import { readTableUpdate, readUnboundSpec } from './table-update-json.ts'

/** A `CommitTableRequest` of the Iceberg REST specification. */
export interface CommitTableRequest {
  /** Absent from clients that name the table only in the path. */
  readonly identifier: NamespacedName | undefined
  readonly requirements: readonly TableRequirement[]
  readonly updates: readonly TableUpdate[]
}

export interface TransactionTableChange extends CommitTableRequest {
  readonly identifier: NamespacedName
}

export interface CreateTableRequest {
  readonly name: string
  readonly location: string | undefined
  readonly schema: Schema
  readonly spec: UnboundPartitionSpec | undefined
  readonly sortOrder: SortOrder | undefined
  readonly properties: Readonly<Record<string, string>>
  readonly stageCreate: boolean
}

/**
 * Takes JSON of `parseExactJson`, like all readers here. `update-invalid` names the JSON path.
 */
export function parseCommitTableRequest(json: unknown): CommitTableRequest {
  const node = requestNode(json)
  const identifier = node.find('identifier')
  return {
    identifier: identifier === undefined ? undefined : readIdentifier(identifier),
    requirements: readRequirements(node),
    updates: readUpdates(node),
  }
}

/** A `CommitTransactionRequest` of the Iceberg REST specification, with each table once. */
export function parseCommitTransactionRequest(json: unknown): readonly TransactionTableChange[] {
  const list = requestNode(json).get('table-changes')
  const items = list.items(TABLE_CHANGES_MAX)
  if (items.length === 0) throw list.error('is empty')
  let updatesLeft = UPDATES_MAX
  return items.map((node) => {
    const updates = readUpdates(node, updatesLeft)
    updatesLeft -= updates.length
    const identifier = readIdentifier(node.get('identifier'))
    return { identifier, requirements: readRequirements(node), updates }
  })
}

/** A `CreateTableRequest` of the Iceberg REST specification. */
export function parseCreateTableRequest(json: unknown): CreateTableRequest {
  const node = requestNode(json)
  const spec = node.find('partition-spec')
  const sortOrder = node.find('write-order')
  return {
    name: readName(node.get('name')),
    location: node.find('location')?.string(),
    schema: readSchema(node.get('schema')),
    spec: spec === undefined ? undefined : readUnboundSpec(spec),
    sortOrder: sortOrder === undefined ? undefined : readSortOrder(sortOrder),
    properties: node.find('properties')?.stringMap() ?? {},
    stageCreate: node.find('stage-create')?.boolean() ?? false,
  }
}

export function requestNode(
  json: unknown,
  code: 'update-invalid' | 'request-invalid' = 'update-invalid',
): JsonNode {
  return new JsonNode(json, { code, lengthMax: LIST_LENGTH_MAX })
}

export function readIdentifier(node: JsonNode): NamespacedName {
  return { namespace: readLevels(node.get('namespace')), name: readName(node.get('name')) }
}

export function readLevels(node: JsonNode): readonly string[] {
  return node.items(NAMESPACE_LEVELS_MAX).map((level) => level.string())
}

export function readName(node: JsonNode): string {
  const name = node.string()
  if (name === '') throw node.error('is empty')
  return name
}

function readUpdates(node: JsonNode, updatesMax = UPDATES_MAX): readonly TableUpdate[] {
  return node.get('updates').items(updatesMax).map(readTableUpdate)
}

function readRequirements(node: JsonNode): readonly TableRequirement[] {
  // The specification wants the list; Iceberg's Java library takes its absence for an empty one.
  const requirements = node.find('requirements')
  if (requirements === undefined) return []
  return requirements.items(REQUIREMENTS_MAX).map(readTableRequirement)
}

const REQUIREMENT_TYPES = [
  'assert-create',
  'assert-table-uuid',
  'assert-ref-snapshot-id',
  'assert-last-assigned-field-id',
  'assert-current-schema-id',
  'assert-last-assigned-partition-id',
  'assert-default-spec-id',
  'assert-default-sort-order-id',
] as const satisfies readonly TableRequirement['type'][]

/** A `TableRequirement` of the Iceberg REST specification. */
export function readTableRequirement(node: JsonNode): TableRequirement {
  const type = node.get('type').oneOf(REQUIREMENT_TYPES)
  switch (type) {
    case 'assert-create':
      return { type }
    case 'assert-table-uuid':
      return { type, uuid: node.get('uuid').string() }
    case 'assert-ref-snapshot-id':
      return {
        type,
        ref: node.get('ref').string(),
        snapshotId: node.find('snapshot-id')?.long() ?? null,
      }
    case 'assert-last-assigned-field-id':
      return { type, lastAssignedFieldId: node.get('last-assigned-field-id').id() }
    case 'assert-current-schema-id':
      return { type, currentSchemaId: node.get('current-schema-id').id() }
    case 'assert-last-assigned-partition-id':
      return { type, lastAssignedPartitionId: node.get('last-assigned-partition-id').id() }
    case 'assert-default-spec-id':
      return { type, defaultSpecId: node.get('default-spec-id').id() }
    case 'assert-default-sort-order-id':
      return { type, defaultSortOrderId: node.get('default-sort-order-id').id() }
  }
}
