import type { Catalog } from '../../src/catalog/catalog.ts'
import type { NewKey } from '../../src/catalog/key-store.ts'

const CHANGED = 'moraine.key.changed.v1'

export function describeKeys(catalog: () => Catalog): void {
  const newKey = (keyId: string, overrides: Partial<NewKey> = {}): NewKey => ({
    ...{ keyId, secretHash: `hash of ${keyId}`, description: 'a\u0000b', scopes: ['select'] },
    ...{ createdBy: 'key:admin', createdAtMs: 1_000, expiresAtMs: 9_000, ...overrides },
  })

  describe('keys', () => {
    test('a key is found as it was made, and when it was used and revoked', async () => {
      const { keys } = catalog()
      const key = newKey('b00000000000')
      await keys.create(key)
      const asMade = { ...key, revokedAtMs: null, lastUsedAtMs: null }
      expect(await keys.find(key.keyId)).toEqual(asMade)
      expect(await keys.find('c00000000000')).toBeUndefined()
      await keys.noteUses(new Map([[key.keyId, 4_000]]))
      await keys.noteUses(new Map([[key.keyId, 3_000]]))
      const revocation = { keyId: key.keyId, nowMs: 5_000 }
      expect(await keys.revoke(revocation)).toBe('revoked')
      expect(await keys.revoke(revocation)).toBe('not-found')
      const after = { ...asMade, revokedAtMs: 5_000, lastUsedAtMs: 4_000 }
      expect(await keys.find(key.keyId)).toEqual(after)
      const plain = newKey('a00000000000', { scopes: null, description: null, expiresAtMs: null })
      await keys.create(plain)
      expect(await keys.list({ limit: 9 })).toEqual([
        { ...plain, revokedAtMs: null, lastUsedAtMs: null },
        after,
      ])
      expect(await keys.list({ after: 'a00000000000', limit: 1 })).toEqual([after])
    })

    test('a change of a key raises an event that does not tell its secret', async () => {
      const { keys, events, grants } = catalog()
      await keys.create(newKey('a00000000000', { isAdmin: true }))
      await keys.create(newKey('b00000000000'))
      await keys.revoke({ keyId: 'b00000000000', nowMs: 1 })
      const { events: raised } = await events.list({ after: 0n, limit: 9 })
      const terms = { scopes: ['select'], expires_at: '1970-01-01T00:00:09.000Z' }
      expect(raised.map(({ type, subject, data }) => [type, subject, data])).toEqual([
        [CHANGED, 'key:a00000000000', { change: 'created', is_admin: true, ...terms }],
        [CHANGED, 'key:b00000000000', { change: 'created', is_admin: false, ...terms }],
        [CHANGED, 'key:b00000000000', { change: 'revoked', before: terms }],
      ])
      expect(await grants.listAll()).toEqual([
        { securable: 'catalog', principal: 'key:a00000000000', privilege: 'admin' },
      ])
    })

    test('of signing keys with one id, the first is kept by all', async () => {
      const { keys } = catalog()
      const day = (secret: string) => ({ id: '2026-11-28', secret, createdAtMs: 1_000 })
      const kept = await Promise.all(['x', 'y'].map((secret) => keys.keepSigningKey(day(secret))))
      expect(kept[0]).toEqual(kept[1])
      expect(await keys.findSigningKey('2026-11-28')).toEqual(kept[0])
      expect(await keys.forgetSigningKeys(1_000)).toBe(0)
      expect(await keys.forgetSigningKeys(1_001)).toBe(1)
      expect(await keys.findSigningKey('2026-11-28')).toBeUndefined()
    })
  })
}
