import { createHash } from 'node:crypto'
import { CatalogError } from '../../core/errors.ts'
import {
  PARTITION_FIELD_ID_BASE,
  type PartitionSpec,
  UNSORTED,
} from '../../core/partition/partition-spec.ts'
import { MAIN_BRANCH, type SnapshotRef } from '../../core/table/snapshot.ts'
import {
  currentSchema,
  defaultSpec,
  type RefRetention,
  type TableDefinition,
  type TableMetadata,
} from '../../core/table/table.ts'
import { parseUuid } from '../../core/value/bytes-text.ts'
import type { Schema } from '../../core/value/type.ts'
import { parseExactJson, stringifyExactJson } from '../json/exact-json.ts'
import { JsonNode, type JsonObject } from '../json/json-node.ts'
import { aroundMember } from '../json/json-text.ts'
import { logEntryText, snapshotText } from './history-json.ts'
import { readSchema, schemaToJson } from './schema-json.ts'
import {
  findSnapshotId,
  readLogEntry,
  readSnapshotRef,
  readStoredSnapshot,
  snapshotRefToJson,
} from './snapshot-json.ts'
import {
  partitionFieldsToJson,
  partitionSpecToJson,
  readPartitionFields,
  readPartitionSpec,
  readSortOrder,
  sortOrderToJson,
} from './spec-json.ts'
import { readEncryptionKeys, readStatisticsFiles } from './stored-json.ts'

/**
 * Writes table metadata (Iceberg spec, Appendix C, "Table Metadata"). A table of version 1 with a
 * sequence number is written as version 2, because its manifests have that version: an upgrade
 * without loss.
 */
export function tableMetadataToJson(metadata: TableMetadata): string {
  const formatVersion = writtenFormatVersion(metadata)
  const { head, between, end } = tableMetadataFrame(metadata)
  const snapshots = metadata.snapshots.map((s) => snapshotText(s, formatVersion)).join(',')
  const log = metadata.snapshotLog.map(logEntryText).join(',')
  return `${Buffer.concat(head)}${snapshots}${between}${log}${end}`
}

/** The text around the items of `snapshots` and, after `between`, of `snapshot-log`. */
export interface MetadataFrame {
  /** In UTF-8; the pieces of schemas are shared by all frames that have them. */
  readonly head: readonly Uint8Array[]
  readonly between: string
  readonly end: string
}

/**
 * The text without the history, so that it does not grow with it; history-json.ts writes the items.
 */
export function tableMetadataFrame(
  metadata: Omit<TableMetadata, 'snapshots' | 'snapshotLog'>,
): MetadataFrame {
  const { head, end } = aroundMember('schemas', { before: otherMembers(metadata) })
  const schemas = metadata.definition.schemas.map(followingPiece)
  return {
    head: [
      Buffer.from(`${head}[`),
      ...schemas.map((piece, i) => (i === 0 ? piece.subarray(1) : piece)),
      Buffer.from('],"snapshots":['),
    ],
    between: '],"snapshot-log":[',
    end: `]${end}`,
  }
}

/** A change leaves most schemas as they were: each is written once. */
const FOLLOWING_PIECES = new WeakMap<Schema, Uint8Array>()

/** The schema as it follows another, with a comma. */
function followingPiece(schema: Schema): Uint8Array {
  const known = FOLLOWING_PIECES.get(schema)
  if (known !== undefined) return known
  const piece = Buffer.from(`,${stringifyExactJson(schemaToJson(schema))}`)
  FOLLOWING_PIECES.set(schema, piece)
  return piece
}

/** A table of version 1 with a sequence number is written as version 2. */
export function writtenFormatVersion({
  definition,
  lastSequenceNumber,
}: Pick<TableMetadata, 'definition' | 'lastSequenceNumber'>): number {
  const isVersion1 = definition.formatVersion === 1 && lastSequenceNumber === 0n
  return isVersion1 ? 1 : Math.max(2, definition.formatVersion)
}

/** All but the schemas and the history; ids are bigint. */
function otherMembers(metadata: Omit<TableMetadata, 'snapshots' | 'snapshotLog'>): JsonObject {
  const { definition, currentSnapshotId, lastSequenceNumber } = metadata
  const formatVersion = writtenFormatVersion(metadata)
  const isVersion1 = formatVersion === 1
  const nextRowId = metadata.nextRowId ?? definition.nextRowId ?? 0n
  return {
    'format-version': formatVersion,
    'table-uuid': definition.tableUuid,
    location: definition.location,
    ...(isVersion1 ? onlyInVersion1(definition) : { 'last-sequence-number': lastSequenceNumber }),
    'last-updated-ms': metadata.lastUpdatedMs,
    'last-column-id': definition.lastColumnId,
    'current-schema-id': definition.currentSchemaId,
    'default-spec-id': definition.defaultSpecId,
    'partition-specs': definition.partitionSpecs.map(partitionSpecToJson),
    'last-partition-id': definition.lastPartitionId,
    'default-sort-order-id': definition.defaultSortOrderId,
    'sort-orders': definition.sortOrders.map(sortOrderToJson),
    properties: definition.properties,
    ...(currentSnapshotId !== undefined && { 'current-snapshot-id': currentSnapshotId }),
    ...(formatVersion >= 3 && { 'next-row-id': nextRowId }),
    ...(definition.encryptionKeys !== undefined && {
      'encryption-keys': Object.values(definition.encryptionKeys),
    }),
    refs: Object.fromEntries(
      Object.entries(metadata.refs).map(([name, ref]) => [
        name,
        snapshotRefToJson(name === MAIN_BRANCH ? { ...definition.mainRetention, ...ref } : ref),
      ]),
    ),
    statistics: Object.values(definition.statistics ?? {}),
    'partition-statistics': Object.values(definition.partitionStatistics ?? {}),
    'metadata-log': metadata.metadataLog.map(({ timestampMs, metadataFile }) => ({
      'timestamp-ms': timestampMs,
      'metadata-file': metadataFile,
    })),
  }
}

