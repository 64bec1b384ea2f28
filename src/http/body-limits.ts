import { CatalogError } from '../core/errors.ts'
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

export const ORDINARY_BODY: BodyLimits = { bytesMax: MIB, valuesMax: 50_000, depthMax: 64 }
/** Lists of files and columns, and texts of views. */
export const LARGE_BODY = { bytesMax: 8 * MIB }
/** Commits of engines, which carry whole schemas and any number of updates. */
export const COMMIT_BODY = { bytesMax: 16 * MIB, valuesMax: 120_000 }

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b])
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d])

/** Throws `body-too-large` or `body-invalid`; called for each chunk, before anything is parsed. */
export function requireWithin(
  { bytesMax, valuesMax, depthMax }: BodyLimits,
  { bytes, census }: { readonly bytes: number; readonly census: BodyCensus },
): void {
  if (bytes > bytesMax)
    throw tooLarge(`a JSON body may have at most ${bytesMax} bytes`, { bytesMax })
  if (census.depth > depthMax) {
    throw new ProblemError('body-invalid', `JSON with more than ${depthMax} levels`, {
      facts: { depthMax },
    })
  }
  if (census.values > valuesMax) {
    const detail = `the JSON of this request may have at most ${valuesMax} values`
    throw tooLarge(detail, { valuesMax })
  }
}

function tooLarge(detail: string, facts: Partial<BodyLimits>): CatalogError {
  return new CatalogError('body-too-large', detail, { facts })
}

/** Counts the values and levels of a JSON text, chunk by chunk, without parsing it. */
export class BodyCensus {
  #values = 0
  #depth = 0
  #depthMax = 0
  #isInString = false
  #isEscaped = false

  /** Commas and opening brackets: at least the number of values. */
  get values(): number {
    return this.#values
  }

  /** The deepest level so far. */
  get depth(): number {
    return this.#depthMax
  }

  take(chunk: Uint8Array): void {
    let at = 0
    if (this.#isInString) at = this.#endOfString(chunk, at)
    while (at < chunk.length) {
      const byte = chunk[at] as number
      at += 1
      if (byte === QUOTE) {
        this.#isInString = true
        at = this.#endOfString(chunk, at)
      } else if (byte === COMMA) {
        this.#values += 1
      } else if (OPENING.has(byte)) {
        this.#values += 1
        this.#depth += 1
        if (this.#depth > this.#depthMax) this.#depthMax = this.#depth
      } else if (CLOSING.has(byte)) {
        this.#depth -= 1
      }
    }
  }

  /** The offset after the string, or the end of the chunk. */
  #endOfString(chunk: Uint8Array, from: number): number {
    let at = from
    while (at < chunk.length) {
      if (this.#isEscaped) {
        this.#isEscaped = false
      } else if (chunk[at] === QUOTE) {
        this.#isInString = false
        return at + 1
      } else if (chunk[at] === BACKSLASH) {
        this.#isEscaped = true
      }
      at += 1
    }
    return at
  }
}
