import type { DataFile } from '../file/data-file.ts'
import type { Operation } from './snapshot.ts'

export type TransactionState = 'open' | 'committed' | 'aborted'
/**
 * `snapshot`: a truncate or remove conflicts with any commit since the transaction first touched the table.
 * `overwrite`: it applies to whatever the table has at commit.
 */
export type Isolation = 'snapshot' | 'overwrite'

export interface Transaction {
  readonly transactionId: string
  readonly state: TransactionState
  readonly isolation: Isolation
  readonly author: string | null
  readonly message: string | null
  readonly createdAtMs: number
  /** An open transaction past this is refused; its state stays `open`. */
  readonly expiresAtMs: number
  /** When it was committed or aborted. */
  readonly endedAtMs: number | null
  /** How often something was staged: what was listed at one revision is all, as long as the revision is that. */
  readonly revision: number
  /** One for each table that it changed; empty until committed. */
  readonly results: readonly TableCommitResult[]
}

/** What a commit did to one table: the answer to the client, kept so that a repeat gets the same. */
export interface TableCommitResult {
  readonly tableUuid: string
  /** Dotted, as of the commit. */
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

/** All that a transaction has staged for one table. The order of staging does not matter. */
export interface StagedChange {
  readonly tableUuid: string
  /** The table's current snapshot when the transaction first touched it; null if it had none. */
  readonly baseSnapshotId: bigint | null
  /** Removes every file that the table has at commit (never the added ones). */
  readonly truncate: boolean
  readonly removedPaths: readonly string[]
  /** In the order of staging. */
  readonly addedFiles: readonly StagedFile[]
}

export interface StagedFile {
  readonly dataFile: DataFile
  /** The table's current schema and default spec when the footer was read. */
  readonly schemaId: number
  /** Whether the file has Parquet field ids; without them the table needs a name mapping. */
  readonly hasFieldIds: boolean
  /** Spellings of the file's columns that the table must take as aliases, or engines would read NULL. */
  readonly unmappedNames?: readonly UnmappedName[]
}

export interface UnmappedName {
  readonly fieldId: number
  readonly name: string
}
