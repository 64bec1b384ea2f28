import type { TableRequirement, TableUpdate } from '../../../../src/core/metadata/table-update.ts'
import { transformText } from '../../../../src/core/partition/transform.ts'
import type { JsonObject } from '../../../../src/formats/json/json-node.ts'
import { schemaToJson } from '../../../../src/formats/metadata/schema-json.ts'
import { snapshotRefToJson } from '../../../../src/formats/metadata/snapshot-json.ts'
import { sortOrderToJson } from '../../../../src/formats/metadata/spec-json.ts'

/** What a client would send. */
export function tableUpdateToJson(update: TableUpdate): JsonObject {
  const { action } = update
  switch (action) {
    case 'add-schema':
      return { action, schema: schemaToJson(update.schema), 'last-column-id': 99 }
    case 'add-spec':
      return { action, spec: { 'spec-id': 7, fields: update.spec.fields.map(fieldToJson) } }
    case 'add-sort-order':
      return { action, 'sort-order': sortOrderToJson({ orderId: 1, ...update.sortOrder }) }
    case 'add-snapshot':
      return { action, snapshot: snapshotJson(update.snapshot) }
    case 'set-snapshot-ref':
      return { action, 'ref-name': update.refName, ...snapshotRefToJson(update.ref) }
    case 'set-partition-statistics':
      return { action, 'partition-statistics': update.statistics }
    default:
      return kebab(update)
  }
}

export function requirementToJson(requirement: TableRequirement): JsonObject {
  return kebab(requirement)
}

function kebab(object: object): JsonObject {
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [
      key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
      value,
    ]),
  )
}

function fieldToJson({
  fieldId,
  sourceId,
  name,
  transform,
}: Extract<TableUpdate, { action: 'add-spec' }>['spec']['fields'][number]): JsonObject {
  return {
    name,
    transform: transformText(transform),
    'source-id': sourceId,
    ...(fieldId !== undefined && { 'field-id': fieldId }),
  }
}

function snapshotJson({
  operation,
  summary,
  parentSnapshotId,
  ...rest
}: Extract<TableUpdate, { action: 'add-snapshot' }>['snapshot']): JsonObject {
  return {
    ...kebab(rest),
    ...(parentSnapshotId !== null && { 'parent-snapshot-id': parentSnapshotId }),
    summary: { ...summary, operation },
  }
}
