import type { ViewMetadata, ViewVersion } from '../../core/metadata/view-metadata.ts'
import { describeColumns } from '../../core/schema/column-definition.ts'
import { formatTableName, type NamespacedName } from '../../core/table/table-name.ts'
import { timeText } from '../../http/common-shapes.ts'
import type { ViewReading } from './views.ts'

export function viewToJson(view: ViewReading) {
  const { metadata } = view
  const current = metadata.versions.find(({ versionId }) => versionId === metadata.currentVersionId)
  return {
    view_id: metadata.viewUuid,
    ...viewNameToJson(view),
    description: metadata.properties['comment'] ?? null,
    location: metadata.location,
    metadata_location: view.metadataLocation,
    created_at: timeText(view.createdAtMs),
    updated_at: timeText(view.lastUpdatedMs),
    ...(current === undefined ? {} : versionToJson(current, metadata)),
    versions: metadata.versions
      .map((each) => ({ created_at: timeText(each.timestampMs), ...versionToJson(each, metadata) }))
      .reverse(),
    history: metadata.versionLog
      .map(({ versionId, timestampMs }) => ({
        version_id: versionId,
        since: timeText(timestampMs),
      }))
      .reverse(),
  }
}

export function viewNameToJson({ namespace, name }: NamespacedName) {
  return {
    name,
    namespace: namespace.join('.'),
    identifier: formatTableName(namespace, name),
  }
}

function versionToJson(version: ViewVersion, { schemas }: ViewMetadata) {
  const schema = schemas.find(({ schemaId }) => schemaId === version.schemaId)
  return {
    version_id: version.versionId,
    queries: version.representations.map(({ dialect, sql }) => ({ dialect, sql })),
    columns: schema === undefined ? [] : describeColumns(schema),
    default_namespace: version.defaultNamespace.join('.'),
  }
}
