import { INTERNAL_ERROR, type ProblemRows, UNAVAILABLE, UNSUPPORTED } from './problem-row.ts'

/** Failures and limits of the service itself. */
export const SERVICE_PROBLEMS = {
  internal: {
    status: 500,
    iceberg: INTERNAL_ERROR,
    title: 'Internal error',
    meaning: 'The service failed unexpectedly. The cause is in its log only.',
    remedy: 'Give the operator the `error_id`, under which the log has the cause.',
    retry: 'yes',
  },
  'metadata-corrupt': {
    status: 500,
    iceberg: INTERNAL_ERROR,
    title: 'Damaged metadata',
    meaning: 'A metadata file of the table cannot be read. Clients see `internal` instead.',
    remedy: 'The operator finds the file in the log and restores it.',
    retry: 'no',
  },
  'quota-exceeded': {
    status: 429,
    iceberg: { status: 429, type: 'TooManyRequestsException' },
    title: 'Too many queries of one caller',
    meaning:
      'The caller has as many queries running and waiting as one may have, or has read as many ' +
      'bytes by queries as one may in a day; `quota` says which. Others are not concerned.',
    remedy: 'Wait as long as Retry-After says; let fewer queries run at once, or filter them.',
    retry: 'yes',
  },
  overloaded: {
    status: 503,
    iceberg: { status: 429, type: 'TooManyRequestsException' },
    title: 'Service busy or database out of reach',
    meaning:
      'Too many requests of this kind are waiting already, the bodies of all requests together ' +
      'take all memory that they may, or the catalog database is busy, out of reach, or ' +
      'read-only for now.',
    remedy: 'Wait as long as Retry-After says, then repeat the same request.',
    retry: 'yes',
  },
  'catalog-damaged': {
    status: 503,
    iceberg: { status: 507, type: 'ServiceFailureException' },
    title: 'Catalog database damaged',
    meaning:
      'The catalog database was found damaged, or its file was moved or replaced while the ' +
      'service ran. Nothing was changed, and nothing will be until an operator has acted.',
    remedy:
      'The operator stops the service, then restores a backup of the catalog or runs ' +
      'the command `rebuild`, which sets the damaged file aside.',
    retry: 'no',
  },
  'engine-failed': {
    status: 503,
    iceberg: UNAVAILABLE,
    title: 'Conversion failed',
    meaning: 'A conversion crashed, took too long or ran out of memory. Nothing was written.',
    remedy:
      'Repeat the request. If it fails again, the operator should look in the log and may raise ' +
      '`MORAINE_ENGINE_MEMORY`.',
    retry: 'yes',
  },
  'storage-full': {
    status: 507,
    iceberg: { status: 507, type: 'ServiceFailureException' },
    title: 'Storage full',
    meaning: 'The service has no space left for its files. Nothing was changed.',
    remedy: 'Ask the operator to free some space, then repeat the request.',
    retry: 'after checking',
  },
  'storage-unavailable': {
    status: 503,
    iceberg: { status: 429, type: 'TooManyRequestsException' },
    title: 'Storage unavailable',
    meaning:
      'The store of a bucket does not respond, or is overloaded, or the folder of `EXPORT_PATH` ' +
      'is not there. Nothing was changed.',
    remedy: 'Repeat the request after the seconds of `Retry-After`.',
    retry: 'yes',
  },
  'storage-misconfigured': {
    status: 503,
    iceberg: { status: 507, type: 'ServiceFailureException' },
    title: 'Storage misconfigured',
    meaning:
      'The store of a bucket refuses the service: `fault` is `rights-missing`, `bucket-missing`, ' +
      '`credentials-refused`, `credentials-missing`, `region-missing`, `clock-skewed` or ' +
      '`not-supported`. Nothing was changed.',
    remedy: 'Ask the operator to mend what `detail` says, then repeat the request.',
    retry: 'after checking',
  },
  'warehouse-unavailable': {
    status: 503,
    iceberg: { status: 507, type: 'ServiceFailureException' },
    title: 'Warehouse unavailable',
    meaning:
      'The folder of all tables is not where it was: its disk is not mounted, or it was moved or ' +
      'replaced. Nothing was changed.',
    remedy: 'Ask the operator to bring it back, then repeat the request.',
    retry: 'after checking',
  },
  'not-implemented': {
    status: 501,
    iceberg: UNSUPPORTED,
    title: 'Not implemented',
    meaning: 'This release does not support the request.',
    remedy: 'See `detail` for what is supported instead.',
    retry: 'no',
  },
} as const satisfies ProblemRows
