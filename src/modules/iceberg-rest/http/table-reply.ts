import { JSON_MEDIA_TYPE, type Reply } from '../../../http/reply.ts'
import type { CreatedTable } from '../create-table.ts'
import { type LoadedTable, type SnapshotMode, tableTag } from '../load-table.ts'

/** Iceberg REST specification, `LoadTableResult`. */
export function tableReply(
  { state, metadataLocation, json }: CreatedTable,
  mode: SnapshotMode,
): Reply {
  const location =
    metadataLocation === undefined ? '' : `"metadata-location":${JSON.stringify(metadataLocation)},`
  return {
    status: 200,
    mediaType: JSON_MEDIA_TYPE,
    body: { pieces: [utf8(`{${location}"metadata":`), ...json, utf8(',"config":{}}')] },
    ...(metadataLocation === undefined ? {} : { headers: { ETag: tableTag(state, mode) } }),
  }
}

/** Iceberg REST specification, `UnregisterTableResult`. */
export function metadataReply({
  metadataLocation,
  json,
}: Pick<LoadedTable, 'metadataLocation' | 'json'>): Reply {
  const head = `{"metadata-location":${JSON.stringify(metadataLocation)},"metadata":`
  return {
    status: 200,
    mediaType: JSON_MEDIA_TYPE,
    body: { pieces: [utf8(head), ...json, utf8('}')] },
  }
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
