/** A range of bytes of a representation, never empty; `end` is exclusive. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export type RangeOutcome =
  /** Respond 200 with everything. */
  | { readonly outcome: 'whole' }
  /** Respond 206. */
  | { readonly outcome: 'part'; readonly range: ByteRange }
  /** Respond 416. */
  | { readonly outcome: 'unsatisfiable' }

const WHOLE: RangeOutcome = { outcome: 'whole' }
const UNSATISFIABLE: RangeOutcome = { outcome: 'unsatisfiable' }
/** Optional white space as in RFC 9110, 5.6.3; empty members of the list are allowed. */
const RANGE = /^bytes=[ \t,]*(?:(\d+)-(\d*)|-(\d+))[ \t,]*$/i
/** No header with a single range is longer; longer ones are ignored unparsed. */
const HEADER_LENGTH_MAX = 100

/**
 * Parses one range of bytes (RFC 9110, section 14). Several ranges, other units and nonsense are
 * ignored, as a server may: every client must accept a 200.
 */
export function parseRange(header: string | undefined, lengthBytes: number): RangeOutcome {
  if (header === undefined || header.length > HEADER_LENGTH_MAX) return WHOLE
  const match = RANGE.exec(header.trim())
  if (match === null) return WHOLE
  const [, first = '', last = '', suffix] = match
  if (suffix !== undefined) return suffixRange(Number(suffix), lengthBytes)
  const start = Number(first)
  const end = last === '' ? lengthBytes : Number(last) + 1
  if (last !== '' && Number(last) < start) return WHOLE
  return start < lengthBytes ? part(start, Math.min(end, lengthBytes)) : UNSATISFIABLE
}

function suffixRange(suffixBytes: number, lengthBytes: number): RangeOutcome {
  if (suffixBytes === 0 || lengthBytes === 0) return UNSATISFIABLE
  return part(Math.max(0, lengthBytes - suffixBytes), lengthBytes)
}

function part(start: number, end: number): RangeOutcome {
  return { outcome: 'part', range: { start, end } }
}

/** Content-Range of a 206, or of a 416 if there is no range. */
export function contentRange(range: ByteRange | undefined, lengthBytes: number): string {
  const place = range === undefined ? '*' : `${range.start}-${range.end - 1}`
  return `bytes ${place}/${lengthBytes}`
}
