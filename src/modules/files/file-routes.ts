import type { z } from 'zod'
import type { Stores } from '../../catalog/catalog.ts'
import { locationKey } from '../../core/file/location-key.ts'
import { UPLOAD_COLUMNS_MAX, UPLOAD_PARTITIONS_MAX } from '../../core/limits.ts'
import type { AnswerKeeper, Keep } from '../../core/replay.ts'
import type { TableState } from '../../core/table/table.ts'
import type { TextFormat } from '../../engine/engine.ts'
import { mediaTypeOf } from '../../http/body/media-type.ts'
import { LARGE_BODY } from '../../http/body-limits.ts'
import { type AuthorizeFound, onTable } from '../../http/permission.ts'
import { requestInvalid } from '../../http/problem.ts'
import { jsonReply, NDJSON_MEDIA_TYPE, type Reply } from '../../http/reply.ts'
import {
  type Call,
  defineRoute,
  type KeptFacts,
  type RepeatedCall,
  type Route,
  type Tag,
} from '../../http/route.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import {
  inspectFiles,
  type Permit,
  type StagedReport,
  stageFiles,
  stageRemoval,
  stageTruncation,
} from '../../lake/commit/staging.ts'
import {
  type CommittedFiles,
  commitFiles,
  commitRemoval,
  commitTransaction,
} from '../../lake/commit/transactions.ts'
import { getTable } from '../../lake/table/table-lookup.ts'
import type { ProblemCode } from '../../problem/problems.ts'
import { filesToJson } from './file-response.ts'
import {
  FilesAnswer,
  RemoveFilesRequest,
  StageFilesRequest,
  TruncateRequest,
  UploadQuery,
} from './file-shapes.ts'
import { textBody } from './text-body.ts'
import { type UploadDependencies, type UploadReport, uploadFile, uploadText } from './upload.ts'

/** Everything that adding files by path, and removing them, uses. */
export type FileDependencies = Stores<'paths' | 'tables' | 'transactions'> &
  Pick<CommitDependencies, 'ambient' | 'commits' | 'manifests' | 'meter' | 'objects'>

const FILES_TAG: Tag = { name: 'files', description: 'Add and remove data files.' }
const PARQUET_MEDIA_TYPES = [
  'application/vnd.apache.parquet',
  'application/parquet',
  'application/x-parquet',
  'application/octet-stream',
]
const TEXT_FORMATS = new Map<string, TextFormat>([
  ['text/csv', 'csv'],
  ['text/tab-separated-values', 'tsv'],
  [NDJSON_MEDIA_TYPE, 'ndjson'],
  ['application/ndjson', 'ndjson'],
])

const COMMIT_PROBLEMS: readonly ProblemCode[] = [
  'table-not-found',
  'table-property-invalid',
  'name-invalid',
  'transaction-not-found',
  'transaction-expired',
  'transaction-aborted',
  'transaction-committed',
  'commit-conflict',
  'commit-state-unknown',
  'overloaded',
  'storage-full',
  'not-implemented',
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
        'Either by path, as JSON: the footers are read at once, and all files are added or none. ' +
        'A column by which the table is partitioned as it is (`identity`), and which a file ' +
        'lacks, has the value of the folder `column=value` of its path, as in Hive’s layouts. ' +
        'Or as a Parquet, CSV, TSV or NDJSON body, which is streamed to the table’s own folder. ' +
        'Texts may be compressed with gzip, said by `Content-Encoding` or not. CSV and TSV ' +
        'begin with a line of column names, in the format that dumps are written in. Rows of ' +
        'CSV, and objects of NDJSON, become a Parquet file with the table’s types; missing ' +
        'columns get their default. The first bad row refuses the whole file, with its `line`. ' +
        'An upload whose rows are of several partitions becomes a file of each, rows in their ' +
        `order, at most ${UPLOAD_PARTITIONS_MAX}, with at most ${UPLOAD_COLUMNS_MAX} columns ` +
        'together: the answer lists them all. ' +
        'With a transaction id the files are staged; without one they are committed at once.',
      query: UploadQuery,
      body: StageFilesRequest,
      bodyMax: LARGE_BODY,
      uploads: [...PARQUET_MEDIA_TYPES, ...TEXT_FORMATS.keys()],
      gzipUploads: [...TEXT_FORMATS.keys()],
      answers: [
        { status: 200, description: 'Added by path: staged or committed.', shape: FilesAnswer },
        { status: 201, description: 'Uploaded: staged or committed.', shape: FilesAnswer },
      ],
      problems: [
        ...COMMIT_PROBLEMS,
        'file-not-found',
        'file-not-parquet',
        'file-schema-mismatch',
        'file-spans-partitions',
        'file-unsupported',
        'file-already-in-table',
        'location-invalid',
        'location-not-allowed',
        'transaction-too-large',
        'row-invalid',
        'engine-failed',
      ],
      curl:
        'curl -X POST "$MORAINE/v1/tables/aviation.flights/files" ' +
        `-H 'Content-Type: application/vnd.apache.parquet' -T flights.parquet`,
    },
    (call) =>
      call.upload === undefined ? stageByPath(deps, call) : upload(deps, call, call.upload),
    (from, call) => stagedAgain(deps, from, call),
  )

