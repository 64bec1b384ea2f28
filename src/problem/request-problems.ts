import {
  BAD_REQUEST,
  COMMIT_FAILED,
  NOT_FOUND,
  type ProblemRows,
  UNPROCESSABLE,
  UNSUPPORTED,
} from './problem-row.ts'

/** Mistakes in HTTP requests that do not depend on the resource. */
export const REQUEST_PROBLEMS = {
  'route-not-found': {
    status: 404,
    iceberg: NOT_FOUND,
    title: 'No such route',
    meaning: 'The service has no route at this path.',
    remedy: 'Check the path; /docs lists every route.',
    retry: 'no',
  },
  'method-not-allowed': {
    status: 405,
    iceberg: { status: 405, type: 'BadRequestException' },
    title: 'Method not allowed',
    meaning: 'The path exists, but not with this method.',
    remedy: 'Use one of the methods in the Allow header.',
    retry: 'no',
  },
  'request-invalid': {
    status: 400,
    iceberg: BAD_REQUEST,
    title: 'Invalid request',
    meaning: 'A body member, parameter or part of the URL is missing, unknown or malformed.',
    remedy: 'Correct each path listed in `errors`.',
    retry: 'no',
  },
  'body-invalid': {
    status: 400,
    iceberg: BAD_REQUEST,
    title: 'Invalid request body',
    meaning: 'The body is missing, or is not JSON in UTF-8.',
    remedy: 'Correct it at `position` (also given as `line` and `column`).',
    retry: 'no',
  },
  'body-too-large': {
    status: 413,
    iceberg: { status: 413, type: 'BadRequestException' },
    title: 'Request body too large',
    meaning: 'The body has more bytes than `bytes_max`, or more JSON values than `values_max`.',
    remedy: 'Split the request: stage files in several requests of one transaction.',
    retry: 'no',
  },
  'headers-too-large': {
    status: 431,
    iceberg: { status: 431, type: 'BadRequestException' },
    title: 'Headers too large',
    meaning: 'The URL and the headers of the request are too long to be read.',
    remedy: 'Send fewer or shorter headers, and long filters or lists in a body.',
    retry: 'no',
  },
  'upload-too-slow': {
    status: 408,
    iceberg: { status: 408, type: 'BadRequestException' },
    title: 'Request too slow',
    meaning:
      'The body, or the headers, arrived so slowly that the connection was ended. Nothing was ' +
      'changed.',
    remedy: 'Send it again over a faster connection.',
    retry: 'yes',
  },
  'media-type-unsupported': {
    status: 415,
    iceberg: { status: 415, type: 'BadRequestException' },
    title: 'Unsupported media type',
    meaning: 'This route does not accept the Content-Type or Content-Encoding of the body.',
    remedy: 'Send one of `supported`, with its Content-Type; only texts to upload may be in gzip.',
    retry: 'no',
  },
  'host-not-allowed': {
    status: 421,
    iceberg: { status: 421, type: 'BadRequestException' },
    title: 'Unknown host name',
    meaning:
      'The request was sent to a name that this service does not have, as after DNS rebinding.',
    remedy:
      'Use its IP address or `localhost`, or ask the operator to add the name to ' +
      '`MORAINE_ALLOWED_HOSTS`.',
    retry: 'no',
  },
  'origin-not-allowed': {
    status: 403,
    iceberg: { status: 403, type: 'ForbiddenException' },
    title: 'Page of another site',
    meaning:
      'A browser sent the request for a page of another site. Such pages may neither change data ' +
      'nor start work.',
    remedy:
      'Open the address itself, or ask the operator to add the origin of the page to ' +
      '`MORAINE_ALLOWED_ORIGINS`.',
    retry: 'no',
  },
  'not-acceptable': {
    status: 406,
    iceberg: UNSUPPORTED,
    title: 'No acceptable format',
    meaning: 'The Accept header allows none of the formats of this response.',
    remedy: 'Accept one of `available`.',
    retry: 'no',
  },
  'permission-denied': {
    status: 403,
    iceberg: { status: 403, type: 'ForbiddenException' },
    title: 'Permission denied',
    meaning: 'The caller is not allowed to do this.',
    remedy: 'Ask the owner for the missing `privilege`.',
    retry: 'no',
  },
  'page-token-invalid': {
    status: 400,
    iceberg: BAD_REQUEST,
    title: 'Invalid page token',
    meaning: 'The page token was not issued for this list.',
    remedy: 'Start again without a token, and pass on each `next_page_token` unchanged.',
    retry: 'no',
  },
  'precondition-failed': {
    status: 412,
    iceberg: { status: 412, type: 'BadRequestException' },
    title: 'Precondition failed',
    meaning: 'The file is not the one that If-Match or If-Unmodified-Since describes.',
    remedy: 'Download it from the start; `etag` is its current entity tag.',
    retry: 'no',
  },
  'precondition-required': {
    status: 428,
    iceberg: { status: 428, type: 'BadRequestException' },
    title: 'Precondition required',
    meaning:
      'The request asks for a range at a URL whose content has changed or will change with the ' +
      'table, so that halves of two files could be joined.',
    remedy:
      'Use `pinned_url`, whose content never changes. Delete a partial file of another name: ' +
      'the name contains the snapshot id and the edition.',
    retry: 'no',
  },
  'range-not-satisfiable': {
    status: 416,
    iceberg: { status: 416, type: 'BadRequestException' },
    title: 'Range not satisfiable',
    meaning: 'The requested range starts at or after the end of the file.',
    remedy: 'The file has `length_bytes` bytes; if yours is as long, it is complete.',
    retry: 'no',
  },
  'idempotency-key-in-use': {
    status: 409,
    iceberg: COMMIT_FAILED,
    title: 'Idempotency key in use',
    meaning: 'Another request with this Idempotency-Key is still being processed.',
    remedy: 'Wait as long as Retry-After says, then repeat the same request with the same key.',
    retry: 'yes',
  },
  'idempotency-key-reused': {
    status: 422,
    iceberg: UNPROCESSABLE,
    title: 'Idempotency key reused',
    meaning: 'A different request was sent with the same `Idempotency-Key` before.',
    remedy: 'Use a new key for each request, and the same key only to repeat a request.',
    retry: 'no',
  },
} as const satisfies ProblemRows
