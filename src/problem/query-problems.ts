import { BAD_REQUEST, type ProblemRows } from './problem-row.ts'

/** Rows, queries and their results. */
export const QUERY_PROBLEMS = {
  'query-invalid': {
    status: 400,
    iceberg: BAD_REQUEST,
    title: 'Invalid query',
    meaning:
      'The query names a column that is not there, uses one as its type cannot be used, or says ' +
      'something that queries may not say.',
    remedy: 'Correct the query; the detail says what is wrong, `columns` what there is.',
    retry: 'no',
  },
  'query-too-costly': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'Query too costly',
    meaning: 'The query takes longer, or more memory, than a query may; it was ended.',
    remedy:
      'Filter by a column that leaves files out (`POST /v1/query/estimate` says how many), or ' +
      'read fewer columns.',
    retry: 'no',
  },
  'result-too-large': {
    status: 413,
    iceberg: { status: 413, type: 'BadRequestException' },
    title: 'Result too large',
    meaning: 'The result is larger than what is sent at once.',
    remedy: 'Ask for fewer rows or columns, or download the table as a dump.',
    retry: 'no',
  },
} as const satisfies ProblemRows
