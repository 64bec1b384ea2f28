import type { IncomingMessage } from 'node:http'
import { afterCommit } from '../../../core/unknown-state.ts'
import { aroundMember } from '../../../formats/json/json-text.ts'
import { JSON_MEDIA_TYPE, type Reply } from '../../../http/reply.ts'
import type { CreatedTable } from '../create-table.ts'
import { type LoadedTable, type SnapshotMode, tableTag } from '../load-table.ts'
import type { ReadRestrictions } from '../read-restrictions.ts'
import {
  type AccessDependencies,
  type AskedAccess,
  accessTo,
  type TableAccess,
} from '../vending/table-access.ts'

/**
 * A `LoadTableResult` of the Iceberg REST specification. One with credentials or restrictions has
 * no tag: a client that knew it would go on with those that have ended.
 */
export function tableReply(
  { state, metadataLocation, json }: CreatedTable,
  {
    mode,
    access,
    restrictions,
  }: {
    readonly mode: SnapshotMode
    readonly access: TableAccess
    readonly restrictions?: ReadRestrictions | undefined
  },
): Reply {
  const { config, credentials } = access
  const { head, end } = aroundMember('metadata', {
    before: { 'metadata-location': metadataLocation },
    after: {
      config,
      ...(credentials !== undefined && { 'storage-credentials': credentials }),
      ...(restrictions !== undefined && { 'read-restrictions': restrictions }),
    },
  })
  return {
    status: 200,
    mediaType: JSON_MEDIA_TYPE,
    body: { pieces: [utf8(head), ...json, utf8(end)] },
    ...(credentials !== undefined || restrictions !== undefined
      ? { headers: { 'Cache-Control': 'no-store' }, isSecret: true }
      : metadataLocation !== undefined && {
          headers: { ETag: tableTag(state, mode, access) },
        }),
  }
}

/**
 * The response to a change that was made: without credentials if there are none for the moment,
 * since a failure would look like one of the change. The client may ask for them again.
 */
export async function changedTableReply(
  deps: AccessDependencies,
  table: CreatedTable,
  call: { readonly asked: () => Promise<AskedAccess>; readonly request: IncomingMessage },
): Promise<Reply> {
  if (table.metadataLocation === undefined) {
    const access = await accessTo(deps, table.state, await call.asked())
    return tableReply(table, { mode: 'all', access })
  }
  return afterCommit('The table was made', async () => {
    const asked = await call.asked()
    const access = await accessTo(deps, table.state, asked).catch((err: unknown) => {
      const told = 'a table was made, and no credentials could be had for its files'
      call.request.log.warn({ err }, told)
      return accessTo(deps, table.state, { ...asked, wantsCredentials: false })
    })
    return tableReply(table, { mode: 'all', access })
  })
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
