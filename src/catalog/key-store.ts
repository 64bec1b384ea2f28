import type { Privilege } from '../core/access/privilege.ts'
import type { Administrators } from './grant-store.ts'
import type { MutationOptions } from './replay-store.ts'

/**
 * Keys by which programs sign in, and the keys that sign tokens. A secret is never kept, only its
 * SHA-256. Changes raise `moraine.key.changed.v1`. Its contract: test/catalog/keys.contract.ts.
 */
export interface KeyStore {
  /** `isAdmin`: grants it `admin` on the catalog in the same transaction. */
  create(key: NewKey, options?: MutationOptions): Promise<void>
  find(keyId: string): Promise<KeyRecord | undefined>
  /** By id, after `after`. */
  list(query: { readonly after?: string; readonly limit: number }): Promise<readonly KeyRecord[]>
  /**
   * No policy excepts it any longer, or trusts it. `last-admin` when nobody who can sign in would
   * have `admin` afterwards.
   */
  revoke(
    revocation: Administrators & { readonly keyId: string },
    options?: MutationOptions,
  ): Promise<'revoked' | 'not-found' | 'last-admin'>
  /** Notes when keys were last used; earlier instants than those noted are ignored. */
  noteUses(uses: ReadonlyMap<string, number>): Promise<void>
  /** Keeps this signing key unless there is one of that id; returns the one that is kept. */
  keepSigningKey(key: SigningKey): Promise<SigningKey>
  findSigningKey(id: string): Promise<SigningKey | undefined>
  forgetSigningKeys(beforeMs: number): Promise<number>
}

export interface KeyRecord {
  readonly keyId: string
  /** SHA-256 of the whole key, in base64url. */
  readonly secretHash: string
  readonly description: string | null
  /** The most that the key may do, whatever is granted; `null`: all of it. */
  readonly scopes: readonly Privilege[] | null
  readonly createdBy: string
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
  readonly revokedAtMs: number | null
  readonly lastUsedAtMs: number | null
}

export type NewKey = Omit<KeyRecord, 'revokedAtMs' | 'lastUsedAtMs'> & {
  readonly isAdmin?: boolean
}

export interface SigningKey {
  readonly id: string
  readonly secret: string
  readonly createdAtMs: number
}
