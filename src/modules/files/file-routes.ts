import type { z } from 'zod'
import type { Stores } from '../../catalog/catalog.ts'
import { mediaTypeOf } from '../../http/json-body.ts'
import { onTable } from '../../http/permission.ts'
import { requestInvalid } from '../../http/problem.ts'
import { jsonReply, NDJSON_MEDIA_TYPE, type Reply } from '../../http/reply.ts'
import { type Call, defineRoute, type Route, type Tag } from '../../http/route.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import { stageFiles, stageRemoval, stageTruncation } from '../../lake/commit/staging.ts'
import { commitFiles, commitRemoval } from '../../lake/commit/transactions.ts'
import type { ProblemCode } from '../../problem/problems.ts'
import { filesToJson } from './file-response.ts'
import {
  FilesAnswer,
  RemoveFilesRequest,
  StageFilesRequest,
  TruncateRequest,
  UploadQuery,
} from './file-shapes.ts'
import { type UploadDependencies, uploadFile, uploadText } from './upload.ts'

/** What adding files by path, and removing them, takes. */
export type FileDependencies = Stores<'paths' | 'tables' | 'transactions'> &
  Pick<CommitDependencies, 'ambient' | 'commits' | 'manifests' | 'meter' | 'objects'>

const FILES_TAG: Tag = { name: 'files', description: 'Adding and removing data files.' }
const PARQUET_MEDIA_TYPES = [
  'application/vnd.apache.parquet',
  'application/parquet',
  'application/x-parquet',
  'application/octet-stream',
]
const TEXT_FORMATS = new Map<string, 'csv' | 'ndjson'>([
  ['text/csv', 'csv'],
  [NDJSON_MEDIA_TYPE, 'ndjson'],
  ['application/ndjson', 'ndjson'],
])

const COMMIT_PROBLEMS: readonly ProblemCode[] = [
  'table-not-found',
  'name-invalid',
  'transaction-not-found',
  'transaction-expired',
  'transaction-aborted',
  'transaction-committed',
  'commit-conflict',
  'commit-state-unknown',
  'overloaded',
  'storage-full',
]

type StageCall = Call<z.output<typeof UploadQuery>, z.output<typeof StageFilesRequest> | undefined>

const stage = (deps: FileDependencies & UploadDependencies) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/tables/{table_identifier}/files',
      operationId: 'stageFiles',
      tag: FILES_TAG,
      permission: onTable('modify'),
      summary: 'Add data files',
      description:
        'By path, as JSON: the footers are read at once, and all files are taken or none. Or a Parquet, CSV or NDJSON file as the body, streamed to the table’s own folder. CSV begins with a line of column names and is read as dumps are written; its rows, and objects of NDJSON, become a Parquet file of the table’s types: columns that are missing have their default, and the first bad row is refused with its `line`, and nothing is taken. With a transaction id it is staged; without one it commits by itself.',
      query: UploadQuery,
      body: StageFilesRequest,
      uploads: [...PARQUET_MEDIA_TYPES, ...TEXT_FORMATS.keys()],
      answers: [
        { status: 200, description: 'Staged or committed, by path.', shape: FilesAnswer },
        { status: 201, description: 'Uploaded, and staged or committed.', shape: FilesAnswer },
      ],
      problems: [
        ...COMMIT_PROBLEMS,
        'file-not-found',
        'file-not-parquet',
        'file-schema-mismatch',
        'file-spans-partitions',
        'file-already-in-table',
        'location-invalid',
        'location-not-allowed',
        'transaction-too-large',
        'row-invalid',
        'engine-failed',
        'not-implemented',
      ],
      curl: `curl -X POST "$MORAINE/v1/tables/aviation.flights/files" -H 'Content-Type: application/vnd.apache.parquet' -T flights.parquet`,
    },
    (call) =>
      call.upload === undefined ? stageByPath(deps, call) : upload(deps, call, call.upload),
  )

async function stageByPath(
  deps: FileDependencies,
  { authorize, param, query, body }: StageCall,
): Promise<Reply> {
  if (body === undefined) throw new Error('a request to stage by path has no body')
  const table = param('table_identifier')
  const paths = body.files.map((file) => file.path)
  const transactionId = body.transaction_id ?? query.transaction_id
  if (transactionId !== undefined) {
    await authorizeStaging(authorize, transactionId)
    const staged = await stageFiles(deps, { table, transactionId, paths })
    return jsonReply(filesToJson({ transactionId, ...staged }))
  }
  const author = body.author ?? query.author
  const message = body.message ?? query.message
  return jsonReply(filesToJson(await commitFiles(deps, { table, paths, author, message })))
}

