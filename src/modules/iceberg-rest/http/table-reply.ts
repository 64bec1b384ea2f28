import { aroundMember } from '../../../formats/json/json-text.ts'
import { JSON_MEDIA_TYPE, type Reply } from '../../../http/reply.ts'
import type { CreatedTable } from '../create-table.ts'
import { type LoadedTable, type SnapshotMode, tableTag } from '../load-table.ts'

/** A `LoadTableResult` of the Iceberg REST specification. */
export function tableReply(
  { state, metadataLocation, json }: CreatedTable,
  mode: SnapshotMode,
): Reply {
  const { head, end } = aroundMember('metadata', {
    before: { 'metadata-location': metadataLocation },
    after: { config: {} },
  })
  return {
    status: 200,
    mediaType: JSON_MEDIA_TYPE,
    body: { pieces: [utf8(head), ...json, utf8(end)] },
    ...(metadataLocation === undefined ? {} : { headers: { ETag: tableTag(state, mode) } }),
  }
}

/** An `UnregisterTableResult` of the Iceberg REST specification. */
export function metadataReply({
  metadataLocation,
  json,
}: Pick<LoadedTable, 'metadataLocation' | 'json'>): Reply {
  const before = { 'metadata-location': metadataLocation }
  const { head, end } = aroundMember('metadata', { before })
  return {
    status: 200,
    mediaType: JSON_MEDIA_TYPE,
    body: { pieces: [utf8(head), ...json, utf8(end)] },
  }
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
