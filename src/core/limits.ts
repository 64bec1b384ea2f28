/**
 * Limits of every list, loop and queue that a request can drive. README.md lists those that users
 * meet.
 */
export const FILES_PER_REQUEST_MAX = 10_000
export const FILES_PER_TRANSACTION_MAX = 100_000
export const TRANSACTION_LIFETIME_SECONDS_MAX = 7 * 24 * 3600
export const TRANSACTION_LIFETIME_SECONDS_DEFAULT = 3600
/** How long an ended transaction can be read and its commit be repeated. */
export const TRANSACTION_RETENTION_MS = 7 * 24 * 3600 * 1000
/** How long an expired lease is kept, in which it can be renewed; clocks may differ by as much. */
export const LEASE_RETENTION_MS = 24 * 3600 * 1000
/**
 * How long others wait for a process that was killed: who holds something renews it several times
 * in this.
 */
export const LEASE_MS = 10_000
/**
 * No lease is taken, and no job waits, for longer: what is further ahead is of a clock that was
 * ahead and has been put right since. It would hold everybody up until that time. Who holds it may
 * live all the same, and is asked for first (`Unchanged`).
 */
export const AHEAD_MS_MAX = 3_600_000
/** The same of instants that had come when they were noted: clocks differ by no more. */
export const PASSED_AHEAD_MS_MAX = 60_000
/** Number of lost races after which a commit of Iceberg REST is a `commit-conflict`. */
export const COMMIT_ATTEMPTS_MAX = 20
/** How long a change is attempted again when those of other processes come first. */
export const RACE_MS_MAX = 30_000
/** Largest number of transactions that share one snapshot. */
export const COMMIT_BATCH_MAX = 64
/** Largest number of commits of one process that may wait for the same table. */
export const COMMIT_QUEUE_MAX = 1_000
/** Size of a table's `metadata` as JSON. */
export const TABLE_METADATA_CHARACTERS_MAX = 65_536
/** Members of a snapshot's summary: engines may write one for each partition that they changed. */
export const SUMMARY_MEMBERS_MAX = 100_000
export const INSPECTIONS_AT_ONCE = 16
/** Size of a manifest or manifest list, decompressed. */
export const METADATA_FILE_BYTES_MAX = 512 * 1024 * 1024
export const ENTRIES_PER_MANIFEST_MAX = 10_000
/**
 * Largest number of entries that one commit decodes and encodes again to merge manifests; the
 * others are copied unchanged.
 */
export const RECODED_ENTRIES_MAX = 2_000
/** Number of small manifests of one tier that are merged into one. */
export const MANIFEST_MERGE_FANOUT = 10
export const UPLOAD_BYTES_MAX = 64 * 1024 * 1024 * 1024
/**
 * Size of a CSV or NDJSON upload, which takes about as much again on the local disk during
 * conversion.
 */
export const TEXT_UPLOAD_BYTES_MAX = 16 * 1024 * 1024 * 1024
/** Bytes that any compressed text may become, */
export const INFLATED_BYTES_MIN = 64 * 1024 * 1024
/** and bytes of text for each compressed one beyond. Tables compress to a tenth, rarely a 50th. */
export const INFLATED_RATIO_MAX = 200
/** Files that one upload becomes, one for each partition of its rows. */
export const UPLOAD_PARTITIONS_MAX = 1_000
/**
 * Columns of all those files together, nested ones included: each is planned and written for each
 * file, though it have one row. Two uploads of 4 MB that were 1,000 files of 2,000 columns held
 * both processes of the engine for many minutes.
 */
export const UPLOAD_COLUMNS_MAX = 200_000
/** Largest table, in bytes of live data files, that a type change may rewrite. */
export const REWRITE_BYTES_MAX = 50 * 1024 * 1024 * 1024
/** Size of the local copies of data files in buckets, made for engines to read. */
export const LOCAL_FILE_CACHE_BYTES_MAX = 10 * 1024 * 1024 * 1024
/** How much of the end of a Parquet file is read first; most footers fit. */
export const FOOTER_TAIL_BYTES = 16 * 1024
