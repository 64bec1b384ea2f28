import { isBelow } from '../file/location-key.ts'
import { folderKey } from './folder-key.ts'

/** Property with the folder of metadata files, if not below the location (Iceberg). */
export const METADATA_PATH_PROPERTY = 'write.metadata.path'

/** What says where a table or view keeps its metadata. */
interface Located {
  readonly location: string
  readonly properties: Readonly<Record<string, string>>
}

/** Where new metadata files go; no slash at the end. */
export function metadataFolder({ location, properties }: Located): string {
  const given = Object.hasOwn(properties, METADATA_PATH_PROPERTY)
    ? properties[METADATA_PATH_PROPERTY]?.replace(/\/+$/, '')
    : undefined
  return given === undefined || given === '' ? `${location}/metadata` : given
}

/** The location, and the folder of metadata files if it is elsewhere. */
export function foldersOf(located: Located): readonly string[] {
  const { location } = located
  const folder = metadataFolder(located)
  const isInside = isBelow(location, folder) || folderKey(location) === folderKey(folder)
  return isInside ? [location] : [location, folder]
}
