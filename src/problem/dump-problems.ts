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
  'dump-too-large': {
    status: 507,
    iceberg: { status: 507, type: 'ServiceFailureException' },
    title: 'Dump too large',
    meaning:
      'The dump, or what is written while it is made, takes more disk than all dumps together ' +
      'may have. Nothing of it was kept.',
    remedy:
      'Ask for a compressed or a Parquet dump, or read the data files themselves; or ask the ' +
      'operator to raise `MORAINE_DUMP_BUDGET`.',
    retry: 'no',
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
