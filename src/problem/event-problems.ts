import { NOT_FOUND, type ProblemRows } from './problem-row.ts'

/** Events and jobs. */
export const EVENT_PROBLEMS = {
  'events-expired': {
    status: 410,
    iceberg: NOT_FOUND,
    title: 'Events expired',
    meaning:
      'Events after this position are no longer kept, or the position is not one of this catalog.',
    remedy:
      'Read the current state of the catalog, then continue from `earliest_after` or from ' +
      '`after=latest`.',
    retry: 'no',
  },
  'job-not-found': {
    status: 404,
    iceberg: NOT_FOUND,
    title: 'Job not found',
    meaning: 'There is no job of this id, or it ended more than a week ago.',
    remedy: 'Check the id; GET /v1/jobs lists jobs, GET /v1/exports/{task}/runs runs of exports.',
    retry: 'no',
  },
} as const satisfies ProblemRows