async function upload(
  deps: FileDependencies & UploadDependencies,
  { authorize, param, query, request, closed }: StageCall,
  chunks: AsyncIterable<Uint8Array>,
): Promise<Reply> {
  const upload = {
    table: param('table_identifier'),
    transactionId: query.transaction_id,
    author: query.author,
    message: query.message,
    chunks,
  }
  if (upload.transactionId !== undefined) await authorizeStaging(authorize, upload.transactionId)
  const format = TEXT_FORMATS.get(mediaTypeOf(request) ?? '')
  const { file, ...report } =
    format === undefined
      ? await uploadFile(deps, upload)
      : await uploadText(deps, { ...upload, format, signal: closed })
  return jsonReply(filesToJson({ ...report, files: [file] }), { status: 201 })
}

const remove = (deps: FileDependencies) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/tables/{table_identifier}/files/remove',
      operationId: 'removeFiles',
      tag: FILES_TAG,
      permission: onTable('modify'),
      summary: 'Remove data files',
      description: 'From the table; the files themselves stay where they are, for older snapshots.',
      body: RemoveFilesRequest,
      answers: [{ status: 200, description: 'Staged or committed.', shape: FilesAnswer }],
      problems: [...COMMIT_PROBLEMS, 'file-not-in-table', 'location-invalid'],
      curl: `curl -X POST $MORAINE/v1/tables/aviation.flights/files/remove -H 'Content-Type: application/json' -d '{"files":[{"path":"file:///data/flights-0001.parquet"}]}'`,
    },
    async ({ authorize, param, body }) => {
      const table = param('table_identifier')
      const removedPaths = body.files.map((file) => file.path)
      const removal = { removed_files: removedPaths.length }
      const transactionId = body.transaction_id
      if (transactionId !== undefined) {
        refuseIsolation(body.isolation)
        await authorizeStaging(authorize, transactionId)
        const state = await stageRemoval(deps, { table, transactionId, paths: removedPaths })
        return jsonReply(filesToJson({ transactionId, state, removal }))
      }
      const change = { removedPaths, truncate: false }
      const { files: _, ...committed } = await commitRemoval(deps, {
        table,
        change,
        ...commitOptions(body),
      })
      return jsonReply(filesToJson({ ...committed, removal }))
    },
  )

const truncate = (deps: FileDependencies) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/tables/{table_identifier}/files/truncate',
      operationId: 'truncateTable',
      tag: FILES_TAG,
      permission: onTable('modify'),
      summary: 'Remove every data file',
      description:
        'Every file that the table has at the commit; not those that the same transaction adds. The body may be empty.',
      body: TruncateRequest,
      isBodyOptional: true,
      answers: [{ status: 200, description: 'Staged or committed.', shape: FilesAnswer }],
      problems: COMMIT_PROBLEMS,
      curl: 'curl -X POST $MORAINE/v1/tables/aviation.flights/files/truncate',
    },
    async ({ authorize, param, body }) => {
      const table = param('table_identifier')
      const removal = { truncated: true as const }
      const transactionId = body.transaction_id
      if (transactionId !== undefined) {
        refuseIsolation(body.isolation)
        await authorizeStaging(authorize, transactionId)
        const state = await stageTruncation(deps, { table, transactionId })
        return jsonReply(filesToJson({ transactionId, state, removal }))
      }
      const change = { removedPaths: [], truncate: true }
      const { files: _, ...committed } = await commitRemoval(deps, {
        table,
        change,
        ...commitOptions(body),
      })
      return jsonReply(filesToJson({ ...committed, removal }))
    },
  )

/** Besides the table of the path: a transaction may be another's. */
function authorizeStaging(authorize: StageCall['authorize'], transactionId: string): Promise<void> {
  return authorize('modify', [{ on: 'transaction', name: transactionId }])
}

function commitOptions(body: z.output<typeof TruncateRequest>) {
  return { author: body.author, message: body.message, isolation: body.isolation }
}

function refuseIsolation(isolation: unknown): void {
  if (isolation === undefined) return
  throw requestInvalid([
    { path: 'body.isolation', message: 'belongs to the transaction: give it at its start' },
  ])
}

export function fileRoutes(deps: FileDependencies & UploadDependencies): readonly Route[] {
  return [stage(deps), remove(deps), truncate(deps)]
}
