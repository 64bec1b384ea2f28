import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'

/** What signs seals. */
export interface SealKey {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** SHA-256 of the public key (SPKI, DER), in hexadecimal. */
  readonly fingerprint: string
}

/** A new private key, as PEM (PKCS #8). */
export function newSealKeyText(): string {
  const { privateKey } = generateKeyPairSync('ed25519')
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** Throws where the text is no private key of Ed25519. */
export function sealKeyOf(pem: string): SealKey {
  const privateKey = createPrivateKey(pem)
  if (privateKey.asymmetricKeyType !== 'ed25519') throw new Error('not a key of Ed25519')
  const publicKey = createPublicKey(privateKey)
  return { privateKey, publicKey, fingerprint: fingerprintOf(spkiOf(publicKey)) }
}

export function spkiOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' })
}

export function fingerprintOf(spki: Uint8Array): string {
  return createHash('sha256').update(spki).digest('hex')
}
