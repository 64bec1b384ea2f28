import { createHash } from 'node:crypto'
import { locationKey } from '../../../core/file/location-key.ts'
import { nameKey } from '../../../core/table/name-key.ts'
import { DATASETS_NAMESPACE } from '../../../core/table/reserved-namespace.ts'

const LEVEL_SEPARATOR = '\u001f'
const CODE_POINT_MAX = 0x10ffff
/** Hexadecimal digits of 16 bytes. */
const FOOTER_DIGITS = 32

/** Ordered level by level: 0x1F is below every character of a name. */
export function namespaceKey(namespace: readonly string[]): string {
  return namespace.map(nameKey).join(LEVEL_SEPARATOR)
}

/** Where the hidden tables of datasets are. */
export const DATASETS_KEY = namespaceKey(DATASETS_NAMESPACE)

/**
 * From `start` up to but not including `end` are the keys of all namespaces below the parent, at
 * any depth.
 */
export function childKeyRange(parent: readonly string[]): { start: string; end: string } {
  const start = namespaceKey(parent) + LEVEL_SEPARATOR
  return { start, end: prefixEnd(start) ?? '' }
}

/**
 * The least string above all that begin with `prefix`, in the order of code points; none for an
 * empty prefix.
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  while (points.at(-1) === CODE_POINT_MAX) points.pop()
  const last = points.pop()
  if (last === undefined) return undefined
  // Surrogates are no characters: after 0xD7FF comes 0xE000.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
}

/** The first 8 bytes of the SHA-256 of the path's key, as a signed integer. */
export function pathHash(path: string): bigint {
  return createHash('sha256').update(locationKey(path)).digest().readBigInt64BE(0)
}

/**
 * All of the SHA-256 of the path's key: paths may be longer than an index takes, and hold what a
 * database's text cannot.
 */
export function pathKey(path: string): string {
  return createHash('sha256').update(locationKey(path)).digest('base64url')
}

/** The first 16 bytes of a footer's SHA-256, which is given in hexadecimal. */
export function footerKey(sha256: string): string {
  return Buffer.from(sha256.slice(0, FOOTER_DIGITS), 'hex').toString('base64url')
}

/** The same bytes in hexadecimal. */
export function footerStart(key: string): string {
  return Buffer.from(key, 'base64url').toString('hex')
}
