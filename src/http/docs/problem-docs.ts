import { CATALOG_ERROR_CODES, type CatalogErrorCode } from '../../core/errors.ts'
import { STATUS_BY_CODE } from '../problem.ts'

export interface ProblemDoc {
  readonly meaning: string
  /** What the client should do. */
  readonly remedy: string
  /** Whether the same request may work later. */
  readonly retry: 'no' | 'yes' | 'after a look'
}

/** docs/problems.md, openapi.yaml and `/problems/{code}` all say this. */
export const PROBLEM_DOCS: Readonly<Record<CatalogErrorCode, ProblemDoc>> = {
  'as-at-before-first-snapshot': {
    meaning: 'The table had no snapshot yet at the moment that was asked for.',
    remedy: 'Ask for `first_snapshot_at` or later; when it is null, the table is empty.',
    retry: 'no',
  },
  'as-at-invalid': {
    meaning: 'A moment (`as_at`, `before`, `after`) is in no form that is known.',
    remedy:
      'Give epoch milliseconds, an RFC 3339 time (without an offset it is UTC) or a date. In a URL a `+` is written `%2B`.',
    retry: 'no',
  },
  'body-invalid': {
    meaning: 'The body is not JSON in UTF-8, or is missing.',
    remedy: 'Mend it at `position` (`line`, `column`).',
    retry: 'no',
  },
  'body-too-large': {
    meaning: 'The body is larger than `bytes_max`.',
    remedy: 'Split the request: stage files in several requests of one transaction.',
    retry: 'no',
  },
  'column-not-found': {
    meaning: 'The filter names a column that the table does not have.',
    remedy: 'Look at the schema: GET /v1/tables/{table_identifier}/schemas.',
    retry: 'no',
  },
  'column-type-unknown': {
    meaning: 'A column has a type that is not known.',
    remedy: 'Choose one of the known types, which the problem lists.',
    retry: 'no',
  },
  'commit-conflict': {
    meaning:
      'Another commit came between: a removal or truncation was decided on a snapshot that is not current any more, or other commits kept coming first.',
    remedy:
      'Look at the table, and start again on what it holds now; or start with `"isolation": "overwrite"` if it may apply to anything.',
    retry: 'after a look',
  },
  'commit-state-unknown': {
    meaning: 'The answer of the catalog database was lost: the commit may have happened or not.',
    remedy:
      'Commit the same transaction again: if it was committed, the first result is answered. A request without a transaction: look at the newest snapshot first.',
    retry: 'after a look',
  },
  'data-file-missing': {
    meaning: 'A data file or delete file that the snapshot needs is gone: `path` names it.',
    remedy: 'Restore the file, or remove it from the table. Snapshots without it are not affected.',
    retry: 'no',
  },
  'dump-not-ready': {
    meaning: 'The dump is being made, and a part or digest of it was asked for.',
    remedy:
      'Repeat the request after Retry-After; `status_url` tells how far it is. A request without Range gets what is ready at once.',
    retry: 'yes',
  },
  'engine-failed': {
    meaning: 'A conversion crashed, took too long or needed too much memory. Nothing was written.',
    remedy:
      'Repeat it. When it fails again, the operator looks in the log and gives the engine more memory (`MORAINE_ENGINE_MEMORY`).',
    retry: 'yes',
  },
  'file-already-in-table': {
    meaning: 'The data file is in the table, or staged for it, or given twice.',
    remedy: 'Leave it out: it is there.',
    retry: 'no',
  },
  'file-changed': {
    meaning: 'A data file was replaced while it was read or after it was staged.',
    remedy: 'Data files must not change: write a new file under a new name.',
    retry: 'no',
  },
  'file-corrupt': {
    meaning: 'A data file or delete file of the table is damaged: `file` names it.',
    remedy: 'Restore the file, or remove it from the table. Snapshots without it are not affected.',
    retry: 'no',
  },
  'file-not-found': {
    meaning: 'There is no file at the path.',
    remedy: 'Check the path, and that the service can see it.',
    retry: 'after a look',
  },
  'file-not-in-table': {
    meaning: 'A file that should be removed is not in the current snapshot.',
    remedy: 'Look at the table’s `data_files`; someone else may have removed it.',
    retry: 'no',
  },
  'file-not-parquet': {
    meaning: 'The file is not Parquet, is cut short, or its footer is damaged.',
    remedy: 'Write the file again.',
    retry: 'no',
  },
  'file-schema-mismatch': {
    meaning: 'A column of the file does not fit the table, or a column without default is missing.',
    remedy: 'Write the file with the table’s types, or evolve the schema first.',
    retry: 'no',
  },
  'file-spans-partitions': {
    meaning: 'The file’s statistics do not prove that its rows are of one partition.',
    remedy: 'Split the file by partition, and write statistics for the partition columns.',
    retry: 'no',
  },
  'filter-invalid': {
    meaning: 'The filter cannot be read, or compares a column with a value of another type.',
    remedy: 'Mend it at `position`; `near` shows the place, `expected` what would be right.',
    retry: 'no',
  },
  'idempotency-key-reused': {
    meaning: 'Another request had the same `Idempotency-Key`.',
    remedy: 'Give each request a key of its own; only a repetition of it has the same.',
    retry: 'no',
  },
  internal: {
    meaning: 'Something went wrong in the service. Nothing of the cause is shown.',
    remedy: 'Give the operator the `error_id`: the log has the rest under it.',
    retry: 'yes',
  },
  'location-invalid': {
    meaning: 'A location is not a full URI, or has segments like `..`.',
    remedy: 'Give one like `file:///data/flights.parquet`.',
    retry: 'no',
  },
  'location-not-allowed': {
    meaning: 'A location is outside the places that the operator allowed.',
    remedy:
      'Put the file below an allowed location, or ask the operator to add its folder to `MORAINE_ALLOWED_LOCATIONS`.',
    retry: 'no',
  },
  'media-type-unsupported': {
    meaning: 'The body is of a media type, or has a Content-Encoding, that is not taken here.',
    remedy: 'Send one of `supported`, uncompressed, with the right Content-Type.',
    retry: 'no',
  },
  'metadata-corrupt': {
    meaning: 'A metadata file of the table cannot be read. Shown to clients as `internal`.',
    remedy: 'The operator finds the file in the log and restores it.',
    retry: 'no',
  },
  'method-not-allowed': {
    meaning: 'The path exists, but not with this method.',
    remedy: 'Use one of the methods in the Allow header.',
    retry: 'no',
  },
  'name-invalid': {
    meaning:
      'The name of a table or namespace has other characters, or more of them, than a name may.',
    remedy:
      'A name begins with a letter or `_` and has at most 128 letters, digits, `_` and `-`; levels are joined by dots.',
    retry: 'no',
  },
  'namespace-already-exists': {
    meaning: 'There is a namespace of this name already; names compare without case.',
    remedy: 'Choose another name, or use the namespace that is there.',
    retry: 'no',
  },
  'namespace-not-empty': {
    meaning: 'The namespace holds a table, a view or another namespace.',
    remedy: 'Drop or move what is in it first.',
    retry: 'after a look',
  },
  'namespace-not-found': {
    meaning: 'There is no such namespace, or it was dropped.',
    remedy: 'Create it first: POST /iceberg/v1/namespaces.',
    retry: 'no',
  },
  'namespace-update-invalid': {
    meaning: 'A property of a namespace is to be set and removed at once.',
    remedy: 'Leave it out of one of the two.',
    retry: 'no',
  },
  'not-acceptable': {
    meaning: 'The Accept header asks for forms that this answer does not have.',
    remedy: 'Accept one of `available`.',
    retry: 'no',
  },
  'not-implemented': {
    meaning: 'This release does not do that yet.',
    remedy: 'The detail says what does.',
    retry: 'no',
  },
  overloaded: {
    meaning: 'Too much of one kind waits already.',
    remedy: 'Wait for as long as Retry-After says, then repeat the request as it was.',
    retry: 'yes',
  },
  'page-token-invalid': {
    meaning: 'The page token was not given by this list.',
    remedy: 'Begin again without one, and take `next_page_token` as it is.',
    retry: 'no',
  },
  'partitioning-invalid': {
    meaning: 'The partitioning does not fit the schema.',
    remedy: 'The problem names the `column` and the `rule`.',
    retry: 'no',
  },
  'permission-denied': {
    meaning: 'The caller may not do this.',
    remedy: 'Ask whoever owns what it is about for the `privilege` that is missing.',
    retry: 'no',
  },
  'plan-not-found': {
    meaning: 'The plan id is of no plan of this table, or what it read was removed since.',
    remedy: 'Plan the scan again.',
    retry: 'no',
  },
  'plan-task-not-found': {
    meaning: 'The plan task is of no plan of this table, or what it read was removed since.',
    remedy: 'Plan the scan again.',
    retry: 'no',
  },
  'precondition-failed': {
    meaning: 'The dump is not the one that If-Match or If-Unmodified-Since speaks of.',
    remedy: 'Take it from the start: `etag` is what it is now.',
    retry: 'no',
  },
  'precondition-required': {
    meaning:
      'A part was asked for at an address whose bytes change with the table: halves of two snapshots could be joined.',
    remedy:
      'Ask at `pinned_url`, whose bytes never change. Delete a partial file that is of another snapshot: its id is in the file name.',
    retry: 'no',
  },
  'range-not-satisfiable': {
    meaning: 'The part that was asked for begins at or after the end of the file.',
    remedy: 'The file has `length_bytes` bytes; one that is as long is complete.',
    retry: 'no',
  },
  'request-invalid': {
    meaning:
      'A member of the body, a parameter or the URL is missing, unknown or of the wrong form.',
    remedy: '`errors` lists each path with what is wrong.',
    retry: 'no',
  },
  'route-not-found': {
    meaning: 'There is nothing at this path.',
    remedy: '/docs lists every route.',
    retry: 'no',
  },
  'row-invalid': {
    meaning: 'A row of an uploaded CSV or NDJSON file does not fit the table. Nothing was staged.',
    remedy: 'Mend `line`, as `detail` says, and send the file again.',
    retry: 'no',
  },
  'schema-change-invalid': {
    meaning: 'The schema cannot change like this.',
    remedy: 'The problem names the `column` and the `rule`.',
    retry: 'no',
  },
  'schema-change-rewrites-files': {
    meaning:
      'The change of type would convert values within nested columns, which this release does not do yet.',
    remedy: 'Add a new column instead, or write a new table.',
    retry: 'no',
  },
  'schema-invalid': {
    meaning: 'The columns do not make a schema.',
    remedy: 'The problem names the `column` and the `rule`.',
    retry: 'no',
  },
  'snapshot-not-found': {
    meaning: 'The table has no snapshot, branch or tag of that name.',
    remedy: 'GET /v1/tables/{table_identifier}/snapshots lists what there is.',
    retry: 'no',
  },
  'storage-full': {
    meaning: 'There is no room left where the service keeps its files.',
    remedy: 'The operator makes room; nothing was changed.',
    retry: 'after a look',
  },
  'table-already-exists': {
    meaning: 'There is a table of that name; names compare without case.',
    remedy: 'Choose another name, or use the table that is there.',
    retry: 'no',
  },
  'table-not-found': {
    meaning: 'There is no such table, or it was dropped.',
    remedy: 'GET /v1/tables lists what there is.',
    retry: 'no',
  },
  'transaction-aborted': {
    meaning: 'The transaction was aborted; nothing of it became visible.',
    remedy: 'Start another and stage the files again.',
    retry: 'no',
  },
  'transaction-committed': {
    meaning: 'The transaction is committed and takes nothing more.',
    remedy: 'Start another for further changes.',
    retry: 'no',
  },
  'transaction-expired': {
    meaning: 'The transaction was open for longer than it asked for; nothing of it became visible.',
    remedy: 'Start another, with a longer `expires_in_seconds`, and stage the files again.',
    retry: 'no',
  },
  'transaction-not-found': {
    meaning: 'There is no such transaction, or it ended more than a week ago.',
    remedy: 'Use the id as it was given at the start.',
    retry: 'no',
  },
  'transaction-too-large': {
    meaning: 'The transaction would add more than `files_max` files.',
    remedy: 'Commit it, and go on in another.',
    retry: 'no',
  },
  'update-invalid': {
    meaning: 'A metadata update or requirement of an Iceberg commit does not fit the table.',
    remedy: 'Mend the update that `action` and `index` name.',
    retry: 'no',
  },
  'view-already-exists': {
    meaning:
      'A view or table has the name already; names of both are compared together, without case.',
    remedy: 'Choose another name, or replace the view.',
    retry: 'no',
  },
  'view-not-found': {
    meaning: 'There is no such view, or it was dropped.',
    remedy: 'GET /v1/views lists what there is.',
    retry: 'no',
  },
}

/** docs/problems.md. */
export function problemsMarkdown(): string {
  return [
    '# Problems',
    '',
    'Every error is an `application/problem+json` document (RFC 9457). Switch on its `type`, which never changes;',
    '`detail` is for people. `instance` is the request id, which is in the log, too.',
    '',
    ...[...CATALOG_ERROR_CODES]
      .sort()
      .flatMap((code) => ['', ...problemLines(code)])
      .slice(1),
    '',
  ].join('\n')
}

export function problemMarkdown(code: CatalogErrorCode): string {
  return `${problemLines(code).join('\n')}\n`
}

function problemLines(code: CatalogErrorCode): readonly string[] {
  const { meaning, remedy, retry } = PROBLEM_DOCS[code]
  return [
    `## ${code}`,
    '',
    meaning,
    '',
    `- Status: ${STATUS_BY_CODE[code]}`,
    `- What to do: ${remedy}`,
    `- Retry: ${retry}`,
  ]
}
