import {
  PARTITION_FIELD_ID_BASE,
  type PartitionField,
  type PartitionSpec,
  type SortField,
  type SortOrder,
} from '../../core/partition/partition-spec.ts'
import { parseTransform, type Transform, transformText } from '../../core/partition/transform.ts'
import { JsonNode, type JsonObject, type JsonOrigin } from '../json/json-node.ts'

/** Writes a partition spec (Iceberg spec, Appendix C, "Partition Specs"). */
export function partitionSpecToJson(spec: PartitionSpec): JsonObject {
  return { 'spec-id': spec.specId, fields: partitionFieldsToJson(spec) }
}

/** Writes only the fields, as in a manifest's header. */
export function partitionFieldsToJson({ fields }: PartitionSpec): readonly JsonObject[] {
  return fields.map(({ name, transform, sourceId, fieldId }) => ({
    name,
    transform: transformText(transform),
    'source-id': sourceId,
    'field-id': fieldId,
  }))
}

export function partitionSpecFromJson(json: unknown, origin?: JsonOrigin): PartitionSpec {
  return readPartitionSpec(new JsonNode(json, origin))
}

export function readPartitionSpec(node: JsonNode): PartitionSpec {
  return {
    specId: node.find('spec-id')?.id() ?? 0,
    fields: readPartitionFields(node.get('fields')),
  }
}

/**
 * Reads partition fields. Those without ids (format version 1) are numbered from 1000, as writers
 * of that version do.
 */
export function readPartitionFields(node: JsonNode): readonly PartitionField[] {
  return node.items().map((field, i) => ({
    fieldId: field.find('field-id')?.id() ?? PARTITION_FIELD_ID_BASE + 1 + i,
    name: field.get('name').string(),
    ...readTransform(field),
  }))
}

/** Writes a sort order (Iceberg spec, Appendix C, "Sort Orders"). */
export function sortOrderToJson({ orderId, fields }: SortOrder): JsonObject {
  return {
    'order-id': orderId,
    fields: fields.map(({ sourceId, transform, direction, nullOrder }) => ({
      transform: transformText(transform),
      'source-id': sourceId,
      direction,
      'null-order': nullOrder,
    })),
  }
}

export function sortOrderFromJson(json: unknown, origin?: JsonOrigin): SortOrder {
  return readSortOrder(new JsonNode(json, origin))
}

export function readSortOrder(node: JsonNode): SortOrder {
  return { orderId: node.get('order-id').id(), fields: node.get('fields').items().map(readSort) }
}

function readSort(field: JsonNode): SortField {
  return {
    ...readTransform(field),
    direction: field.get('direction').oneOf(['asc', 'desc']),
    nullOrder: field.get('null-order').oneOf(['nulls-first', 'nulls-last']),
  }
}

/**
 * Reads a transform. One with several columns (format version 3) is unknown here and keeps its
 * text.
 */
function readTransform(field: JsonNode): { sourceId: number; transform: Transform } {
  const text = field.get('transform').string()
  const sources = field.find('source-ids')?.items()
  if (sources === undefined) {
    return { sourceId: field.get('source-id').id(), transform: parseTransform(text) }
  }
  const [first] = sources
  if (first === undefined) throw field.get('source-ids').error('names no column')
  const transform: Transform =
    sources.length === 1 ? parseTransform(text) : { kind: 'unknown', text }
  return { sourceId: first.id(), transform }
}
