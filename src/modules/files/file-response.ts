import type { TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { StagedFile, TableCommitResult } from '../../core/table/transaction.ts'
import { resultToJson } from './transaction-response.ts'

/** The response to adding, removing and truncating, in a transaction or committed at once. */
export function filesToJson({
  transactionId,
  state,
  files,
  removal = {},
  results,
}: {
  readonly transactionId: string
  readonly state: TableState
  readonly files?: readonly StagedFile[]
  readonly removal?: { readonly removed_files?: number; readonly truncated?: true }
  /** `undefined` if only staged. */
  readonly results?: readonly TableCommitResult[] | undefined
}) {
  return {
    transaction_id: transactionId,
    committed: results !== undefined,
    table: formatTableName(state.namespace, state.name),
    ...(files === undefined
      ? {}
      : { [results === undefined ? 'staged' : 'files']: files.map(fileToJson) }),
    ...removal,
    ...(results === undefined ? {} : { results: results.map(resultToJson) }),
  }
}

function fileToJson({ dataFile, notes }: StagedFile) {
  return {
    path: dataFile.path,
    record_count: dataFile.recordCount,
    file_size_bytes: dataFile.fileSizeBytes,
    ...(notes !== undefined && { notes }),
  }
}
