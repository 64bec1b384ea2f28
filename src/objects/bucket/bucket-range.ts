export type ByteRange =
  | { readonly offset: number; readonly lengthBytes: number }
  | { readonly lastBytes: number }

const TOTAL = /\/(\d+)$/

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
