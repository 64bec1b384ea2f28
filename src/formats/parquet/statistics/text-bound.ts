import { compareBytes } from '../../../core/value/value.ts'
import { asciiText } from '../footer/ascii-text.ts'

/**
 * Length of bounds in code points, or bytes for binary: Iceberg's default metrics mode,
 * `truncate(16)`.
 */
export const TRUNCATED_LENGTH = 16
const CODE_POINT_MAX = 0x10ffff
const ENCODER = new TextEncoder()
// A byte order mark is part of the value.
const DECODER = new TextDecoder('utf-8', { ignoreBOM: true })
const STRICT_DECODER = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

/**
 * A string at or below every string whose UTF-8 is at or above `bytes`: at most 16 code points. A
 * writer may have truncated `bytes` within a character, whose rest is dropped.
 */
export function lowerTextBound(bytes: Uint8Array): string {
  return validPrefix(bytes).text
}

/**
 * A string at or above every string whose UTF-8 is at or below `bytes`; `undefined` if there is
 * none.
 */
export function upperTextBound(bytes: Uint8Array): string | undefined {
  const { text, isWhole } = validPrefix(bytes)
  return isWhole ? text : incremented(text)
}

/** The string itself; `undefined` where the bytes are not UTF-8, or end within a character. */
export function wholeText(bytes: Uint8Array): string | undefined {
  try {
    return asciiText(bytes) ?? STRICT_DECODER.decode(bytes)
  } catch {
    return undefined
  }
}

/** The first 16 code points, or those before the first byte that is not UTF-8. */
function validPrefix(bytes: Uint8Array): { text: string; isWhole: boolean } {
  const ascii = asciiText(bytes.subarray(0, TRUNCATED_LENGTH))
  if (ascii !== undefined) return { text: ascii, isWhole: ascii.length === bytes.length }
  // No code point takes more than four bytes; one truncated here is beyond the 16th.
  const head = bytes.subarray(0, 4 * TRUNCATED_LENGTH)
  const decoded = DECODER.decode(head)
  const codePoints = [...decoded].slice(0, TRUNCATED_LENGTH)
  let text = codePoints.join('')
  let encoded = ENCODER.encode(text)
  // Invalid UTF-8 became U+FFFD, which does not encode to the same bytes.
  while (compareBytes(encoded, bytes.subarray(0, encoded.length)) !== 0) {
    codePoints.pop()
    text = codePoints.join('')
    encoded = ENCODER.encode(text)
  }
  return { text, isWhole: encoded.length === bytes.length }
}

/**
 * The least string above all that start with `text`: `ab` becomes `ac`. A final U+10FFFF is dropped
 * first.
 */
function incremented(text: string): string | undefined {
  const codePoints = [...text].map((character) => character.codePointAt(0) ?? 0)
  for (let i = codePoints.length - 1; i >= 0; i--) {
    const codePoint = codePoints[i] as number
    if (codePoint === CODE_POINT_MAX) continue
    // Surrogates are not code points.
    const next = codePoint === 0xd7ff ? 0xe000 : codePoint + 1
    return String.fromCodePoint(...codePoints.slice(0, i), next)
  }
  return undefined
}

export function lowerBinaryBound(bytes: Uint8Array): Uint8Array {
  return bytes.slice(0, TRUNCATED_LENGTH)
}

export function upperBinaryBound(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length <= TRUNCATED_LENGTH) return bytes.slice()
  for (let i = TRUNCATED_LENGTH - 1; i >= 0; i--) {
    const byte = bytes[i] as number
    if (byte === 0xff) continue
    const bound = bytes.slice(0, i + 1)
    bound[i] = byte + 1
    return bound
  }
  return undefined
}

/** A writer may have truncated a fixed value, so the bound is padded to its length. */
export function fixedBound(
  bytes: Uint8Array,
  { length, side }: { length: number; side: 'lower' | 'upper' },
): Uint8Array | undefined {
  if (bytes.length > length) return undefined
  const bound = new Uint8Array(length).fill(side === 'lower' ? 0 : 0xff)
  bound.set(bytes)
  return bound
}
