import { CatalogError } from '../../core/errors.ts'
import { locationKey } from '../../core/file/location-key.ts'
import { isTurnDue, Turns } from '../../core/turns.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

const SHOWN_MAX = 200

/**
 * Throws `location-not-allowed` if one of these files has another name of its own. A file that two
 * tables know by two names would be deleted with one of them.
 */
export async function requireOwnNames(
  objects: Pick<ObjectStore, 'findLinked'>,
  paths: readonly string[],
): Promise<void> {
  const turns = new Turns()
  const keys: string[] = []
  for (const path of paths) {
    if (isTurnDue(keys.length)) await turns.take()
    keys.push(locationKey(path))
  }
  const linked = await objects.findLinked(keys)
  if (linked !== undefined) throw leadsThroughLink(linked.location, linked.ownLocation)
}

export function leadsThroughLink(location: string, own: string | undefined): CatalogError {
  const shown = location.slice(0, SHOWN_MAX)
  const ownLocation = own?.slice(0, SHOWN_MAX)
  const wanted = ownLocation === undefined ? '' : `, ${ownLocation}`
  return new CatalogError(
    'location-not-allowed',
    `Location not allowed: ${shown} leads through a link: give its own name${wanted}`,
    { facts: { location: shown, ...(ownLocation !== undefined && { ownLocation }) } },
  )
}
