/** `<version>-<uuid>.metadata.json` in the `metadata/` of a table: its folder, and the version. */
export const METADATA_FILE = /^(.+)\/metadata\/(\d{5,15})-[^/]+\.metadata\.json$/
