/**
 * Problem codes that core, formats, lake and the adapters throw: kebab-case nouns for what is
 * wrong. Never renamed once released. `src/problem/` has a row for each, and the codes of modules
 * and HTTP.
 */
export const CATALOG_ERROR_CODES = [
  'as-at-before-first-snapshot',
  'as-at-invalid',
  'body-too-large',
  'catalog-damaged',
  'column-type-unknown',
  'commit-conflict',
  'commit-state-unknown',
  'data-file-changed',
  'data-file-missing',
  'dataset-immutable',
  'definition-too-large',
  'engine-failed',
  'export-count-mismatch',
  'export-task-invalid',
  'file-already-in-table',
  'file-being-deleted',
  'file-changed',
  'file-corrupt',
  'file-not-found',
  'file-not-in-table',
  'file-not-parquet',
  'file-schema-mismatch',
  'file-spans-partitions',
  'file-unsupported',
  'filter-invalid',
  'idempotency-key-in-use',
  'job-not-found',
  'location-invalid',
  'location-not-allowed',
  'location-taken',
  'metadata-corrupt',
  'name-invalid',
  'namespace-not-found',
  'not-implemented',
  'overloaded',
  'partitioning-invalid',
  'query-invalid',
  'request-invalid',
  'resource-taken',
  'result-too-large',
  'row-invalid',
  'schema-change-invalid',
  'schema-change-rewrites-files',
  'schema-invalid',
  'signature-refused',
  'snapshot-not-found',
  'source-refused',
  'source-unavailable',
  'storage-full',
  'storage-misconfigured',
  'storage-unavailable',
  'table-already-exists',
  'table-not-found',
  'table-property-invalid',
  'transaction-aborted',
  'transaction-committed',
  'transaction-expired',
  'transaction-not-found',
  'transaction-too-large',
  'update-invalid',
  'warehouse-unavailable',
] as const

export type CatalogErrorCode = (typeof CATALOG_ERROR_CODES)[number]

/**
 * Further members of the problem document: what a program may switch on and a person needs to act.
 */
export type ErrorFacts = Readonly<Record<string, unknown>>

/** A refusal that the caller can do something about. It knows nothing of HTTP. */
export class CodedError<Code extends string> extends Error {
  readonly code: Code
  readonly facts: ErrorFacts

  constructor(
    code: Code,
    detail: string,
    { facts = {}, cause }: { facts?: ErrorFacts; cause?: unknown } = {},
  ) {
    super(detail, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    this.facts = facts
  }
}

/** A refusal by core, formats, lake or an adapter. */
export class CatalogError extends CodedError<CatalogErrorCode> {}
