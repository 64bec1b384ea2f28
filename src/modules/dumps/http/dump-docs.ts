import type { AnswerDoc, Tag } from '../../../http/route.ts'
import type { ProblemCode } from '../../../problem/problems.ts'
import { DumpBytes, DumpStatusAnswer } from './dump-shapes.ts'

export const DUMPS_TAG: Tag = {
  name: 'dumps',
  description: 'Any snapshot as one file: CSV, NDJSON, Parquet or Arrow.',
}

export const DUMP_DESCRIPTION =
  'One file with exactly the rows and columns of the snapshot. `HEAD` works, too, and starts ' +
  'nothing. The first request starts the dump and receives what is ready at once, without a ' +
  'length; once the dump is complete there are `Content-Length`, `Repr-Digest` and Range. ' +
  '`Prefer: wait=30` waits for that; `Prefer: respond-async` returns 202 with the `Location` ' +
  'of the status. If something fails midway, the connection is reset: a file that ends ' +
  'properly is complete.'

const FILE_HEADERS = {
  ETag: 'Strong: the same bytes have the same tag.',
  'Last-Modified': 'When the table became what the file shows.',
  'Content-Disposition': 'The file name, with table and snapshot id.',
  'Content-Location': 'The address of these very bytes, which never change.',
  'Accept-Ranges': 'bytes',
  'Repr-Digest': 'SHA-256 of the whole file (RFC 9530), once it is made.',
}

const BYTES = {
  shape: DumpBytes,
  mediaType: 'text/csv',
  alternatives: {
    'application/x-ndjson': DumpBytes,
    'application/vnd.apache.parquet': DumpBytes,
    'application/vnd.apache.arrow.stream': DumpBytes,
    'application/gzip': DumpBytes,
    'application/zstd': DumpBytes,
  },
}

export const DUMP_ANSWERS: readonly AnswerDoc[] = [
  { status: 200, description: 'The file.', ...BYTES, headers: FILE_HEADERS },
  {
    status: 202,
    description: 'With `Prefer: respond-async`: the dump is being made.',
    shape: DumpStatusAnswer,
    headers: { Location: 'Of the status.', 'Retry-After': 'Seconds.' },
  },
  {
    status: 206,
    description: 'A part of the file.',
    ...BYTES,
    headers: { ...FILE_HEADERS, 'Content-Range': 'Which part.' },
  },
  { status: 302, description: 'To a signed URL of the store, unless `redirect=never`.' },
  { status: 304, description: 'The client has it already.' },
]

/** When it is not clear of what. */
export const FINDING_PROBLEMS: readonly ProblemCode[] = [
  'table-not-found',
  'name-invalid',
  'snapshot-not-found',
  ...(['data-file-missing', 'file-corrupt', 'file-changed', 'file-not-parquet'] as const),
  ...(['file-schema-mismatch', 'engine-failed', 'not-implemented', 'overloaded'] as const),
  'storage-full',
]

export const DUMP_PROBLEMS: readonly ProblemCode[] = [
  ...FINDING_PROBLEMS,
  'dump-not-ready',
  'not-acceptable',
  'precondition-failed',
  'range-not-satisfiable',
]
