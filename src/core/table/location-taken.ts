import { CatalogError } from '../errors.ts'
import { folderKey } from './folder-key.ts'

const SHOWN_LENGTH_MAX = 200

/** The refusal of a location that overlaps with that of another table. */
export function locationTaken(
  wanted: string,
  taken: { readonly tableUuid: string; readonly location: string; readonly isDropped: boolean },
): CatalogError {
  const [location, takenLocation] = [shown(wanted), shown(taken.location)]
  const whose = taken.isDropped ? 'a dropped table, whose files may be there' : 'another table'
  const isSame = folderKey(wanted) === folderKey(taken.location)
  return new CatalogError(
    'location-taken',
    isSame
      ? `Location taken: ${location} is that of ${whose}`
      : `Location taken: ${location} and ${takenLocation}, the location of ${whose}, would lie ` +
          'within each other',
    { facts: { location, takenLocation, takenBy: taken.tableUuid, isDropped: taken.isDropped } },
  )
}

function shown(location: string): string {
  return location.slice(0, SHOWN_LENGTH_MAX)
}
