import { CatalogError } from '../../core/errors.ts'
import { SUMMARY_MEMBERS_MAX } from '../../core/limits.ts'
import type { Snapshot, SnapshotLogEntry, SnapshotRef } from '../../core/table/snapshot.ts'
import { JsonNode, type JsonObject, type JsonOrigin } from '../json/json-node.ts'

const OPERATIONS = ['append', 'replace', 'overwrite', 'delete'] as const

/**
 * Writes a snapshot (Iceberg spec, Appendix C, "Snapshots"). Ids are bigint: use
 * `stringifyExactJson`.
 */
export function snapshotToJson(snapshot: Snapshot): JsonObject {
  const { parentSnapshotId, operation, summary, firstRowId, addedRows } = snapshot
  return {
    'snapshot-id': snapshot.snapshotId,
    ...(parentSnapshotId !== null && { 'parent-snapshot-id': parentSnapshotId }),
    'sequence-number': snapshot.sequenceNumber,
    'timestamp-ms': snapshot.timestampMs,
    ...(snapshot.inlineManifests === undefined
      ? { 'manifest-list': snapshot.manifestList }
      : { manifests: snapshot.inlineManifests }),
    summary: { ...summary, operation },
    'schema-id': snapshot.schemaId,
    ...(firstRowId !== undefined && { 'first-row-id': firstRowId }),
    ...(addedRows !== undefined && { 'added-rows': addedRows }),
  }
}

/** Properties of the table, for what a writer may leave out of a snapshot. */
export interface SnapshotDefaults extends JsonOrigin {
  /** 0 by default. */
  readonly schemaId?: number
}

/**
 * The inverse of `snapshotToJson`. An absent operation (format version 1) becomes `overwrite`,
 * which promises least. Throws `not-implemented` for one that names its manifests itself, as in
 * format version 1: commits give manifest lists.
 */
export function snapshotFromJson(json: unknown, defaults: SnapshotDefaults = {}): Snapshot {
  return readSnapshot(new JsonNode(json, defaults), defaults.schemaId ?? 0)
}

/** Reads a snapshot of a metadata file, which may have `inlineManifests`. */
export function readStoredSnapshot(node: JsonNode, defaultSchemaId: number): Snapshot {
  const manifests = findInline(node)
  if (manifests === undefined) return readSnapshot(node, defaultSchemaId)
  const inlineManifests = manifests.items().map((item) => item.string())
  return { ...snapshotWith(node, defaultSchemaId, ''), inlineManifests }
}

export function readSnapshot(node: JsonNode, defaultSchemaId: number): Snapshot {
  if (findInline(node) !== undefined) {
    const detail = `${node.path}: snapshots without a manifest list are not supported`
    throw new CatalogError('not-implemented', detail)
  }
  return snapshotWith(node, defaultSchemaId, node.get('manifest-list').string())
}

function findInline(node: JsonNode): JsonNode | undefined {
  return node.find('manifest-list') === undefined ? node.find('manifests') : undefined
}

function snapshotWith(node: JsonNode, defaultSchemaId: number, manifestList: string): Snapshot {
  const summaryNode = node.find('summary')
  const { operation: _, ...summary } =
    summaryNode?.stringMap(summaryNode.boundAtLeast(SUMMARY_MEMBERS_MAX)) ?? {}
  const firstRowId = node.find('first-row-id')?.long()
  const addedRows = node.find('added-rows')?.long()
  return {
    snapshotId: node.get('snapshot-id').long(),
    parentSnapshotId: findSnapshotId(node, 'parent-snapshot-id') ?? null,
    sequenceNumber: node.find('sequence-number')?.long() ?? 0n,
    timestampMs: node.get('timestamp-ms').safeInteger(),
    operation: summaryNode?.find('operation')?.oneOf(OPERATIONS) ?? 'overwrite',
    summary,
    manifestList,
    schemaId: node.find('schema-id')?.id() ?? defaultSchemaId,
    ...(firstRowId !== undefined && { firstRowId }),
    ...(addedRows !== undefined && { addedRows }),
  }
}

/** The snapshot id, if any; older writers put -1 if there is none. */
export function findSnapshotId(node: JsonNode, key: string): bigint | undefined {
  const id = node.find(key)?.long()
  return id === -1n ? undefined : id
}

export function snapshotRefToJson(ref: SnapshotRef): JsonObject {
  const { minSnapshotsToKeep, maxSnapshotAgeMs, maxRefAgeMs } = ref
  return {
    'snapshot-id': ref.snapshotId,
    type: ref.type,
    ...(minSnapshotsToKeep !== undefined && { 'min-snapshots-to-keep': minSnapshotsToKeep }),
    ...(maxSnapshotAgeMs !== undefined && { 'max-snapshot-age-ms': maxSnapshotAgeMs }),
    ...(maxRefAgeMs !== undefined && { 'max-ref-age-ms': maxRefAgeMs }),
  }
}

export function readSnapshotRef(node: JsonNode): SnapshotRef {
  const minSnapshotsToKeep = node.find('min-snapshots-to-keep')?.safeInteger()
  const maxSnapshotAgeMs = readAge(node.find('max-snapshot-age-ms'))
  const maxRefAgeMs = readAge(node.find('max-ref-age-ms'))
  return {
    type: node.get('type').oneOf(['branch', 'tag']),
    snapshotId: node.get('snapshot-id').long(),
    ...(minSnapshotsToKeep !== undefined && { minSnapshotsToKeep }),
    ...(maxSnapshotAgeMs !== undefined && { maxSnapshotAgeMs }),
    ...(maxRefAgeMs !== undefined && { maxRefAgeMs }),
  }
}

/** "Forever" is often written as the largest long; ages beyond 2^53 ms mean the same. */
function readAge(node: JsonNode | undefined): number | undefined {
  if (node === undefined) return undefined
  const age = node.long()
  return age > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(age)
}

export function readLogEntry(node: JsonNode): SnapshotLogEntry {
  return {
    timestampMs: node.get('timestamp-ms').safeInteger(),
    snapshotId: node.get('snapshot-id').long(),
  }
}
