import { hash, randomBytes } from 'node:crypto'

const SECRET_BYTES = 32
const ID_LENGTH = 12
const ID_LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'
/** `mor_<id>_<32 random bytes in base64url><checksum>`. */
const KEY = /^mor_([a-z0-9]{12})_([A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})$/

export interface KeyText {
  readonly keyId: string
  /** SHA-256 of the whole key, in base64url. */
  readonly hash: string
}

/** A new key: `text` is shown once and kept nowhere. */
export function newKeyText(): KeyText & { readonly text: string } {
  const keyId = Array.from(randomBytes(ID_LENGTH), (byte) => ID_LETTERS[byte % ID_LETTERS.length])
  const start = `mor_${keyId.join('')}_${randomBytes(SECRET_BYTES).toString('base64url')}`
  const text = start + checksumOf(start)
  return { keyId: keyId.join(''), text, hash: sha256(text) }
}

/**
 * The id and hash of a key; `undefined` if the text is none. A mistyped or invented one is found
 * out by its checksum, without a look at anything that is kept.
 */
export function parseKeyText(text: string): KeyText | undefined {
  const [, keyId, , checksum] = KEY.exec(text) ?? []
  if (keyId === undefined || checksum === undefined) return undefined
  if (checksumOf(text.slice(0, -checksum.length)) !== checksum) return undefined
  return { keyId, hash: sha256(text) }
}

export function sha256(text: string): string {
  return hash('sha256', text, 'base64url')
}

function checksumOf(text: string): string {
  return sha256(text).slice(0, 6)
}
