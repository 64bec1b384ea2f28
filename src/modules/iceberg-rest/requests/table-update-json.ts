import {
  LAST_ADDED,
  type TableUpdate,
  type UnboundPartitionSpec,
  type UnboundSnapshot,
} from '../../../core/metadata/table-update.ts'
import type { JsonNode } from '../../../formats/json/json-node.ts'
import { readSnapshot, readSnapshotRef } from '../../../formats/metadata/snapshot-json.ts'
import { readPartitionSpec, readSortOrder } from '../../../formats/metadata/spec-json.ts'
import { storedJson } from '../../../formats/metadata/stored-json.ts'
import { COMMON_UPDATE_READERS, readUpdate, type UpdateReaders } from './common-update-json.ts'
import { SNAPSHOT_IDS_MAX } from './request-bounds.ts'

/** A `TableUpdate` of the Iceberg REST specification. */
export function readTableUpdate(node: JsonNode): TableUpdate {
  return readUpdate(node, TABLE_UPDATE_READERS)
}

/** A partition spec whose fields may lack ids. The table assigns the id of the spec itself. */
export function readUnboundSpec(node: JsonNode): UnboundPartitionSpec {
  const items = node.get('fields').items()
  const { fields } = readPartitionSpec(node)
  return {
    fields: fields.map(({ fieldId, ...field }, i) => {
      const isGiven = items[i]?.find('field-id') !== undefined
      return isGiven ? { ...field, fieldId } : field
    }),
  }
}

const TABLE_UPDATE_READERS: UpdateReaders<TableUpdate> = {
  ...COMMON_UPDATE_READERS,
  'set-current-schema': (node) => ({ schemaId: idOrLast(node.get('schema-id')) }),
  'add-spec': (node) => ({ spec: readUnboundSpec(node.get('spec')) }),
  'set-default-spec': (node) => ({ specId: idOrLast(node.get('spec-id')) }),
  'add-sort-order': (node) => ({ sortOrder: readSortOrder(node.get('sort-order')) }),
  'set-default-sort-order': (node) => ({ sortOrderId: idOrLast(node.get('sort-order-id')) }),
  'add-snapshot': (node) => ({ snapshot: readUnboundSnapshot(node.get('snapshot')) }),
  'set-snapshot-ref': (node) => ({
    refName: node.get('ref-name').string(),
    ref: readSnapshotRef(node),
  }),
  'remove-snapshots': (node) => ({
    snapshotIds: node
      .get('snapshot-ids')
      .items(SNAPSHOT_IDS_MAX)
      .map((id) => id.long()),
  }),
  'remove-snapshot-ref': (node) => ({ refName: node.get('ref-name').string() }),
  'set-statistics': (node) => readStatistics(node, 'statistics'),
  'remove-statistics': (node) => ({ snapshotId: node.get('snapshot-id').long() }),
  'set-partition-statistics': (node) => readStatistics(node, 'partition-statistics'),
  'remove-partition-statistics': (node) => ({ snapshotId: node.get('snapshot-id').long() }),
  'remove-partition-specs': (node) => ({ specIds: readIds(node.get('spec-ids')) }),
  'remove-schemas': (node) => ({ schemaIds: readIds(node.get('schema-ids')) }),
  'add-encryption-key': (node) => {
    const key = node.get('encryption-key')
    key.get('encrypted-key-metadata').string()
    return { keyId: key.get('key-id').string(), encryptionKey: storedJson(key) }
  },
  'remove-encryption-key': (node) => ({ keyId: node.get('key-id').string() }),
}

function idOrLast(node: JsonNode): number {
  return node.value === LAST_ADDED ? LAST_ADDED : node.id()
}

function readIds(node: JsonNode): readonly number[] {
  return node.items().map((id) => id.id())
}

/** Stricter than reading files: here, the writer can still correct it. */
function readUnboundSnapshot(node: JsonNode): UnboundSnapshot {
  node.get('summary').get('operation')
  const { schemaId, ...snapshot } = readSnapshot(node, 0)
  return node.find('schema-id') === undefined ? snapshot : { ...snapshot, schemaId }
}

function readStatistics(node: JsonNode, key: string) {
  const file = node.get(key)
  const snapshotId = file.get('snapshot-id').long()
  const beside = node.find('snapshot-id')
  if (beside !== undefined && beside.long() !== snapshotId) {
    throw beside.error(`differs from that of the statistics, ${snapshotId}`)
  }
  file.get('statistics-path').string()
  file.get('file-size-in-bytes').long()
  return { snapshotId, statistics: storedJson(file) }
}
