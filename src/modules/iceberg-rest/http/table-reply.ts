import type { CreatedTable } from '../create-table.ts'
import { type LoadedTable, type SnapshotMode, tableTag } from '../load-table.ts'
import { utf8 } from './rest-reply.ts'
import type { IcebergReply } from './rest-route.ts'

/** Iceberg REST specification, `LoadTableResult`. */
export function tableReply(
  { state, metadataLocation, json }: CreatedTable,
  mode: SnapshotMode,
): IcebergReply {
  const location =
    metadataLocation === undefined ? '' : `"metadata-location":${JSON.stringify(metadataLocation)},`
  return {
    status: 200,
    body: [utf8(`{${location}"metadata":`), ...json, utf8(',"config":{}}')],
    ...(metadataLocation === undefined ? {} : { headers: { ETag: tableTag(state, mode) } }),
  }
}

/** Iceberg REST specification, `UnregisterTableResult`. */
export function metadataReply({
  metadataLocation,
  json,
}: Pick<LoadedTable, 'metadataLocation' | 'json'>): IcebergReply {
  const head = `{"metadata-location":${JSON.stringify(metadataLocation)},"metadata":`
  return { status: 200, body: [utf8(head), ...json, utf8('}')] }
}