/** Members that readers of version 1 look for, besides the lists that replaced them. */
function onlyInVersion1(definition: TableDefinition): JsonObject {
  return {
    schema: schemaToJson(currentSchema(definition)),
    'partition-spec': partitionFieldsToJson(defaultSpec(definition)),
  }
}

/**
 * Reads metadata of versions 1 to 3 by any writer. Throws `metadata-corrupt`, which names the JSON
 * path of the error, and `not-implemented` for a later version.
 */
export function parseTableMetadata(text: string): TableMetadata {
  let json: unknown
  try {
    json = parseExactJson(text)
  } catch (cause) {
    throw new CatalogError('metadata-corrupt', 'table metadata that is not JSON', { cause })
  }
  return tableMetadataFromJson(json)
}

/** Does the same as `parseTableMetadata`, for JSON parsed by `parseExactJson`. */
export function tableMetadataFromJson(json: unknown): TableMetadata {
  const node = new JsonNode(json)
  const definition = readDefinition(node)
  const currentSnapshotId = findSnapshotId(node, 'current-snapshot-id')
  const snapshots = readSnapshots(node, definition)
  if (currentSnapshotId !== undefined) {
    const isListed = snapshots.some(({ snapshotId }) => snapshotId === currentSnapshotId)
    if (!isListed) throw node.get('current-snapshot-id').error('is not among the snapshots')
  }
  const nextRowId = node.find('next-row-id')?.long()
  return {
    definition,
    lastSequenceNumber: requiredSince(2, node, 'last-sequence-number')?.long() ?? 0n,
    lastUpdatedMs: node.get('last-updated-ms').safeInteger(),
    currentSnapshotId,
    snapshots,
    snapshotLog: itemsOf(node, 'snapshot-log').map(readLogEntry),
    metadataLog: itemsOf(node, 'metadata-log').map((entry) => ({
      timestampMs: entry.get('timestamp-ms').safeInteger(),
      metadataFile: entry.get('metadata-file').string(),
    })),
    refs: readRefs(node, currentSnapshotId),
    ...(nextRowId !== undefined && { nextRowId }),
  }
}

function readDefinition(node: JsonNode): TableDefinition {
  const formatVersion = readFormatVersion(node.get('format-version'))
  const location = node.get('location').string().replace(/\/+$/, '')
  return {
    formatVersion,
    tableUuid: readUuid(requiredSince(2, node, 'table-uuid')) ?? uuidOfLocation(location),
    location,
    lastColumnId: node.get('last-column-id').id(),
    ...readSchemas(node),
    ...readSpecs(node),
    ...readSortOrders(node),
    properties: node.find('properties')?.stringMap() ?? {},
    ...readLater(node, formatVersion),
  }
}

/** Reads the optional members of the definition. */
function readLater(node: JsonNode, formatVersion: number): Partial<TableDefinition> {
  const statistics = readStatisticsFiles(node.find('statistics'))
  const partitionStatistics = readStatisticsFiles(node.find('partition-statistics'))
  const encryptionKeys = readEncryptionKeys(node.find('encryption-keys'))
  const nextRowId = formatVersion >= 3 ? node.find('next-row-id')?.long() : undefined
  const mainRetention = readMainRetention(node)
  return {
    ...(statistics !== undefined && { statistics }),
    ...(partitionStatistics !== undefined && { partitionStatistics }),
    ...(encryptionKeys !== undefined && { encryptionKeys }),
    ...(nextRowId !== undefined && { nextRowId }),
    ...(mainRetention !== undefined && { mainRetention }),
  }
}

function readMainRetention(node: JsonNode): RefRetention | undefined {
  const main = node.find('refs')?.find(MAIN_BRANCH)
  if (main === undefined) return undefined
  const { type: _type, snapshotId: _snapshotId, ...retention } = readSnapshotRef(main)
  return Object.keys(retention).length === 0 ? undefined : retention
}

function readFormatVersion(node: JsonNode): 1 | 2 | 3 {
  const version = node.safeInteger()
  if (version === 1 || version === 2 || version === 3) return version
  if (version < 1) throw node.error(`${version} is not a version`)
  throw new CatalogError('not-implemented', `${node.path}: version ${version} is not supported`)
}

