/** Bounds of every list, loop and queue that a request can drive. README.md says the ones that users meet. */
export const FILES_PER_REQUEST_MAX = 10_000
export const FILES_PER_TRANSACTION_MAX = 100_000
export const TRANSACTION_LIFETIME_SECONDS_MAX = 7 * 24 * 3600
export const TRANSACTION_LIFETIME_SECONDS_DEFAULT = 3600
/** An ended transaction can be looked at, and its commit repeated, this long. */
export const TRANSACTION_RETENTION_MS = 7 * 24 * 3600 * 1000
/** A lease that nobody renewed can be renewed this long, and clocks may differ by as much. */
export const LEASE_RETENTION_MS = 24 * 3600 * 1000
/** Lost races in a row before a commit gives up with `commit-conflict`. */
export const COMMIT_ATTEMPTS_MAX = 20
/** Transactions joined into one snapshot. */
export const COMMIT_BATCH_MAX = 64
/** Commits of one process that may wait for one table. */
export const COMMIT_QUEUE_MAX = 1_000
/** Of a table's `metadata` as JSON. */
export const TABLE_METADATA_CHARACTERS_MAX = 65_536
export const INSPECTIONS_AT_ONCE = 16
/** Of a manifest or manifest list. */
export const METADATA_FILE_BYTES_MAX = 512 * 1024 * 1024
export const ENTRIES_PER_MANIFEST_MAX = 10_000
/** Entries that one commit decodes and encodes again to merge manifests; the others are copied as they are. */
export const RECODED_ENTRIES_MAX = 2_000
/** Small manifests of one tier that are merged into one. */
export const MANIFEST_MERGE_FANOUT = 10
export const UPLOAD_BYTES_MAX = 64 * 1024 * 1024 * 1024
/** Of CSV and NDJSON, which take about as much again on the local disk while they are converted. */
export const TEXT_UPLOAD_BYTES_MAX = 16 * 1024 * 1024 * 1024
/** Of all live data files of a table whose column gets a type that their values must be converted to. */
export const REWRITE_BYTES_MAX = 50 * 1024 * 1024 * 1024
/** Of copies of data files that lie in a bucket, for engines to read. */
export const LOCAL_FILE_CACHE_BYTES_MAX = 10 * 1024 * 1024 * 1024
/** Of the tail of a Parquet file that is read at first: most footers fit. */
export const FOOTER_TAIL_BYTES = 16 * 1024
