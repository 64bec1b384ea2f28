import { createHash } from 'node:crypto'
import { createSHA256, type IHasher } from 'hash-wasm'

/** `<layout>.<bytes hashed>.<base64 of the hasher's state>.<checksum of all before>`. */
const STATE_PATTERN = /^(sha256-wasm-1\.(\d{1,16})\.([A-Za-z0-9+/]{1,400}={0,2}))\.([0-9a-f]{16})$/
const STATE_LAYOUT = 'sha256-wasm-1'
/** hash-wasm's build mark (4), the last block (64), bytes hashed (8), the digest so far (40). */
const STATE_BYTES = 116
const LENGTH_AT = 68

/**
 * A SHA-256 whose state can be saved as text and resumed, in another process or a year later. It
 * hashes some 400 MB/s, a fifth of node:crypto, which serves for everything that does not grow.
 */
export class ContinuingDigest {
  readonly #hasher: IHasher
  #bytes: number

  private constructor(hasher: IHasher, bytes: number) {
    this.#hasher = hasher
    this.#bytes = bytes
  }

  static async start(): Promise<ContinuingDigest> {
    const hasher = await createSHA256()
    return new ContinuingDigest(hasher.init(), 0)
  }

  /** `undefined` if another build of the hasher saved the state or it is damaged: start over. */
  static async resume(state: string): Promise<ContinuingDigest | undefined> {
    const [, text, length, base64, checksum] = STATE_PATTERN.exec(state) ?? []
    if (text === undefined || length === undefined || base64 === undefined) return undefined
    if (checksum !== checksumOf(text)) return undefined
    const bytes = Number(length)
    const saved = Buffer.from(base64, 'base64')
    if (!Number.isSafeInteger(bytes) || saved.length !== STATE_BYTES) return undefined
    if (saved.readBigUInt64LE(LENGTH_AT) !== BigInt(bytes)) return undefined
    const hasher = await createSHA256()
    try {
      return new ContinuingDigest(hasher.load(saved), bytes)
    } catch {
      return undefined
    }
  }

  /** Bytes hashed so far. */
  get lengthBytes(): number {
    return this.#bytes
  }

  update(chunk: Uint8Array): this {
    this.#hasher.update(chunk)
    this.#bytes += chunk.length
    return this
  }

  /**
   * The state for `resume`. It holds up to 63 of the hashed bytes, so it is as secret as they are.
   */
  save(): string {
    const state = Buffer.from(this.#hasher.save())
    const text = `${STATE_LAYOUT}.${this.#bytes}.${state.toString('base64')}`
    return `${text}.${checksumOf(text)}`
  }

  /** 64 hexadecimal digits. The digest may be continued afterwards. */
  hex(): string {
    const state = this.#hasher.save()
    const hex = this.#hasher.digest('hex')
    this.#hasher.load(state)
    return hex
  }
}

function checksumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
