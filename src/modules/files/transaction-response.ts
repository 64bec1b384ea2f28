import type { StagedChange, TableCommitResult, Transaction } from '../../core/table/transaction.ts'
import { timeText } from '../../http/common-shapes.ts'
import type { TransactionView } from '../../lake/commit/transactions.ts'

/** Longest list shown for a transaction; the counts next to the lists are complete. */
const LISTED_MAX = 1_000

export function startedToJson(transaction: Transaction, state: string = transaction.state) {
  return {
    transaction_id: transaction.transactionId,
    state,
    isolation: transaction.isolation,
    author: transaction.author,
    message: transaction.message,
    created_at: timeText(transaction.createdAtMs),
    expires_at: timeText(transaction.expiresAtMs),
  }
}

export function transactionToJson({ transaction, state, changes }: TransactionView) {
  return {
    ...startedToJson(transaction, state),
    ended_at: transaction.endedAtMs === null ? null : timeText(transaction.endedAtMs),
    staged: changes.map(stagedToJson),
    results: transaction.results.map(resultToJson),
  }
}

export function resultToJson(result: TableCommitResult) {
  return {
    table_id: result.tableUuid,
    table: result.table,
    snapshot_id: result.snapshotId.toString(),
    parent_snapshot_id: result.parentSnapshotId?.toString() ?? null,
    sequence_number: result.sequenceNumber.toString(),
    timestamp: timeText(result.timestampMs),
    operation: result.operation,
    added_data_files: result.addedDataFiles,
    added_records: result.addedRecords,
    removed_data_files: result.removedDataFiles,
    removed_records: result.removedRecords,
  }
}

function stagedToJson(change: StagedChange) {
  return {
    table_id: change.tableUuid,
    base_snapshot_id: change.baseSnapshotId?.toString() ?? null,
    truncate: change.truncate,
    removed_files: change.removedPaths.length,
    added_files: change.addedFiles.length,
    removed: change.removedPaths.slice(0, LISTED_MAX),
    added: change.addedFiles.slice(0, LISTED_MAX).map(({ dataFile }) => ({
      path: dataFile.path,
      record_count: dataFile.recordCount,
    })),
  }
}
