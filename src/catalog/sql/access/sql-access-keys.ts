import type { Privilege } from '../../../core/access/privilege.ts'
import { type Administrators, CATALOG_SECURABLE } from '../../grant-store.ts'
import type { KeyRecord, KeyStore, NewKey, SigningKey } from '../../key-store.ts'
import type { MutationOptions } from '../../replay-store.ts'
import { Refusal, read, type SqlEngine, type SqlTransaction, write } from '../engine/sql-engine.ts'
import type { AccessKeyRow, SigningKeyRow } from '../engine/sql-schema.ts'
import type { RaisedEvent, RaisedEvents } from '../mutation/sql-raised-events.ts'
import { mutate } from '../mutation/sql-replays.ts'
import { keepingAdmin } from './admins.ts'
import { forgetInPolicies } from './sql-policies.ts'

export class SqlAccessKeys implements KeyStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  create(key: NewKey, options: MutationOptions = {}): Promise<void> {
    return mutate(this.#engine, options, (transaction, raised) =>
      insertKey(transaction, key, raised),
    )
  }

  async find(keyId: string): Promise<KeyRecord | undefined> {
    const row = await read(this.#engine, (connection) =>
      connection
        .selectFrom('access_keys')
        .selectAll()
        .where('key_id', '=', keyId)
        .executeTakeFirst(),
    )
    return row === undefined ? undefined : keyOf(row)
  }

  async list({ after = '', limit }: { readonly after?: string; readonly limit: number }) {
    const rows = await read(this.#engine, (connection) =>
      connection
        .selectFrom('access_keys')
        .selectAll()
        .where('key_id', '>', after)
        .orderBy('key_id')
        .limit(limit)
        .execute(),
    )
    return rows.map(keyOf)
  }

  revoke(
    revocation: Administrators & { readonly keyId: string },
    options: MutationOptions = {},
  ): Promise<'revoked' | 'not-found' | 'last-admin'> {
    return mutate(this.#engine, options, (transaction, raised) =>
      revokeKey(transaction, revocation, raised),
    )
  }

  async noteUses(uses: ReadonlyMap<string, number>): Promise<void> {
    await write(this.#engine, async (transaction) => {
      // In one order, so that replicas wait for each other and do not deadlock.
      for (const [keyId, usedAtMs] of [...uses].sort(([a], [b]) => (a < b ? -1 : 1))) {
        const used = BigInt(Math.floor(usedAtMs))
        await transaction
          .updateTable('access_keys')
          .set({ last_used_at_ms: used })
          .where('key_id', '=', keyId)
          .where((where) =>
            where.or([where('last_used_at_ms', 'is', null), where('last_used_at_ms', '<', used)]),
          )
          .execute()
      }
    })
  }

  keepSigningKey({ id, secret, createdAtMs }: SigningKey): Promise<SigningKey> {
    return write(this.#engine, async (transaction) => {
      await transaction
        .insertInto('signing_keys')
        .values({ key_id: id, secret, created_at_ms: BigInt(Math.floor(createdAtMs)) })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
      const row = await selectSigningKey(transaction, id).executeTakeFirstOrThrow()
      return signingKeyOf(row)
    })
  }

  async findSigningKey(id: string): Promise<SigningKey | undefined> {
    const row = await read(this.#engine, (connection) =>
      selectSigningKey(connection, id).executeTakeFirst(),
    )
    return row === undefined ? undefined : signingKeyOf(row)
  }

  forgetSigningKeys(beforeMs: number): Promise<number> {
    return write(this.#engine, async (transaction) => {
      const deleted = await transaction
        .deleteFrom('signing_keys')
        .where('created_at_ms', '<', BigInt(Math.ceil(beforeMs)))
        .executeTakeFirst()
      return Number(deleted.numDeletedRows)
    })
  }
}

function selectSigningKey(connection: Pick<SqlTransaction, 'selectFrom'>, id: string) {
  return connection.selectFrom('signing_keys').selectAll().where('key_id', '=', id)
}

async function insertKey(
  transaction: SqlTransaction,
  key: NewKey,
  raised: RaisedEvents,
): Promise<void> {
  const { keyId, secretHash, description, scopes, createdBy, createdAtMs, expiresAtMs } = key
  await transaction
    .insertInto('access_keys')
    .values({
      key_id: keyId,
      secret_hash: secretHash,
      description: description === null ? null : JSON.stringify(description),
      scopes: scopes === null ? null : JSON.stringify(scopes),
      created_by: createdBy,
      created_at_ms: BigInt(Math.floor(createdAtMs)),
      expires_at_ms: expiresAtMs === null ? null : BigInt(Math.floor(expiresAtMs)),
      revoked_at_ms: null,
      last_used_at_ms: null,
    })
    .execute()
  if (key.isAdmin === true) {
    const grant = { securable: CATALOG_SECURABLE, principal: `key:${keyId}` }
    await transaction
      .insertInto('grants')
      .values({ ...grant, privilege: 'admin', orphaned_at_ms: null })
      .execute()
  }
  const isAdmin = key.isAdmin === true
  raised.raise(keyChanged(keyId, { change: 'created', is_admin: isAdmin, ...termsOf(key) }))
}

/** Throws `Refusal`. */
async function revokeKey(
  transaction: SqlTransaction,
  { keyId, ...who }: Administrators & { readonly keyId: string },
  raised: RaisedEvents,
): Promise<'revoked'> {
  const row = await keepingAdmin(transaction, who, async () => {
    const updated = await transaction
      .updateTable('access_keys')
      .set({ revoked_at_ms: BigInt(Math.floor(who.nowMs)) })
      .where('key_id', '=', keyId)
      .where('revoked_at_ms', 'is', null)
      .returningAll()
      .executeTakeFirst()
    if (updated === undefined) throw new Refusal('not-found')
    return updated
  })
  await forgetInPolicies(transaction, `key:${keyId}`, raised)
  raised.raise(keyChanged(keyId, { change: 'revoked', before: termsOf(keyOf(row)) }))
  return 'revoked'
}

/** What a key may do, and until when, as events tell it. */
function termsOf({ scopes, expiresAtMs }: Pick<KeyRecord, 'scopes' | 'expiresAtMs'>) {
  const expires_at = expiresAtMs === null ? null : new Date(Math.floor(expiresAtMs)).toISOString()
  return { scopes, expires_at }
}

function keyChanged(keyId: string, data: RaisedEvent['data']): RaisedEvent {
  const subject = `key:${keyId}`
  return { type: 'moraine.key.changed.v1', subject, name: subject, version: 0, data }
}

function keyOf(row: AccessKeyRow): KeyRecord {
  return {
    keyId: row.key_id,
    secretHash: row.secret_hash,
    description: row.description === null ? null : (JSON.parse(row.description) as string),
    scopes: row.scopes === null ? null : (JSON.parse(row.scopes) as readonly Privilege[]),
    createdBy: row.created_by,
    createdAtMs: Number(row.created_at_ms),
    expiresAtMs: numberOf(row.expires_at_ms),
    revokedAtMs: numberOf(row.revoked_at_ms),
    lastUsedAtMs: numberOf(row.last_used_at_ms),
  }
}

function signingKeyOf(row: SigningKeyRow): SigningKey {
  return { id: row.key_id, secret: row.secret, createdAtMs: Number(row.created_at_ms) }
}

function numberOf(value: bigint | null): number | null {
  return value === null ? null : Number(value)
}
