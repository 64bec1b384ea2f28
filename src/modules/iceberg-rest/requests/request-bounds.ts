/**
 * Bounds of lists and maps in requests of Iceberg REST, which readers check before they read any of
 * the items; the documented shapes say the same. All together have at most as many values as the
 * body of the route.
 */

/** Items or members of what has no bound of its own: properties, summaries of snapshots, ids. */
export const LIST_LENGTH_MAX = 10_000
/** Updates in one commit, over all its tables. */
export const UPDATES_MAX = 5_000
export const REQUIREMENTS_MAX = 1_000
export const TABLE_CHANGES_MAX = 1_000
export const NAMESPACE_LEVELS_MAX = 100
/** An expiry may remove all snapshots of years in one update. */
export const SNAPSHOT_IDS_MAX = 100_000
/** Headers of a request to be signed, and values of each. */
export const HEADERS_MAX = 100
export const HEADER_VALUES_MAX = 20
