import { parseHex } from '../core/value/bytes-text.ts'

/**
 * Content-Disposition that saves under `fileName`: in ASCII for old clients, and exactly (RFC 6266,
 * 8187). In both, characters that are unsafe in a shell, a path or a header become `_`.
 */
export function contentDisposition(fileName: string): string {
  const safe = fileName.replace(HALF_PAIR, '\ufffd').replace(UNSAFE, '_')
  const ascii = safe.replace(/[^ -~]/gu, '_').replace(/["%]/g, '_')
  return `attachment; filename="${ascii}"; filename*=UTF-8''${extendedValue(safe)}`
}

const HALF_PAIR = /\p{Cs}/gu
/** Control characters, path separators, and marks that change the direction of text. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069/\\]/gu

/** Characters that `encodeURIComponent` keeps but that are not `attr-char` of RFC 8187. */
function extendedValue(text: string): string {
  return encodeURIComponent(text).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** Repr-Digest of a whole representation (RFC 9530): the same on 200, 206 and HEAD. */
export function reprDigest(sha256Hex: string): string {
  const bytes = parseHex(sha256Hex)
  if (bytes?.length !== 32) throw new RangeError(`${sha256Hex} is not a SHA-256`)
  return `sha-256=:${Buffer.from(bytes).toString('base64')}:`
}
