import type { AddedFile } from '../file/data-file.ts'
import type { Operation } from './snapshot.ts'

export type TransactionState = 'open' | 'committed' | 'aborted'
/**
 * With `snapshot`, a truncate or remove conflicts with any commit since the transaction first
 * touched the table. With `overwrite`, it applies to whatever the table has at commit.
 */
export type Isolation = 'snapshot' | 'overwrite'

export interface Transaction {
  readonly transactionId: string
  readonly state: TransactionState
  readonly isolation: Isolation
  readonly author: string | null
  readonly message: string | null
  readonly createdAtMs: number
  /** After this time an open transaction is refused; its state stays `open`. */
  readonly expiresAtMs: number
  /** Time of the commit or abort. */
  readonly endedAtMs: number | null
  /**
   * Number of stagings. A list read at one revision is complete as long as the revision is
   * unchanged.
   */
  readonly revision: number
  /** One result for each changed table; empty until committed. */
  readonly results: readonly TableCommitResult[]
}

/**
 * What a commit did to one table: the result for the client, kept so that a repetition returns the
 * same.
 */
export interface TableCommitResult {
  readonly tableUuid: string
  /** Dotted name at the time of the commit. */
  readonly table: string
  readonly snapshotId: bigint
  readonly parentSnapshotId: bigint | null
  readonly sequenceNumber: bigint
  readonly timestampMs: number
  readonly operation: Operation
  readonly addedDataFiles: number
  readonly addedRecords: number
  readonly removedDataFiles: number
  readonly removedRecords: number
}

/** Everything that a transaction has staged for one table. The order of staging does not matter. */
export interface StagedChange {
  readonly tableUuid: string
  /** The table's current snapshot when the transaction first touched it; null if it had none. */
  readonly baseSnapshotId: bigint | null
  /** Whether to remove every file that the table has at commit, except the added ones. */
  readonly truncate: boolean
  readonly removedPaths: readonly string[]
  /** In the order of staging. */
  readonly addedFiles: readonly StagedFile[]
}

export interface StagedFile {
  readonly dataFile: AddedFile
  /** Absent where a version before this fact staged it: then it is read again. */
  readonly readAs?: ReadAs
  /** Whether the file has Parquet field ids; without them the table needs a name mapping. */
  readonly hasFieldIds: boolean
  /**
   * Spellings of the file's columns that the table must adopt as aliases; otherwise engines would
   * read NULL.
   */
  readonly unmappedNames?: readonly UnmappedName[]
  /** What the file was when it was staged; absent if it is committed at once, or is our own. */
  readonly asStaged?: FileAsStaged
  /** Warnings for people about what other engines may not read; absent if there are none. */
  readonly notes?: readonly string[]
  /**
   * Whether the request that staged it wrote the file. Absent for one given by path, and where a
   * version before this fact staged it.
   */
  readonly isUploaded?: boolean
}

/**
 * Stands for what of the table's definition decides how a file is read: ids of schemas and specs
 * that were removed are given again.
 */
export interface ReadAs {
  /** Stands for the current schema, and the names by which its columns are found. */
  readonly columns: string
  /** Stands for the default spec. */
  readonly spec: string
}

/** Tells whether a file is still the one whose footer was read; its size is in `dataFile`. */
export interface FileAsStaged {
  readonly modifiedAtMs: number
  /** That of the store; absent where it was staged before there were versions. */
  readonly version?: string
  /** Digest of the Parquet footer, in hexadecimal. */
  readonly footerSha256: string
}

export interface UnmappedName {
  readonly fieldId: number
  readonly name: string
}
