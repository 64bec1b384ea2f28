import { LAST_ADDED } from '../../../core/metadata/table-update.ts'
import type {
  ViewRequirement,
  ViewUpdate,
  ViewVersion,
} from '../../../core/metadata/view-metadata.ts'
import type { NamespacedName } from '../../../core/table/table-name.ts'
import type { Schema } from '../../../core/value/type.ts'
import type { JsonNode } from '../../../formats/json/json-node.ts'
import { readSchema } from '../../../formats/metadata/schema-json.ts'
import { readViewVersion } from '../../../formats/metadata/view-metadata-json.ts'
import { COMMON_UPDATE_READERS, readUpdate, type UpdateReaders } from './common-update-json.ts'
import { NAMESPACE_LEVELS_MAX, REQUIREMENTS_MAX, UPDATES_MAX } from './request-bounds.ts'
import { readIdentifier, readName, requestNode } from './table-request-json.ts'

/** A `CommitViewRequest` of the Iceberg REST specification. */
export interface CommitViewRequest {
  readonly identifier: NamespacedName | undefined
  readonly requirements: readonly ViewRequirement[]
  readonly updates: readonly ViewUpdate[]
}

export interface CreateViewRequest {
  readonly name: string
  readonly location: string | undefined
  readonly schema: Schema
  readonly version: ViewVersion
  readonly properties: Readonly<Record<string, string>>
}

/** Takes JSON of `parseExactJson`. `update-invalid` names the JSON path. */
export function parseCommitViewRequest(json: unknown): CommitViewRequest {
  const node = requestNode(json)
  const identifier = node.find('identifier')
  const requirements = node.find('requirements')
  return {
    identifier: identifier === undefined ? undefined : readIdentifier(identifier),
    requirements:
      requirements === undefined
        ? []
        : requirements.items(REQUIREMENTS_MAX).map(readViewRequirement),
    updates: node.get('updates').items(UPDATES_MAX).map(readViewUpdate),
  }
}

/** A `CreateViewRequest` of the Iceberg REST specification. */
export function parseCreateViewRequest(json: unknown): CreateViewRequest {
  const node = requestNode(json)
  return {
    name: readName(node.get('name')),
    location: node.find('location')?.string(),
    schema: readSchema(node.get('schema')),
    version: readNewVersion(node.get('view-version')),
    properties: node.find('properties')?.stringMap() ?? {},
  }
}

const VIEW_UPDATE_READERS: UpdateReaders<ViewUpdate> = {
  ...COMMON_UPDATE_READERS,
  'add-view-version': (node) => ({ version: readNewVersion(node.get('view-version')) }),
  'set-current-view-version': (node) => {
    const versionId = node.get('view-version-id')
    return { versionId: versionId.value === LAST_ADDED ? LAST_ADDED : versionId.id() }
  },
}

function readNewVersion(node: JsonNode): ViewVersion {
  node.get('default-namespace').items(NAMESPACE_LEVELS_MAX)
  return readViewVersion(node)
}

function readViewUpdate(node: JsonNode): ViewUpdate {
  return readUpdate(node, VIEW_UPDATE_READERS)
}

function readViewRequirement(node: JsonNode): ViewRequirement {
  const type = node.get('type').oneOf(['assert-view-uuid'])
  return { type, uuid: node.get('uuid').string() }
}
