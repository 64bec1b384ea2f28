import { CatalogError } from '../../core/errors.ts'
import { LAST_ADDED } from '../../core/metadata/table-update.ts'
import type {
  ViewMetadata,
  ViewRepresentation,
  ViewVersion,
} from '../../core/metadata/view-metadata.ts'
import { parseUuid } from '../../core/value/bytes-text.ts'
import { parseExactJson, stringifyExactJson } from '../json/exact-json.ts'
import { JsonNode, type JsonObject } from '../json/json-node.ts'
import { readSchema, schemaToJson } from './schema-json.ts'

/** Writes view metadata (Iceberg view specification, "View Metadata"). */
export function viewMetadataToJson(metadata: ViewMetadata): string {
  return stringifyExactJson(viewMetadataToJsonObject(metadata))
}

/** Does the same as `viewMetadataToJson`, for use in another document. */
export function viewMetadataToJsonObject(metadata: ViewMetadata): JsonObject {
  return {
    'view-uuid': metadata.viewUuid,
    'format-version': metadata.formatVersion,
    location: metadata.location,
    schemas: metadata.schemas.map(schemaToJson),
    'current-version-id': metadata.currentVersionId,
    versions: metadata.versions.map(viewVersionToJson),
    'version-log': metadata.versionLog.map(({ timestampMs, versionId }) => ({
      'timestamp-ms': timestampMs,
      'version-id': versionId,
    })),
    properties: metadata.properties,
  }
}

/**
 * Throws `metadata-corrupt`, which names the JSON path of the error, and `not-implemented` for a
 * later version.
 */
export function parseViewMetadata(text: string): ViewMetadata {
  let json: unknown
  try {
    json = parseExactJson(text)
  } catch (cause) {
    throw new CatalogError('metadata-corrupt', 'view metadata that is not JSON', { cause })
  }
  return readViewMetadata(new JsonNode(json))
}

export function viewVersionToJson(version: ViewVersion): JsonObject {
  const { defaultCatalog } = version
  return {
    'version-id': version.versionId,
    'timestamp-ms': version.timestampMs,
    'schema-id': version.schemaId,
    summary: version.summary,
    ...(defaultCatalog !== undefined && { 'default-catalog': defaultCatalog }),
    'default-namespace': version.defaultNamespace,
    representations: version.representations.map(({ type, sql, dialect }) => ({
      type,
      sql,
      dialect,
    })),
  }
}

/** Reads a view version. Schema id -1, which stands for the schema added last, is kept. */
export function readViewVersion(node: JsonNode): ViewVersion {
  const defaultCatalog = node.find('default-catalog')?.string()
  const schemaId = node.get('schema-id')
  return {
    versionId: node.get('version-id').id(),
    timestampMs: node.get('timestamp-ms').safeInteger(),
    schemaId: schemaId.value === LAST_ADDED ? LAST_ADDED : schemaId.id(),
    summary: node.find('summary')?.stringMap() ?? {},
    representations: node.get('representations').items().map(readRepresentation),
    ...(defaultCatalog !== undefined && { defaultCatalog }),
    defaultNamespace: node
      .get('default-namespace')
      .items()
      .map((level) => level.string()),
  }
}

function readViewMetadata(node: JsonNode): ViewMetadata {
  const metadata: ViewMetadata = {
    viewUuid: readUuid(node.get('view-uuid')),
    formatVersion: readFormatVersion(node.get('format-version')),
    location: node.get('location').string(),
    currentVersionId: node.get('current-version-id').id(),
    schemas: node.get('schemas').items().map(readSchema),
    versions: node
      .get('versions')
      .items()
      .map(readViewVersion)
      .sort((left, right) => left.versionId - right.versionId),
    versionLog: node
      .get('version-log')
      .items()
      .map((entry) => ({
        timestampMs: entry.get('timestamp-ms').safeInteger(),
        versionId: entry.get('version-id').id(),
      })),
    properties: node.find('properties')?.stringMap() ?? {},
  }
  checkReferences(metadata, node)
  return metadata
}

function checkReferences(metadata: ViewMetadata, node: JsonNode): void {
  const { currentVersionId, versions, schemas } = metadata
  const schemaIds = new Set(schemas.map((schema) => schema.schemaId))
  if (!versions.some(({ versionId }) => versionId === currentVersionId)) {
    throw node.get('current-version-id').error('is not among the versions')
  }
  const odd = versions.find(({ schemaId }) => !schemaIds.has(schemaId))
  if (odd !== undefined) {
    throw node.get('versions').error(`version ${odd.versionId} has no schema ${odd.schemaId}`)
  }
}

function readRepresentation(node: JsonNode): ViewRepresentation {
  return {
    type: node.get('type').oneOf(['sql']),
    sql: node.get('sql').string(),
    dialect: node.get('dialect').string(),
  }
}

function readFormatVersion(node: JsonNode): 1 {
  const version = node.safeInteger()
  if (version === 1) return version
  if (version < 1) throw node.error(`${version} is not a version`)
  throw new CatalogError('not-implemented', `${node.path}: version ${version} is not supported`)
}

/** Checked, because it becomes part of locations. */
function readUuid(node: JsonNode): string {
  const uuid = node.string()
  if (parseUuid(uuid) === undefined) throw node.error('expected a UUID')
  return uuid
}
