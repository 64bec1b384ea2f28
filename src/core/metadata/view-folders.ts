import type { ViewMetadata } from './view-metadata.ts'

/** Property with the folder of metadata files, if not below the location (Iceberg view spec). */
const METADATA_PATH = 'write.metadata.path'

/** The location, and the folder of metadata files if it is elsewhere. */
export function foldersOfView(metadata: ViewMetadata): readonly string[] {
  const folder = metadataFolder(metadata)
  const { location } = metadata
  return folder.startsWith(`${location}/`) ? [location] : [location, folder]
}

export function metadataFolder({ location, properties }: ViewMetadata): string {
  const given = Object.hasOwn(properties, METADATA_PATH) ? properties[METADATA_PATH] : undefined
  if (given === undefined) return `${location}/metadata`
  return given.replace(/\/+$/, '')
}
