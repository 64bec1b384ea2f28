import { CatalogError } from '../../core/errors.ts'
import { UPLOAD_BYTES_MAX } from '../../core/limits.ts'
import { partitionFolder } from '../../core/partition/partition-values.ts'
import type { Keep } from '../../core/replay.ts'
import { currentSchema, defaultSpec, type TableState } from '../../core/table/table.ts'
import type { StagedFile, TableCommitResult } from '../../core/table/transaction.ts'
import type { TextFormat } from '../../engine/engine.ts'
import { withoutArrowSchema } from '../../formats/parquet/arrow/without-arrow-schema.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import { stageInspected } from '../../lake/commit/staging.ts'
import { getOpenTransaction } from '../../lake/commit/transaction-state.ts'
import {
  commitInspected,
  newTransaction,
  type StartRequest,
} from '../../lake/commit/transactions.ts'
import { inspectFile, type NullsChecked } from '../../lake/file/inspect-file.ts'
import { asAtFolder } from '../../lake/snapshot/as-at-folder.ts'
import { deleteQuietly } from '../../lake/snapshot/orphans.ts'
import { getTable } from '../../lake/table/table-lookup.ts'
import { ingestText, type TextUploadDependencies } from './upload-text.ts'

const UPLOADED = 'the uploaded file'

export interface UploadReport {
  readonly state: TableState
  readonly transactionId: string
  readonly file: StagedFile
  /** `undefined` if the file was only staged. */
  readonly results: readonly TableCommitResult[] | undefined
}

export type UploadRequest = StartRequest & {
  readonly table: string
  readonly transactionId?: string | undefined
  readonly chunks: AsyncIterable<Uint8Array>
  readonly keep?: Keep<UploadReport> | undefined
}

export type UploadDependencies = CommitDependencies & TextUploadDependencies

interface Receiver {
  readonly nullsChecked: NullsChecked
  /** Writes the body to a free location; after a failure, nothing is left there. */
  receive(state: TableState, location: string): Promise<unknown>
}

/**
 * Streams a Parquet body in constant memory to the table's `data/` folder, then stages it, or
 * commits it if there is no transaction. If the file is refused or the client disconnects, nothing
 * is left.
 */
export function uploadFile(
  deps: CommitDependencies,
  request: UploadRequest,
): Promise<UploadReport> {
  const limits = { bytesMax: UPLOAD_BYTES_MAX }
  return upload(deps, request, {
    nullsChecked: 'by-nobody',
    receive: (_state, location) => {
      const chunks = withoutArrowSchema(request.chunks)
      return deps.objects.putStreamIfAbsent(location, chunks, limits)
    },
  })
}

/** Like `uploadFile`, for CSV or NDJSON, whose rows become a Parquet file of the table's types. */
export function uploadText(
  deps: UploadDependencies,
  request: UploadRequest & {
    readonly format: TextFormat
    readonly signal?: AbortSignal | undefined
  },
): Promise<UploadReport> {
  const { format, chunks, signal } = request
  return upload(deps, request, {
    nullsChecked: 'by-the-engine',
    receive: (state, location) => ingestText(deps, state, { format, chunks, signal, location }),
  })
}

/** Refusals name the uploaded file, and not the places on this machine where it was for a while. */
async function upload(
  deps: CommitDependencies,
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
  const { path, location, ...facts } = error.facts
  const places = [path, location].filter((place) => typeof place === 'string')
  if (places.length === 0) return error
  const told = places.reduce((text, place) => text.replaceAll(place, UPLOADED), error.message)
  return new CatalogError(error.code, told, { facts, cause: error })
}

async function place(
  deps: CommitDependencies,
  request: UploadRequest,
  receiver: Receiver,
): Promise<UploadReport> {
  const state = await getTable(deps.catalog, request.table)
  const transaction =
    request.transactionId === undefined
      ? newTransaction(deps, request)
      : await getOpenTransaction(deps, request.transactionId)
  const { createdAtMs } = transaction
  const file = await placeFile(deps, state, { ...receiver, createdAtMs })
  try {
    const { transactionId } = transaction
    if (request.transactionId !== undefined) {
      const report = { state, transactionId, file, results: undefined }
      const options = request.keep?.(report)
      await stageInspected(deps, state, { transactionId, files: [file], options })
      return report
    }
    const results = await commitInspected(deps, state, {
      transaction,
      files: [file],
      keep: (made) => request.keep?.({ state, transactionId, file, results: made }) ?? {},
    })
    return { state, transactionId, file, results }
  } catch (error) {
    await discardRefused(deps, file, error)
    throw error
  }
}

/** Receives the file, then moves it to the folder of its partition, which only the footer tells. */
async function placeFile(
  deps: CommitDependencies,
  state: TableState,
  { receive, nullsChecked, createdAtMs }: Receiver & { readonly createdAtMs: number },
): Promise<StagedFile> {
  const { definition } = state
  const folder = `${definition.location}/data`
  const uuid = deps.ambient.newUuid()
  const incoming = `${folder}/incoming/${uuid}.parquet`
  await receive(state, incoming)
  try {
    const file = await inspectFile(deps.objects, definition, incoming, nullsChecked)
    const spec = defaultSpec(definition)
    const partition = partitionFolder(spec, currentSchema(definition), file.dataFile.partition)
    const segments = [folder, partition, asAtFolder(createdAtMs), `data-0000-${uuid}.parquet`]
    const path = segments.filter((segment) => segment !== '').join('/')
    await deps.objects.moveIfAbsent(incoming, path)
    return { ...file, dataFile: { ...file.dataFile, path }, isUploaded: true }
  } catch (error) {
    await deleteQuietly(deps, [incoming])
    throw error
  }
}

/** Deletes the file after a definite refusal only; otherwise the catalog may refer to it. */
async function discardRefused(
  deps: CommitDependencies,
  file: StagedFile,
  error: unknown,
): Promise<void> {
  if (!(error instanceof CatalogError) || error.code === 'commit-state-unknown') return
  await deleteQuietly(deps, [file.dataFile.path])
}
