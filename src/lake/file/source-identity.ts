/** What tells whether a data file still has the content that was read. */
export interface SourceIdentity {
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedAtMs: number
  /** That of the store; absent where it was noted before there were versions. */
  readonly version?: string
  /** Digest of the Parquet footer, in hexadecimal. */
  readonly footerSha256: string
}

/**
 * Whether the store says that it is the same object. Another version may still have equal bytes, as
 * after a restore. What was noted without one is told by size and time: within one second a bucket
 * may have had two objects of the same size.
 */
export function isSameVersion(
  noted: Omit<SourceIdentity, 'path' | 'footerSha256'>,
  now: Omit<SourceIdentity, 'path' | 'footerSha256'>,
): boolean {
  if (noted.version !== undefined) return noted.version === now.version
  return noted.sizeBytes === now.sizeBytes && noted.modifiedAtMs === now.modifiedAtMs
}
