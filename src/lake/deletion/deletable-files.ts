import type { Stores } from '../../catalog/catalog.ts'
import type { TableLocation } from '../../catalog/location-store.ts'
import { isBelow } from '../../core/file/location-key.ts'
import { keepsFiles } from '../../core/table-properties.ts'

/**
 * Those of these files that may be deleted when nothing names them: below the location of a table,
 * living or dropped, and of none that keeps its files (`gc.enabled`). Who wrote them does not
 * matter.
 */
export async function findDeletable(
  deps: Stores<'locations' | 'tables'>,
  paths: readonly string[],
): Promise<ReadonlySet<string>> {
  const owners = await deps.catalog.locations.findOwners(paths)
  const keeping = new Map<string, boolean>()
  const deletable = new Set<string>()
  for (const [path, places] of owners) {
    const above = places.filter(({ location }) => isBelow(location, path))
    let isKept = above.length === 0
    for (const place of above) {
      const { tableUuid } = place
      if (!keeping.has(tableUuid)) keeping.set(tableUuid, await keeps(deps, place))
      isKept ||= keeping.get(tableUuid) === true
    }
    if (!isKept) deletable.add(path)
  }
  return deletable
}

/** A living table says so in its properties; what a dropped one said is remembered. */
async function keeps(
  deps: Stores<'tables'>,
  { tableUuid, isDropped, keepsFiles: kept }: TableLocation,
): Promise<boolean> {
  if (isDropped) return kept
  const state = await deps.catalog.tables.find({ tableUuid })
  return state === undefined ? kept : keepsFiles(state.definition.properties)
}
