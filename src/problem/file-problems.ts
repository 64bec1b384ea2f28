import { BAD_REQUEST, COMMIT_FAILED, NOT_FOUND, type ProblemRows } from './problem-row.ts'

/** Data files: their locations, contents and fit to a table. */
export const FILE_PROBLEMS = {
  'location-invalid': {
    status: 400,
    iceberg: BAD_REQUEST,
    title: 'Invalid location',
    meaning: 'A location is not an absolute URI, or has segments such as `..`.',
    remedy: 'Use a location such as `file:///data/flights.parquet`.',
    retry: 'no',
  },
  'location-not-allowed': {
    status: 403,
    iceberg: { status: 403, type: 'ForbiddenException' },
    title: 'Location not allowed',
    meaning: 'A location is outside the folders that the operator allows.',
    remedy:
      'Put the file in an allowed folder, or ask the operator to add its folder to ' +
      '`MORAINE_ALLOWED_LOCATIONS`.',
    retry: 'no',
  },
  'file-not-found': {
    status: 422,
    iceberg: NOT_FOUND,
    title: 'File not found',
    meaning: 'There is no file at this location.',
    remedy: 'Check the location, and that the service can read it.',
    retry: 'after checking',
  },
  'file-being-deleted': {
    status: 409,
    iceberg: COMMIT_FAILED,
    title: 'File being deleted',
    meaning:
      'A purge deletes the file, or has deleted it since it was read: no table named it any ' +
      'more. Nothing was changed.',
    remedy: 'Write the file again, best under another name, and then add it.',
    retry: 'after checking',
  },
  'file-not-parquet': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'Not a Parquet file',
    meaning: 'The file is not Parquet, is truncated, or has a damaged footer.',
    remedy:
      'Write the file again. For CSV or NDJSON, create the table with `schema` instead of ' +
      '`infer_from`, and send the text as the body (`text/csv`, `application/x-ndjson`).',
    retry: 'no',
  },
  'file-schema-mismatch': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'File does not fit the table',
    meaning: 'A column of the file has the wrong type, or a column without a default is missing.',
    remedy: "Write the file with the table's types, or change the schema first.",
    retry: 'no',
  },
  'file-spans-partitions': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'File spans several partitions',
    meaning:
      'The statistics of a file given by path do not prove that its rows belong to one ' +
      'partition; or an upload, which is split by partition, has rows of too many.',
    remedy:
      'Split the file by partition, and write statistics for the partition columns; or upload ' +
      'it, in parts where `partitions` is more than `partitions_max`.',
    retry: 'no',
  },
  'file-unsupported': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'File not supported',
    meaning:
      'The file is valid Parquet, but holds what this service cannot read or what a table cannot ' +
      'hold: a codec or encoding that it does not know, times outside a day, moments beyond what ' +
      'microseconds of 64 bits hold, text that is not UTF-8.',
    remedy: 'Write the file again as `detail` says; `columns` names the columns where known.',
    retry: 'no',
  },
  'file-already-in-table': {
    status: 409,
    iceberg: COMMIT_FAILED,
    title: 'File already in table',
    meaning: 'The data file is already in the table, staged for it, or listed twice.',
    remedy: 'Leave it out of the request.',
    retry: 'no',
  },
  'file-not-in-table': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'File not in table',
    meaning: 'A file to be removed is not in the current snapshot.',
    remedy: "Look at the table's `data_files`; somebody else may have removed the file.",
    retry: 'no',
  },
  'data-file-changed': {
    status: 410,
    iceberg: NOT_FOUND,
    title: 'Data file changed',
    meaning:
      'A data file of the snapshot was replaced by one of other content since it was committed, ' +
      'or first read; `path` names it. A copy or a restore of the same bytes is no change.',
    remedy:
      'Restore the file. Never overwrite data files: write a new file under a new name, and ' +
      'remove the old one from the table.',
    retry: 'no',
  },
  'file-changed': {
    status: 409,
    iceberg: COMMIT_FAILED,
    title: 'Staged file changed',
    meaning: 'A staged file was replaced or deleted before the commit. Nothing was changed.',
    remedy: 'Abort the transaction, and stage the file again in another one.',
    retry: 'no',
  },
  'file-corrupt': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'Damaged data file',
    meaning: 'A data file or delete file of the table is damaged; `file` names it.',
    remedy: 'Restore the file, or remove it from the table. Snapshots without it are not affected.',
    retry: 'no',
  },
  'data-file-missing': {
    status: 410,
    iceberg: NOT_FOUND,
    title: 'Data file missing',
    meaning: 'A data file or delete file that the snapshot needs is gone; `path` names it.',
    remedy: 'Restore the file, or remove it from the table. Snapshots without it are not affected.',
    retry: 'no',
  },
  'row-invalid': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'Invalid row',
    meaning: 'A row of the uploaded CSV or NDJSON does not fit the table. Nothing was staged.',
    remedy: 'Correct `line` as `detail` says, and send the file again.',
    retry: 'no',
  },
} as const satisfies ProblemRows