async function stageByPath(
  deps: FileDependencies,
  { authorize, authorizeFound, requirePaths, param, query, body, keeper }: StageCall,
): Promise<Reply> {
  if (body === undefined) throw new Error('a request to stage files by path has no body')
  const table = param('table_identifier')
  const permit = permitOn(table, authorizeFound)
  const paths = body.files.map((file) => file.path)
  const transactionId = body.transaction_id ?? query.transaction_id
  if (transactionId !== undefined) {
    await authorizeStaging(authorize, transactionId)
    const keep = keeper.keeping((report: StagedReport) => ({
      status: 200,
      value: filesToJson({ transactionId, ...report }),
      from: { transactionId, tableUuid: report.state.definition.tableUuid },
    }))
    const staged = await stageFiles(deps, {
      ...{ table, permit, transactionId, paths, requirePaths, keep },
    })
    return jsonReply(filesToJson({ transactionId, ...staged }))
  }
  const author = body.author ?? query.author
  const message = body.message ?? query.message
  const keep = keeper.keeping((committed: CommittedFiles) => ({
    status: 200,
    value: filesToJson(committed),
    from: {
      transactionId: committed.transactionId,
      tableUuid: committed.state.definition.tableUuid,
    },
  }))
  const request = { table, permit, paths, requirePaths, author, message }
  return jsonReply(filesToJson(await commitFiles(deps, request, keep)))
}

/**
 * Rebuilds a response too long to store, from the files' footers and the commit's results: of the
 * table that the first request was about, whatever is called so by now.
 */
async function stagedAgain(
  deps: FileDependencies,
  { transactionId, tableUuid }: KeptFacts,
  { authorize, requirePaths, param, body }: RepeatedCall,
): Promise<Reply> {
  const { files: given, transaction_id } = body as z.output<typeof StageFilesRequest>
  // A response of an older version has no UUID.
  const name = String(tableUuid ?? param('table_identifier'))
  await authorize('select', [{ on: 'table', name }])
  const state = await getTable(deps.catalog, name)
  const paths = given.map(({ path }) => path)
  const files = await inspectFiles(deps, state, { paths, requirePaths })
  const id = String(transactionId)
  const results = transaction_id === undefined ? await commitTransaction(deps, id) : undefined
  return jsonReply(filesToJson({ transactionId: id, state, files, results }))
}

