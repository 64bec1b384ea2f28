import { type ProblemRows, UNAVAILABLE } from './problem-row.ts'

export const DUMP_PROBLEMS = {
  'dump-not-ready': {
    status: 503,
    iceberg: UNAVAILABLE,
    title: 'Dump not ready',
    meaning: 'The dump is still being built, and the request needs a range or a digest of it.',
    remedy:
      'Repeat the request after Retry-After; `status_url` reports progress. ' +
      'A request without Range starts receiving at once.',
    retry: 'yes',
  },
} as const satisfies ProblemRows
