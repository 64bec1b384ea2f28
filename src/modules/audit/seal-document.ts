import { createHash, createPublicKey, sign, verify } from 'node:crypto'
import type { SealedRow } from '../../catalog/audit/audit-store.ts'
import { merkleRoot } from './merkle-root.ts'
import { fingerprintOf, type SealKey, spkiOf } from './seal-key.ts'

const FORMAT = 'moraine-audit-seal-1'
const FOLDER = '.moraine-audit'
/** Rows of one seal: 90 bytes each in its document. */
export const SEALED_ROWS_MAX = 5_000
export const SEAL_BYTES_MAX = 4 * 1024 * 1024

/** What a seal says. */
export interface SealFacts {
  /** 1 for the first, each one more than the one before. */
  readonly seal: bigint
  /** The hash of the seal before; `null` for the first. */
  readonly previous: string | null
  readonly sealedAtMs: number
  /** When its youngest row was; its own instant if it has none. */
  readonly newestMs: number
  /** Rows of seals up to and including this one are given up. */
  readonly prunedThrough: bigint
  /** In the order of positions. */
  readonly rows: readonly SealedRow[]
}

/** A seal as it is in the warehouse. */
export interface SealDocument extends SealFacts {
  /** SHA-256 of the document, in hexadecimal. */
  readonly hash: string
  /** That of the key which signed it: anybody has one of their own. */
  readonly fingerprint: string
}

/** Where all seals are. No namespace or table can be there: its name begins with a dot. */
export function sealsFolder({ warehouse }: { readonly warehouse: string }): string {
  return `${warehouse}/${FOLDER}`
}

export function sealLocation(place: { readonly warehouse: string }, seal: bigint): string {
  return `${sealsFolder(place)}/${seal}.json`
}

/** The document of a seal, signed. */
export function writeSeal(facts: SealFacts, key: SealKey): Uint8Array {
  const said = saidBy(facts, spkiOf(key.publicKey))
  const signature = sign(null, Buffer.from(JSON.stringify(said)), key.privateKey)
  return new TextEncoder().encode(textOf(said, signature))
}

/**
 * Throws, with what is wrong, unless the document is spelled as `writeSeal` does, has the root of
 * its rows, and is signed by the key that it names.
 */
export function readSeal(bytes: Uint8Array): SealDocument {
  const text = new TextDecoder().decode(bytes)
  const { facts, spki, signature } = parsed(text)
  const said = saidBy(facts, spki)
  if (textOf(said, signature) !== text) throw new Error('it is not spelled as a seal is')
  const isInOrder = facts.rows.every(
    (row, i) => i === 0 || row.position > (facts.rows[i - 1]?.position ?? 0n),
  )
  if (!isInOrder) throw new Error('its rows are out of order')
  const publicKey = createPublicKey({ key: spki, type: 'spki', format: 'der' })
  const isSigned =
    publicKey.asymmetricKeyType === 'ed25519' &&
    verify(null, Buffer.from(JSON.stringify(said)), publicKey, signature)
  if (!isSigned) throw new Error('its signature does not fit')
  return { ...facts, hash: hashOfSeal(bytes), fingerprint: fingerprintOf(spki) }
}

/** SHA-256 of the document, in hexadecimal. */
export function hashOfSeal(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** In this order, so that equal seals are equal texts. */
function saidBy(facts: SealFacts, spki: Buffer) {
  const { seal, previous, sealedAtMs, newestMs, prunedThrough, rows } = facts
  return {
    format: FORMAT,
    seal: String(seal),
    previous,
    sealed_at: new Date(sealedAtMs).toISOString(),
    newest_row_at: new Date(newestMs).toISOString(),
    pruned_through: String(prunedThrough),
    key: fingerprintOf(spki),
    public_key: spki.toString('base64'),
    root: merkleRoot(rows.map(({ position, hash }) => `${position} ${hash}`)),
    rows: rows.map(({ position, hash }) => [String(position), hash]),
  }
}

function textOf(said: ReturnType<typeof saidBy>, signature: Buffer): string {
  return `${JSON.stringify({ ...said, signature: signature.toString('base64') })}\n`
}

function parsed(text: string) {
  try {
    const json = JSON.parse(text)
    const facts: SealFacts = {
      seal: BigInt(json.seal),
      previous: json.previous,
      sealedAtMs: Date.parse(json.sealed_at),
      newestMs: Date.parse(json.newest_row_at),
      prunedThrough: BigInt(json.pruned_through),
      rows: json.rows.map(([position, hash]: string[]) => ({
        position: BigInt(position ?? ''),
        hash: String(hash),
      })),
    }
    const spki = Buffer.from(json.public_key, 'base64')
    return { facts, spki, signature: Buffer.from(json.signature, 'base64') }
  } catch (cause) {
    throw new Error('it is not the document of a seal', { cause })
  }
}
