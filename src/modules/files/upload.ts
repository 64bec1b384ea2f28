import { CatalogError, CodedError } from '../../core/errors.ts'
import { UPLOAD_BYTES_MAX } from '../../core/limits.ts'
import type { Keep } from '../../core/replay.ts'
import type { TableState } from '../../core/table/table.ts'
import type { StagedFile, TableCommitResult, Transaction } from '../../core/table/transaction.ts'
import type { TextFormat } from '../../engine/engine.ts'
import { withoutArrowSchema } from '../../formats/parquet/arrow/without-arrow-schema.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import { getPermitted, type Permit, stageInspected } from '../../lake/commit/staging.ts'
import { getOpenTransaction } from '../../lake/commit/transaction-state.ts'
import {
  commitInspected,
  newTransaction,
  type StartRequest,
} from '../../lake/commit/transactions.ts'
import {
  type PendingUploadDependencies,
  PendingUploads,
} from '../../lake/deletion/pending-uploads.ts'
import { deleteQuietly } from '../../lake/snapshot/orphans.ts'
import { placeUpload, type Receiver } from './place-upload.ts'
import { ingestText, type TextUploadDependencies } from './upload-text.ts'

const UPLOADED = 'the uploaded file'

export interface UploadReport {
  readonly state: TableState
  readonly transactionId: string
  /** One for each partition that its rows are of. */
  readonly files: readonly StagedFile[]
  /** `undefined` if the file was only staged. */
  readonly results: readonly TableCommitResult[] | undefined
}

export type UploadRequest = StartRequest & {
  readonly table: string
  readonly transactionId?: string | undefined
  readonly chunks: AsyncIterable<Uint8Array>
  /** Id of the transaction that it commits by itself: committed already, it is not again. */
  readonly commitId?: string
  /** Told of the files that it is about to commit. */
  readonly onPlaced?: (paths: readonly string[]) => Promise<void>
  readonly keep?: Keep<UploadReport> | undefined
  /** Asked again once the body is there. */
  readonly permit?: Permit | undefined
  readonly signal?: AbortSignal | undefined
}

export type UploadDependencies = CommitDependencies &
  TextUploadDependencies &
  PendingUploadDependencies

/**
 * Streams a Parquet body in constant memory to the table's `data/` folder, then stages it, or
 * commits it if there is no transaction. Rows of several partitions become a file of each, all or
 * none. If the file is refused or the client disconnects, nothing is left.
 */
export function uploadFile(
  deps: UploadDependencies,
  request: UploadRequest,
): Promise<UploadReport> {
  const limits = { bytesMax: UPLOAD_BYTES_MAX }
  return upload(deps, request, {
    nullsChecked: 'by-nobody',
    signal: request.signal,
    receive: (_state, location) => {
      const chunks = withoutArrowSchema(request.chunks)
      return deps.objects.putStreamIfAbsent(location, chunks, limits)
    },
  })
}

/** Like `uploadFile`, for CSV or NDJSON, whose rows become a Parquet file of the table's types. */
export function uploadText(
  deps: UploadDependencies,
  request: UploadRequest & { readonly format: TextFormat },
): Promise<UploadReport> {
  const { format, chunks, signal } = request
  return upload(deps, request, {
    nullsChecked: 'by-the-engine',
    signal,
    receive: (state, location) => ingestText(deps, state, { format, chunks, signal, location }),
  })
}

/** Refusals name the uploaded file, and not the places on this machine where it was for a while. */
async function upload(
  deps: UploadDependencies,
  request: UploadRequest,
  receiver: Receiver,
): Promise<UploadReport> {
  try {
    return await place(deps, request, receiver)
  } catch (error) {
    throw withoutPlaces(error)
  }
}

function withoutPlaces(error: unknown): unknown {
  if (!(error instanceof CatalogError)) return error
  const { path, location, file, ...facts } = error.facts
  const places = [path, location, file].filter((place) => typeof place === 'string')
  if (places.length === 0) return error
  const told = places.reduce((text, place) => text.replaceAll(place, UPLOADED), error.message)
  return new CatalogError(error.code, told, { facts, cause: error })
}

async function place(
  deps: UploadDependencies,
  request: UploadRequest,
  receiver: Receiver,
): Promise<UploadReport> {
  const state = await getPermitted(deps, request)
  const { tableUuid } = state.definition
  const transaction = await transactionOf(deps, request)
  const { createdAtMs, transactionId } = transaction
  const pending = new PendingUploads(deps, tableUuid)
  let files: readonly StagedFile[] = []
  try {
    files = await placeUpload(deps, state, { ...receiver, createdAtMs, pending })
    // The body may have taken hours.
    await request.permit?.(tableUuid)
    if (request.transactionId !== undefined) {
      const report = { state, transactionId, files, results: undefined }
      const options = request.keep?.(report)
      await stageInspected(deps, state, { transactionId, files, options })
      return report
    }
    await request.onPlaced?.(files.map(({ dataFile }) => dataFile.path))
    const results = await commitInspected(deps, state, {
      transaction,
      files,
      keep: (made) => request.keep?.({ state, transactionId, files, results: made }) ?? {},
    })
    return { state, transactionId, files, results }
  } catch (error) {
    await discardRefused(deps, files, error)
    await pending.forgetGone()
    throw error
  }
}

async function transactionOf(
  deps: UploadDependencies,
  request: UploadRequest,
): Promise<Transaction> {
  const { transactionId, commitId } = request
  if (transactionId !== undefined) return getOpenTransaction(deps, transactionId)
  const transaction = newTransaction(deps, request)
  return commitId === undefined ? transaction : { ...transaction, transactionId: commitId }
}

/** Deletes the files after a definite refusal only; otherwise the catalog may refer to them. */
async function discardRefused(
  deps: CommitDependencies,
  files: readonly StagedFile[],
  error: unknown,
): Promise<void> {
  if (!(error instanceof CodedError) || error.code === 'commit-state-unknown') return
  await deleteQuietly(
    deps,
    files.map(({ dataFile }) => dataFile.path),
  )
}
