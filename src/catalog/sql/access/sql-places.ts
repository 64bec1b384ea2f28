import { nameKey } from '../../../core/table/name-key.ts'
import type { Place, PlaceKey } from '../../grant-store.ts'
import { type Connection, chunks } from '../engine/sql-engine.ts'
import { namespaceKey } from '../rows/sql-keys.ts'
import { decodeExact } from '../rows/tagged-json.ts'

type Named = Omit<Place, 'namespaceUuids'>

/** Where the things with these UUIDs are. */
export async function findPlaces(
  connection: Connection,
  uuids: readonly string[],
): Promise<readonly Place[]> {
  const found: Named[] = []
  for (const some of chunks(uuids)) {
    const tables = await connection
      .selectFrom('tables')
      .select(['table_uuid as uuid', 'namespace', 'name'])
      .where('table_uuid', 'in', some)
      .execute()
    const views = await connection
      .selectFrom('views')
      .select(['view_uuid as uuid', 'namespace', 'name'])
      .where('view_uuid', 'in', some)
      .execute()
    const namespaces = await connection
      .selectFrom('namespaces')
      .select(['namespace_uuid as uuid', 'levels as namespace'])
      .where('namespace_uuid', 'in', some)
      .execute()
    found.push(...tables.map((row) => ({ kind: 'table' as const, ...placedRow(row) })))
    found.push(...views.map((row) => ({ kind: 'view' as const, ...placedRow(row) })))
    found.push(
      ...namespaces.map((row) => ({
        ...{ kind: 'namespace' as const, name: '' },
        ...placedRow({ ...row, name: '' }),
      })),
    )
  }
  return withNamespaces(connection, found)
}

function placedRow(row: { uuid: string; namespace: string; name: string }) {
  return { uuid: row.uuid, levels: decodeExact<readonly string[]>(row.namespace), name: row.name }
}

export async function findPlace(connection: Connection, key: PlaceKey): Promise<Place | undefined> {
  const { levels } = key
  if (key.kind === 'namespace') {
    const uuids = await namespaceUuidsOf(connection, [levels])
    const path = pathOf(uuids, levels)
    const uuid = path.at(-1)
    if (uuid === undefined || path.length !== levels.length) return undefined
    return { kind: 'namespace', uuid, levels, name: '', namespaceUuids: path }
  }
  const row = await connection
    .selectFrom('names')
    .select('uuid')
    .where('namespace_key', '=', namespaceKey(levels))
    .where('name_key', '=', nameKey(key.name))
    .where('kind', '=', key.kind)
    .executeTakeFirst()
  if (row === undefined) return undefined
  const [place] = await withNamespaces(connection, [
    { kind: key.kind, uuid: row.uuid, levels, name: key.name },
  ])
  return place
}

async function withNamespaces(
  connection: Connection,
  places: readonly Named[],
): Promise<readonly Place[]> {
  const uuids = await namespaceUuidsOf(
    connection,
    places.map(({ levels }) => levels),
  )
  return places.map((place) => ({ ...place, namespaceUuids: pathOf(uuids, place.levels) }))
}

/** By the keys of these namespaces and all above them. */
async function namespaceUuidsOf(
  connection: Connection,
  namespaces: readonly (readonly string[])[],
): Promise<ReadonlyMap<string, string>> {
  const keys = new Set(
    namespaces.flatMap((levels) => levels.map((_, i) => namespaceKey(levels.slice(0, i + 1)))),
  )
  const uuids = new Map<string, string>()
  for (const some of chunks([...keys])) {
    const rows = await connection
      .selectFrom('namespaces')
      .select(['namespace_key', 'namespace_uuid'])
      .where('namespace_key', 'in', some)
      .execute()
    for (const row of rows) uuids.set(row.namespace_key, row.namespace_uuid)
  }
  return uuids
}

/** The outermost first; short of those that are not there. */
function pathOf(uuids: ReadonlyMap<string, string>, levels: readonly string[]): readonly string[] {
  return levels.flatMap((_, i) => uuids.get(namespaceKey(levels.slice(0, i + 1))) ?? [])
}
