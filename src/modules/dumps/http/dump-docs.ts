import type { AnswerDoc, Tag } from '../../../http/route.ts'
import type { ProblemCode } from '../../../problem/problems.ts'
import { DumpBytes, DumpStatusAnswer } from './dump-shapes.ts'

export const DUMPS_TAG: Tag = {
  name: 'dumps',
  description: 'Any snapshot as one file: CSV, NDJSON, Parquet or Arrow; and TSV, JSON or XML.',
}

export const DUMP_DESCRIPTION =
  'One file with exactly the rows of the snapshot. Its columns, and their names, are those of ' +
  'the table now, unless the address names a moment: a dump of `as_at`, of a tag or of a ' +
  'snapshot id has those of its snapshot, and `schema_id` chooses others. The first request ' +
  'starts the dump ' +
  'and receives rows as they become ready, without a length; a finished dump has ' +
  '`Content-Length`, `Repr-Digest` and ranges. `Prefer: wait=30` waits for a finished dump; ' +
  '`Prefer: respond-async` returns 202 with the `Location` of its status. `HEAD` starts nothing. ' +
  'If making the dump fails halfway, the connection is reset: a response that ends normally is ' +
  'the whole file.'

const FILE_HEADERS = {
  ETag: 'Strong: equal tags mean equal bytes.',
  'Last-Modified': 'When the table reached the state that the file shows.',
  'Content-Disposition': 'The file name, with table, snapshot id and edition.',
  'Content-Location': 'The permanent address of these bytes.',
  'Accept-Ranges': 'bytes',
  'Repr-Digest': 'SHA-256 of the whole file (RFC 9530), once the dump is finished.',
}

const BYTES = {
  shape: DumpBytes,
  mediaType: 'text/csv',
  alternatives: {
    'application/x-ndjson': DumpBytes,
    'application/vnd.apache.parquet': DumpBytes,
    'application/vnd.apache.arrow.stream': DumpBytes,
    'text/tab-separated-values': DumpBytes,
    'application/json': DumpBytes,
    'text/xml': DumpBytes,
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
    headers: { Location: 'Address of the status.', 'Retry-After': 'Seconds to wait.' },
  },
  {
    status: 206,
    description: 'The requested range of the file.',
    ...BYTES,
    headers: { ...FILE_HEADERS, 'Content-Range': 'The range, and the length of the file.' },
  },
  {
    status: 302,
    description:
      'With `redirect=always`, or `auto` where it helps: the dump is an object in a bucket, and ' +
      'the store serves it, whole and in ranges. With `Accept-Datetime` and no snapshot, the ' +
      'permanent address of the dump of then. Give clients their option for redirects, such ' +
      'as `-L` of curl.',
    headers: {
      Location: 'An address in the store: a secret that reads this file until it expires.',
      Link: 'The permanent address of these bytes, at this service.',
      'Repr-Digest': 'SHA-256 of the whole file (RFC 9530).',
    },
  },
  { status: 304, description: 'The client’s copy is current.' },
]

/** Problems of finding the snapshot and making its dump. */
export const FINDING_PROBLEMS: readonly ProblemCode[] = [
  'table-not-found',
  'name-invalid',
  'snapshot-not-found',
  'data-file-missing',
  'location-not-allowed',
  'dump-edition-gone',
  'file-corrupt',
  'table-property-invalid',
  'data-file-changed',
  'file-not-parquet',
  'file-schema-mismatch',
  'file-unsupported',
  'engine-failed',
  'not-implemented',
  'origin-not-allowed',
  'overloaded',
  'storage-full',
  'dump-too-large',
]

export const DUMP_PROBLEMS: readonly ProblemCode[] = [
  ...FINDING_PROBLEMS,
  'dump-not-ready',
  'not-acceptable',
  'precondition-failed',
  'range-not-satisfiable',
]

export const MOVING_PROBLEMS: readonly ProblemCode[] = [
  'as-at-invalid',
  'as-at-before-first-snapshot',
]