async function upload(
  deps: FileDependencies & UploadDependencies,
  { authorize, authorizeFound, param, query, request, closed, keeper }: StageCall,
  chunks: AsyncIterable<Uint8Array>,
): Promise<Reply> {
  const table = param('table_identifier')
  const upload = {
    table,
    permit: permitOn(table, authorizeFound),
    transactionId: query.transaction_id,
    author: query.author,
    message: query.message,
    chunks,
    signal: closed,
    keep: keeper.keeping((report: UploadReport) => ({
      status: 201,
      value: filesToJson(report),
    })),
  }
  if (upload.transactionId !== undefined) await authorizeStaging(authorize, upload.transactionId)
  const format = TEXT_FORMATS.get(mediaTypeOf(request) ?? '')
  const report =
    format === undefined
      ? await uploadFile(deps, upload)
      : await uploadText(deps, {
          ...upload,
          chunks: textBody(request, format, chunks),
          format,
        })
  return jsonReply(filesToJson(report), { status: 201 })
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
      description: 'Removes them from the table; the files themselves stay, for older snapshots.',
      body: RemoveFilesRequest,
      bodyMax: LARGE_BODY,
      answers: [{ status: 200, description: 'Staged or committed.', shape: FilesAnswer }],
      problems: [...COMMIT_PROBLEMS, 'file-not-in-table', 'location-invalid'],
      curl:
        'curl -X POST $MORAINE/v1/tables/aviation.flights/files/remove ' +
        `-H 'Content-Type: application/json' ` +
        `-d '{"files":[{"path":"file:///data/flights-0001.parquet"}]}'`,
    },
    async ({ authorize, authorizeFound, param, body, keeper }) => {
      const table = param('table_identifier')
      const permit = permitOn(table, authorizeFound)
      const removedPaths = body.files.map((file) => file.path)
      const removal = { removed_files: new Set(removedPaths.map(locationKey)).size }
      const transactionId = body.transaction_id
      if (transactionId !== undefined) {
        refuseIsolation(body.isolation)
        await authorizeStaging(authorize, transactionId)
        const staging = { table, permit, transactionId, paths: removedPaths }
        const answer = (state: TableState) => filesToJson({ transactionId, state, removal })
        const keep = keeping(keeper, answer)
        return jsonReply(answer(await stageRemoval(deps, { ...staging, keep })))
      }
      const change = { removedPaths, truncate: false }
      const answer = ({ files: _, ...committed }: CommittedFiles) =>
        filesToJson({ ...committed, removal })
      const request = { table, permit, change, ...commitOptions(body) }
      return jsonReply(answer(await commitRemoval(deps, request, keeping(keeper, answer))))
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
        'Removes every file that the table has at the commit, but not those that the same ' +
        'transaction adds. The body may be empty.',
      body: TruncateRequest,
      isBodyOptional: true,
      answers: [{ status: 200, description: 'Staged or committed.', shape: FilesAnswer }],
      problems: COMMIT_PROBLEMS,
      curl: 'curl -X POST $MORAINE/v1/tables/aviation.flights/files/truncate',
    },
    async ({ authorize, authorizeFound, param, body, keeper }) => {
      const table = param('table_identifier')
      const permit = permitOn(table, authorizeFound)
      const removal = { truncated: true as const }
      const transactionId = body.transaction_id
      if (transactionId !== undefined) {
        refuseIsolation(body.isolation)
        await authorizeStaging(authorize, transactionId)
        const answer = (state: TableState) => filesToJson({ transactionId, state, removal })
        const keep = keeping(keeper, answer)
        return jsonReply(
          answer(await stageTruncation(deps, { table, permit, transactionId, keep })),
        )
      }
      const change = { removedPaths: [], truncate: true }
      const answer = ({ files: _, ...committed }: CommittedFiles) =>
        filesToJson({ ...committed, removal })
      const request = { table, permit, change, ...commitOptions(body) }
      return jsonReply(answer(await commitRemoval(deps, request, keeping(keeper, answer))))
    },
  )

function keeping<Result>(keeper: AnswerKeeper, answer: (result: Result) => unknown): Keep<Result> {
  return keeper.keeping((result) => ({ status: 200, value: answer(result) }))
}

function permitOn(table: string, authorizeFound: AuthorizeFound): Permit {
  return (tableUuid) => authorizeFound('modify', { asked: table, tableUuid })
}

/** Permission for the tables of the transaction, besides the table of the path. */
function authorizeStaging(authorize: StageCall['authorize'], transactionId: string): Promise<void> {
  return authorize('modify', [{ on: 'transaction', name: transactionId }])
}

function commitOptions(body: z.output<typeof TruncateRequest>) {
  return { author: body.author, message: body.message, isolation: body.isolation }
}

function refuseIsolation(isolation: unknown): void {
  if (isolation === undefined) return
  throw requestInvalid([
    {
      path: 'body.isolation',
      message: 'belongs to the transaction: give it when starting the transaction',
    },
  ])
}

export function fileRoutes(deps: FileDependencies & UploadDependencies): readonly Route[] {
  return [stage(deps), remove(deps), truncate(deps)]
}
