/** What tells whether a data file still has the content that was read. */
export interface SourceIdentity {
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedAtMs: number
  /** Digest of the Parquet footer, in hexadecimal. */
  readonly footerSha256: string
}
