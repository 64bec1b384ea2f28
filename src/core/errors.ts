/** Kebab-case nouns of the trouble. Never renamed once released; docs/problems.md has one heading each. */
export const CATALOG_ERROR_CODES = [
  'as-at-before-first-snapshot',
  'as-at-invalid',
  'body-invalid',
  'body-too-large',
  'column-not-found',
  'column-type-unknown',
  'commit-conflict',
  'commit-state-unknown',
  'data-file-missing',
  'dump-not-ready',
  'engine-failed',
  'file-already-in-table',
  'file-changed',
  'file-corrupt',
  'file-not-found',
  'file-not-in-table',
  'file-not-parquet',
  'file-schema-mismatch',
  'file-spans-partitions',
  'filter-invalid',
  'idempotency-key-reused',
  'internal',
  'location-invalid',
  'location-not-allowed',
  'metadata-corrupt',
  'name-invalid',
  'namespace-already-exists',
  'namespace-not-empty',
  'namespace-not-found',
  'namespace-update-invalid',
  'not-acceptable',
  'not-implemented',
  'overloaded',
  'page-token-invalid',
  'partitioning-invalid',
  'permission-denied',
  'plan-not-found',
  'plan-task-not-found',
  'precondition-failed',
  'precondition-required',
  'range-not-satisfiable',
  'request-invalid',
  'route-not-found',
  'row-invalid',
  'method-not-allowed',
  'schema-change-invalid',
  'schema-change-rewrites-files',
  'schema-invalid',
  'snapshot-not-found',
  'storage-full',
  'table-already-exists',
  'table-not-found',
  'transaction-aborted',
  'transaction-committed',
  'transaction-expired',
  'transaction-not-found',
  'transaction-too-large',
  'media-type-unsupported',
  'update-invalid',
  'view-already-exists',
  'view-not-found',
] as const

export type CatalogErrorCode = (typeof CATALOG_ERROR_CODES)[number]

/** What the caller may switch on and what a person needs to act; becomes members of the problem document. */
export type ErrorFacts = Readonly<Record<string, unknown>>

/** A refusal that the caller can do something about. It knows nothing of HTTP; http/problem.ts gives the status. */
export class CatalogError extends Error {
  readonly code: CatalogErrorCode
  readonly facts: ErrorFacts

  constructor(
    code: CatalogErrorCode,
    detail: string,
    { facts = {}, cause }: { facts?: ErrorFacts; cause?: unknown } = {},
  ) {
    super(detail, cause === undefined ? undefined : { cause })
    this.name = 'CatalogError'
    this.code = code
    this.facts = facts
  }
}
