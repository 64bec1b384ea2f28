/** `<version>-<uuid>.metadata.json` in the `metadata/` of a table: its folder, and the version. */
export const METADATA_FILE = /^(.+)\/metadata\/(\d{5,15})-[^/]+\.metadata\.json$/
/** Higher ones are no numbers of versions: the next would be too long for a name. */
const VERSION_MAX = 10 ** 12

/** The version in the name of a metadata file; `undefined` for others, as `v3.metadata.json`. */
export function versionInName(location: string): number | undefined {
  const version = Number(METADATA_FILE.exec(location)?.[2] ?? Number.NaN)
  return version < VERSION_MAX ? version : undefined
}
