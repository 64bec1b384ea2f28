import type { Stores } from '../../catalog/catalog.ts'
import type { TableLocation } from '../../catalog/location-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { locationKey } from '../../core/file/location-key.ts'
import type { ObjectInfo, ObjectStore } from '../../objects/object-store.ts'
import { isDropMark } from './drop-mark.ts'
import { METADATA_JSON } from './metadata-file-name.ts'
import { isNameMark } from './name-mark.ts'

export type GivenUpDependencies = Stores<'events' | 'locations' | 'paths'> & {
  readonly ambient: Pick<Ambient, 'nowMs'>
  readonly objects: Pick<ObjectStore, 'list'>
}

/** What a client writes before it takes a location is no more than that. */
const STRANGE_FILES_MAX = 1_000
const EVENTS_AT_ONCE = 1_000

/**
 * Whether the files of the dropped table are gone, so that its location was given to others. Files
 * that came after the drop are none of them, if nothing names them and no metadata of a table is
 * there: clients of Iceberg write to the place that a table is going to have, and name only some
 * of what they wrote in the end.
 */
export async function hasGivenUp(
  deps: GivenUpDependencies,
  place: TableLocation,
  writtenKeys: ReadonlySet<string>,
): Promise<boolean> {
  const strange: ObjectInfo[] = []
  for await (const file of deps.objects.list(place.location)) {
    const { location } = file
    const isMark = isDropMark(location) || isNameMark(location)
    if (isMark || writtenKeys.has(locationKey(location))) continue
    if (METADATA_JSON.test(location) || strange.length === STRANGE_FILES_MAX) return false
    strange.push(file)
  }
  if (strange.length > 0 && !(await areNobodys(deps, place, strange))) return false
  return (await deps.catalog.locations.forget(place)) === 'forgotten'
}

async function areNobodys(
  deps: GivenUpDependencies,
  { tableUuid, keepsFiles }: TableLocation,
  files: readonly ObjectInfo[],
): Promise<boolean> {
  if (keepsFiles) return false
  const droppedAtMs = await findDroppedAtMs(deps, tableUuid)
  if (droppedAtMs === undefined) return false
  if (files.some(({ modifiedAtMs }) => modifiedAtMs <= droppedAtMs)) return false
  const { paths } = deps.catalog
  const locations = files.map(({ location }) => location)
  const staged = await paths.findStaged({ paths: locations, nowMs: deps.ambient.nowMs() })
  // After what is staged: a commit makes that known.
  return staged.length === 0 && (await paths.findTables(locations)).size === 0
}

/** `undefined` if it is so long ago that it is forgotten. */
async function findDroppedAtMs(
  { catalog: { events } }: Stores<'events'>,
  tableUuid: string,
): Promise<number | undefined> {
  const query = { types: ['moraine.table.dropped.v1'] as const, subject: tableUuid }
  let droppedAtMs: number | undefined
  let { forgotten: after } = await events.findRange()
  for (;;) {
    const page = await events.list({ ...query, after, limit: EVENTS_AT_ONCE })
    droppedAtMs = page.events.at(-1)?.timeMs ?? droppedAtMs
    if (page.nextAfter >= page.last) return droppedAtMs
    after = page.nextAfter
  }
}
