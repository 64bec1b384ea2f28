export type ByteRange =
  | { readonly offset: number; readonly lengthBytes: number }
  | { readonly lastBytes: number }

const TOTAL = /\/(\d+)$/
const ENDS = /^bytes (\d+)-(\d+)\//

/** The value of `Range` (RFC 9110, section 14.2). */
export function rangeHeader(range: ByteRange): string {
  if ('lastBytes' in range) return `bytes=-${range.lastBytes}`
  return `bytes=${range.offset}-${range.offset + range.lengthBytes - 1}`
}

/** The size of the whole, as `Content-Range` tells it. */
export function totalBytes(contentRange: string | undefined): number | undefined {
  const total = TOTAL.exec(contentRange ?? '')?.[1]
  return total === undefined ? undefined : Number(total)
}

/** The bytes of an answer, as its store tells of them. */
export interface AnsweredRange {
  readonly contentRange: string | undefined
  /** The size of the whole object. */
  readonly sizeBytes: number
}

/**
 * Throws unless the answer has what was asked for: a store may send the whole object in place of a
 * range, as Google Cloud Storage does where it decompresses, and proxies do.
 */
export function requireRange(
  range: ByteRange | undefined,
  { contentRange, sizeBytes }: AnsweredRange,
): void {
  if (range === undefined && contentRange === undefined) return
  const asked = range ?? { lastBytes: sizeBytes }
  const [first, last] =
    'lastBytes' in asked
      ? [Math.max(0, sizeBytes - asked.lastBytes), sizeBytes - 1]
      : [asked.offset, Math.min(sizeBytes, asked.offset + asked.lengthBytes) - 1]
  const [, from = 0, to = sizeBytes - 1] = ENDS.exec(contentRange ?? '') ?? []
  if (Number(from) === first && Number(to) === last) return
  throw new Error('the store has sent other bytes of an object than those asked for')
}
