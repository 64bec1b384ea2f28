/** `<version>-<uuid>.metadata.json` in the metadata folder of a table, and the version. */
export const METADATA_FILE = /^(.+)\/(\d{5,15})-[^/]+\.metadata\.json$/
/** `<snapshot id>-<attempt>` in the folder of snapshots: the metadata folder, and both. */
export const SNAPSHOT_FILE = /^(.+)\/snapshots\/snapshot-(\d+)(?:-(\d+))?\.json$/
export const METADATA_JSON = /\.metadata\.json(?:\.gz)?$/
/** Higher ones are no numbers of versions: the next would be too long for a name. */
const VERSION_MAX = 10 ** 12

/** The version in the name of a metadata file; `undefined` for others, as `v3.metadata.json`. */
export function versionInName(location: string): number | undefined {
  const version = Number(METADATA_FILE.exec(location)?.[2] ?? Number.NaN)
  return version < VERSION_MAX ? version : undefined
}

/** Whether it is called like a metadata file, or like one of a snapshot that the service wrote. */
export function isMetadataName(location: string): boolean {
  return METADATA_JSON.test(location) || SNAPSHOT_FILE.test(location)
}
