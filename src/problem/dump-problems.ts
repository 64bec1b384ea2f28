import { NOT_FOUND, type ProblemRows, UNAVAILABLE } from './problem-row.ts'

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
  'dump-edition-gone': {
    status: 410,
    iceberg: NOT_FOUND,
    title: 'Dump edition gone',
    meaning:
      'The address names the content of a dump by its edition, and the snapshot is read in ' +
      'another way since (another name mapping, an id that was given again), or written in ' +
      'another way by a newer version of the service.',
    remedy: 'Download the dump as it is now from the start, at `pinned_url`.',
    retry: 'no',
  },
} as const satisfies ProblemRows
