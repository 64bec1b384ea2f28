import { CatalogError, type ErrorFacts } from '../core/errors.ts'
import type { JsonCensus } from '../formats/json/json-census.ts'
import { ProblemError } from '../problem/problems.ts'

const MIB = 1024 * 1024

/**
 * Bounds of a JSON body, checked while it arrives. The time that parsing takes follows the number
 * of values much more than that of bytes: measured per value, up to 1 µs.
 */
export interface BodyLimits {
  readonly bytesMax: number
  /** Items of arrays and members of objects, at all levels together. */
  readonly valuesMax: number
  /** Nesting of arrays and objects. */
  readonly depthMax: number
}

/** Length of one string as it is written: 16 MiB of escapes hold the loop for 0.1 s. */
const STRING_BYTES_MAX = 8 * MIB

export const ORDINARY_BODY: BodyLimits = { bytesMax: MIB, valuesMax: 50_000, depthMax: 64 }
/** Lists of files and columns, and texts of views. */
export const LARGE_BODY = { bytesMax: 8 * MIB }
/** Commits of engines, which carry whole schemas and any number of updates. */
export const COMMIT_BODY = { bytesMax: 16 * MIB, valuesMax: 100_000 }

/** Throws `body-too-large` or `body-invalid`; called for each chunk, before anything is parsed. */
export function requireWithin(
  { bytesMax, valuesMax, depthMax }: BodyLimits,
  { bytes, census }: { readonly bytes: number; readonly census: JsonCensus },
): void {
  if (bytes > bytesMax)
    throw tooLarge(`a JSON body may have at most ${bytesMax} bytes`, { bytesMax })
  if (census.depth > depthMax) {
    throw new ProblemError('body-invalid', `JSON with more than ${depthMax} levels`, {
      facts: { depthMax },
    })
  }
  if (census.longestString > STRING_BYTES_MAX) {
    const detail = `a string in a JSON body may have at most ${STRING_BYTES_MAX} bytes`
    throw tooLarge(detail, { stringBytesMax: STRING_BYTES_MAX })
  }
  if (census.values > valuesMax) {
    const detail =
      `the JSON of this request may have at most ${valuesMax} values (rows are sent as text/csv, ` +
      'application/x-ndjson or Parquet)'
    throw tooLarge(detail, { valuesMax })
  }
}

function tooLarge(detail: string, facts: ErrorFacts): CatalogError {
  return new CatalogError('body-too-large', detail, { facts })
}
