import type { LocationStore } from '../../catalog/location-store.ts'

/**
 * A store that gives no location to others while the folder that has it is not there: that its
 * files are gone is then no reason, because they come back with the disk.
 */
export function guardedLocations(
  locations: LocationStore,
  requirePlaces: (locations: readonly string[]) => Promise<void>,
): LocationStore {
  return {
    findOverlapping: (location, limit) => locations.findOverlapping(location, limit),
    findOwners: (paths) => locations.findOwners(paths),
    findLastVersion: (uuid) => locations.findLastVersion(uuid),
    remember: (dropped) => locations.remember(dropped),
    forget: async (place) => {
      await requirePlaces([place.location])
      return locations.forget(place)
    },
  }
}
