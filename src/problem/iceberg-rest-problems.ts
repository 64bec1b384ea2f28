import { ALREADY_EXISTS, BAD_REQUEST, type ProblemRows, UNPROCESSABLE } from './problem-row.ts'

/** Namespaces, metadata updates and scan planning. */
export const ICEBERG_REST_PROBLEMS = {
  'namespace-not-found': {
    status: 404,
    iceberg: { status: 404, type: 'NoSuchNamespaceException' },
    title: 'Namespace not found',
    meaning: 'There is no namespace of this name, or it was dropped.',
    remedy: 'Create it first: POST /iceberg/v1/namespaces.',
    retry: 'no',
  },
  'namespace-already-exists': {
    status: 409,
    iceberg: ALREADY_EXISTS,
    title: 'Namespace already exists',
    meaning: 'A namespace of this name exists already; names are compared without regard to case.',
    remedy: 'Choose another name, or use the existing namespace.',
    retry: 'no',
  },
  'namespace-not-empty': {
    status: 409,
    iceberg: { status: 409, type: 'NamespaceNotEmptyException' },
    title: 'Namespace not empty',
    meaning: 'The namespace contains a table, a view or another namespace.',
    remedy: 'Drop or move its contents first.',
    retry: 'after checking',
  },
  'namespace-update-invalid': {
    status: 422,
    iceberg: UNPROCESSABLE,
    title: 'Property both set and removed',
    meaning: 'The request both sets and removes the same property of a namespace.',
    remedy: 'Leave the property out of `updates` or out of `removals`.',
    retry: 'no',
  },
  'update-invalid': {
    status: 400,
    iceberg: BAD_REQUEST,
    title: 'Invalid metadata update',
    meaning: 'A metadata update or requirement of an Iceberg commit does not fit the table.',
    remedy: 'Correct the update that `action` and `index` name.',
    retry: 'no',
  },
  'plan-not-found': {
    status: 404,
    iceberg: { status: 404, type: 'NoSuchPlanIdException' },
    title: 'Plan not found',
    meaning: 'This table has no plan of this id, or the snapshot it covers is gone.',
    remedy: 'Plan the scan again.',
    retry: 'no',
  },
  'plan-task-not-found': {
    status: 404,
    iceberg: { status: 404, type: 'NoSuchPlanTaskException' },
    title: 'Plan task not found',
    meaning: 'No plan of this table has this task, or the snapshot it covers is gone.',
    remedy: 'Plan the scan again.',
    retry: 'no',
  },
  'signature-refused': {
    status: 403,
    iceberg: { status: 403, type: 'ForbiddenException' },
    title: 'Request to the store not signed',
    meaning:
      'An engine asked for the signature of a request that is none of its own on files of the ' +
      'table, or the service signs none: MORAINE_VEND is off, or the table is not in S3.',
    remedy: 'Stay below the location of the table; `detail` says what was wrong.',
    retry: 'no',
  },
} as const satisfies ProblemRows