/** Reads a member that earlier format versions allow to leave out. */
function requiredSince(version: 2 | 3, node: JsonNode, key: string): JsonNode | undefined {
  const isRequired = node.get('format-version').safeInteger() >= version
  return isRequired ? node.get(key) : node.find(key)
}

function itemsOf(node: JsonNode, key: string): readonly JsonNode[] {
  return node.find(key)?.items() ?? []
}

function readSchemas(node: JsonNode): Pick<TableDefinition, 'schemas' | 'currentSchemaId'> {
  const listed = requiredSince(2, node, 'schemas')?.items().map(readSchema)
  const schemas = listed ?? [readSchema(node.get('schema'))]
  const single = node.find('schema')
  const currentSchemaId =
    requiredSince(2, node, 'current-schema-id')?.id() ??
    (single === undefined ? schemas[0]?.schemaId : readSchema(single).schemaId)
  if (!schemas.some(({ schemaId }) => schemaId === currentSchemaId)) {
    throw node.error(`no schema has the current schema's id, ${currentSchemaId}`)
  }
  return { schemas, currentSchemaId: currentSchemaId as number }
}

type Specs = Pick<TableDefinition, 'partitionSpecs' | 'defaultSpecId' | 'lastPartitionId'>

function readSpecs(node: JsonNode): Specs {
  const listed = requiredSince(2, node, 'partition-specs')?.items().map(readPartitionSpec)
  const partitionSpecs = listed ?? [
    { specId: 0, fields: readPartitionFields(node.get('partition-spec')) },
  ]
  const defaultSpecId =
    requiredSince(2, node, 'default-spec-id')?.id() ?? lastSpecId(partitionSpecs)
  if (!partitionSpecs.some(({ specId }) => specId === defaultSpecId)) {
    throw node.error(`no partition spec has the default spec's id, ${defaultSpecId}`)
  }
  const lastPartitionId =
    requiredSince(2, node, 'last-partition-id')?.id() ?? highestFieldId(partitionSpecs)
  return { partitionSpecs, defaultSpecId, lastPartitionId }
}

function lastSpecId(specs: readonly PartitionSpec[]): number {
  return specs.reduce((last, { specId }) => Math.max(last, specId), 0)
}

function highestFieldId(specs: readonly PartitionSpec[]): number {
  const fields = specs.flatMap((spec) => spec.fields)
  return fields.reduce((last, { fieldId }) => Math.max(last, fieldId), PARTITION_FIELD_ID_BASE)
}

function readSortOrders(
  node: JsonNode,
): Pick<TableDefinition, 'sortOrders' | 'defaultSortOrderId'> {
  const sortOrders = requiredSince(2, node, 'sort-orders')?.items().map(readSortOrder) ?? [UNSORTED]
  const defaultSortOrderId = requiredSince(2, node, 'default-sort-order-id')?.id() ?? 0
  // Order 0 always means unsorted, whether listed or not.
  const isListed = sortOrders.some(({ orderId }) => orderId === defaultSortOrderId)
  if (!isListed && defaultSortOrderId !== UNSORTED.orderId) {
    throw node.error(`no sort order has the default order's id, ${defaultSortOrderId}`)
  }
  const isUnsortedMissing = !isListed
  return {
    sortOrders: isUnsortedMissing ? [UNSORTED, ...sortOrders] : sortOrders,
    defaultSortOrderId,
  }
}

function readSnapshots(node: JsonNode, { currentSchemaId }: TableDefinition) {
  const items = itemsOf(node, 'snapshots')
  const snapshots = items.map((item) => readStoredSnapshot(item, currentSchemaId))
  return snapshots.sort((left, right) => {
    if (left.sequenceNumber !== right.sequenceNumber) {
      return left.sequenceNumber < right.sequenceNumber ? -1 : 1
    }
    return left.timestampMs - right.timestampMs
  })
}

function readRefs(
  node: JsonNode,
  currentSnapshotId: bigint | undefined,
): Readonly<Record<string, SnapshotRef>> {
  const refs = node.find('refs')?.mapMembers(readSnapshotRef) ?? {}
  const main = Object.hasOwn(refs, MAIN_BRANCH) ? refs[MAIN_BRANCH] : undefined
  if (main !== undefined && main.snapshotId !== currentSnapshotId) {
    throw node.get('refs').error('the main branch is not at the current snapshot')
  }
  if (main !== undefined || currentSnapshotId === undefined) return refs
  return { ...refs, [MAIN_BRANCH]: { type: 'branch', snapshotId: currentSnapshotId } }
}

/** Checked, because it becomes part of locations. */
function readUuid(node: JsonNode | undefined): string | undefined {
  if (node === undefined) return undefined
  const uuid = node.string()
  if (parseUuid(uuid) === undefined) throw node.error('expected a UUID')
  return uuid
}

/**
 * The first writers gave tables no UUID: one computed from the location is the same on every read.
 */
function uuidOfLocation(location: string): string {
  const hash = createHash('sha256').update(location).digest()
  // Version 8, variant 1 (RFC 9562).
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x80, 6)
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = hash.toString('hex', 0, 16)
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
