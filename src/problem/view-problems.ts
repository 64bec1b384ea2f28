import { ALREADY_EXISTS, type ProblemRows } from './problem-row.ts'

export const VIEW_PROBLEMS = {
  'view-not-found': {
    status: 404,
    iceberg: { status: 404, type: 'NoSuchViewException' },
    title: 'View not found',
    meaning: 'There is no view of this name, or it was dropped.',
    remedy: 'Check the name; GET /v1/views lists all views.',
    retry: 'no',
  },
  'view-already-exists': {
    status: 409,
    iceberg: ALREADY_EXISTS,
    title: 'View already exists',
    meaning:
      'A view or table of this name exists already. Views and tables share one set of names, ' +
      'compared without regard to case.',
    remedy: 'Choose another name, or replace the view.',
    retry: 'no',
  },
} as const satisfies ProblemRows
