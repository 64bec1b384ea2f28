import { BAD_REQUEST, NOT_FOUND, type ProblemRows, UNPROCESSABLE } from './problem-row.ts'

/** Exports of rows of other databases. */
export const EXPORT_PROBLEMS = {
  'export-not-found': {
    status: 404,
    iceberg: NOT_FOUND,
    title: 'Export not found',
    meaning: 'The folder of exports has no task of this name.',
    remedy: 'GET /v1/exports lists all tasks; each is a folder below MORAINE_EXPORTS.',
    retry: 'no',
  },
  'exports-unreadable': {
    status: 503,
    iceberg: { status: 429, type: 'TooManyRequestsException' },
    title: 'Export tasks unreadable',
    meaning: 'The folder of export tasks is there and cannot be read. Nothing was run.',
    remedy: 'Ask the operator to let the service read MORAINE_EXPORTS, then repeat the request.',
    retry: 'yes',
  },
  'export-run-not-found': {
    status: 404,
    iceberg: NOT_FOUND,
    title: 'Run of an export not found',
    meaning: 'The export has no run of this id. Runs are forgotten a week after they ended.',
    remedy: 'GET /v1/exports/{task}/runs lists its runs, and /files its files, which are kept.',
    retry: 'no',
  },
  'export-file-not-found': {
    status: 404,
    iceberg: NOT_FOUND,
    title: 'Exported file not found',
    meaning: 'The export has archived no file of this name.',
    remedy: 'GET /v1/exports/{task}/files lists its files.',
    retry: 'no',
  },
  'export-task-unusable': {
    status: 422,
    iceberg: UNPROCESSABLE,
    title: 'Export task unusable',
    meaning: 'The files of the task, or its source, do not say what is to be exported.',
    remedy: 'Ask the operator to correct the task: docs/exports.md says what belongs into it.',
    retry: 'no',
  },
  'export-task-invalid': {
    status: 422,
    iceberg: UNPROCESSABLE,
    title: 'Statement of an export invalid',
    meaning: 'A statement of the task is not one query, or not one deletion. Nothing was deleted.',
    remedy: 'Ask the operator to correct the SQL of the task: docs/exports.md says how.',
    retry: 'no',
  },
  'export-row-invalid': {
    status: 422,
    iceberg: UNPROCESSABLE,
    title: 'Row of an export invalid',
    meaning:
      'The table of `archive_to` cannot hold a row of the source, such as one with an infinite ' +
      'date. Everything was rolled back, and nothing was archived or deleted.',
    remedy:
      'Correct the row in the source as `detail` says, or leave it out by the condition of the ' +
      'task; then ask for another run.',
    retry: 'no',
  },
  'export-count-mismatch': {
    status: 409,
    iceberg: BAD_REQUEST,
    title: 'Other rows deleted than archived',
    meaning:
      'The rows that would have been deleted are not those that were copied. Everything was ' +
      'rolled back, and nothing was deleted.',
    remedy:
      'Make the conditions of select.sql and delete.sql the same, or give a table and `where` in ' +
      'task.json: one statement then does both.',
    retry: 'no',
  },
  'export-run-cancelled': {
    status: 409,
    iceberg: BAD_REQUEST,
    title: 'Run withdrawn',
    meaning:
      'The run that the request waited for was withdrawn before its end, by those who had asked ' +
      'for it or an administrator. What it had not committed was rolled back.',
    remedy: 'See who withdrew it, and why; then ask for another run.',
    retry: 'no',
  },
  'export-outcome-unknown': {
    status: 409,
    iceberg: BAD_REQUEST,
    title: 'Outcome of an export unknown',
    meaning:
      'The connection was lost during the commit, or the run is of a backup, and the source ' +
      'remembers the transaction no more. The staged file is kept.',
    remedy:
      'See in the source whether the rows are still there; `staged` names the file to keep or to ' +
      'delete.',
    retry: 'no',
  },
  'source-refused': {
    status: 422,
    iceberg: UNPROCESSABLE,
    title: 'Refused by the source',
    meaning: 'The database that rows are exported from refused a statement. Nothing was deleted.',
    remedy: 'The detail has its message and `sql_state`; correct the task or its rights.',
    retry: 'no',
  },
  'source-unavailable': {
    status: 409,
    iceberg: BAD_REQUEST,
    title: 'Source unavailable',
    meaning: 'The database that rows are exported from could not be reached, time and again.',
    remedy: 'See that it runs and that MORAINE_EXPORT_SOURCES has its address, then run it again.',
    retry: 'yes',
  },
} as const satisfies ProblemRows
