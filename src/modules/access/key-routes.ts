import { z } from 'zod'
import type { KeyRecord } from '../../catalog/key-store.ts'
import { nameOfPrincipal } from '../../http/authorizer.ts'
import { cutPage, parsePageToken } from '../../http/page-token.ts'
import { onCatalog } from '../../http/permission.ts'
import { jsonReply } from '../../http/reply.ts'
import { defineRoute, type Route } from '../../http/route.ts'
import { ProblemError } from '../../problem/problems.ts'
import {
  ACCESS_TAG,
  type AccessPlatform,
  administrators,
  lastAdmin,
  requireAccess,
} from './access-platform.ts'
import {
  CreateKeyBody,
  KeyDescription,
  KeysAnswer,
  KeysQuery,
  NewKeyAnswer,
} from './access-shapes.ts'
import { newKeyText } from './key-text.ts'

const KEYS = '/v1/keys'
const DAY_MS = 86_400_000
const Position = z.tuple([z.string()])
const COMMON = { tag: ACCESS_TAG, permission: onCatalog('admin') }
const NO_STORE = { headers: { 'Cache-Control': 'no-store' } }

/** Keys of programs. A secret is in no answer but that which makes it. */
export function keyRoutes(platform: AccessPlatform): readonly Route[] {
  return [createKey(platform), listKeys(platform), revokeKey(platform)]
}

const createKey = (platform: AccessPlatform) =>
  defineRoute(
    {
      ...{ ...COMMON, method: 'post', path: KEYS, operationId: 'createKey' },
      summary: 'Create a key',
      description:
        'It may do nothing until privileges are granted to `key:<id>`. An `Idempotency-Key` is ' +
        'ignored: the answer has a secret, and is kept nowhere.',
      body: CreateKeyBody,
      isBodyOptional: true,
      changesNothing: true,
      answers: [{ status: 201, description: 'The key, this once.', shape: NewKeyAnswer }],
      problems: ['access-off'],
      curl: `curl -X POST $MORAINE/v1/keys -H 'Content-Type: application/json' -d '{}'`,
    },
    async ({ body, keeper, principal }) => {
      const { keeper: book } = requireAccess(platform)
      const { keyId, hash, text } = newKeyText()
      const nowMs = platform.ambient.nowMs()
      const { description = null, scopes = null, expires_in_days: days } = body
      const record = {
        ...{ keyId, secretHash: hash, description, scopes },
        createdBy: nameOfPrincipal(principal),
        createdAtMs: nowMs,
        expiresAtMs: days === undefined ? null : nowMs + days * DAY_MS,
      }
      await platform.catalog.keys.create(record, keeper.withEffect({ status: 201 }))
      await book.catchUp()
      const shown = keyToJson({ ...record, revokedAtMs: null, lastUsedAtMs: null })
      return jsonReply({ ...shown, key: text }, { status: 201, ...NO_STORE })
    },
  )

const listKeys = (platform: AccessPlatform) =>
  defineRoute(
    {
      ...{ ...COMMON, method: 'get', path: KEYS, operationId: 'listKeys' },
      summary: 'List keys',
      description: 'By id, revoked ones too, without their secrets.',
      query: KeysQuery,
      answers: [{ status: 200, description: 'One page of keys.', shape: KeysAnswer }],
      problems: ['access-off', 'page-token-invalid'],
      curl: 'curl $MORAINE/v1/keys',
    },
    async ({ query: { page_token, page_size } }) => {
      requireAccess(platform)
      const [after] = page_token === undefined ? [''] : parsePageToken(page_token, Position)
      const found = await platform.catalog.keys.list({ after, limit: page_size + 1 })
      const { items, nextPageToken } = cutPage(found, page_size, ({ keyId }) => [keyId])
      return jsonReply({ keys: items.map(keyToJson), next_page_token: nextPageToken })
    },
  )

const revokeKey = (platform: AccessPlatform) =>
  defineRoute(
    {
      ...{ ...COMMON, method: 'delete', path: `${KEYS}/{key_id}`, operationId: 'revokeKey' },
      parameters: { key_id: 'Id of a key.' },
      summary: 'Revoke a key',
      description:
        'At once here, within a second on other replicas. Tokens of the key end with it.',
      changesNothing: true,
      answers: [{ status: 200, description: 'The key as it was.', shape: KeyDescription }],
      problems: ['access-off', 'key-not-found', 'last-admin'],
      curl: 'curl -X DELETE $MORAINE/v1/keys/k3v9x2m1q8z7',
    },
    async ({ param, keeper }) => {
      const { keeper: book } = requireAccess(platform)
      const keyId = param('key_id')
      const revocation = { keyId, ...administrators(platform) }
      const { keys } = platform.catalog
      const outcome = await keys.revoke(revocation, keeper.withEffect({ status: 200 }))
      if (outcome === 'last-admin') throw lastAdmin()
      const key = await keys.find(keyId)
      if (outcome === 'not-found' || key === undefined) {
        throw new ProblemError('key-not-found', 'No key that is not revoked has this id')
      }
      await book.catchUp()
      return jsonReply(keyToJson(key))
    },
  )

function keyToJson(key: KeyRecord) {
  return {
    key_id: key.keyId,
    principal: `key:${key.keyId}`,
    description: key.description,
    scopes: key.scopes,
    created_by: key.createdBy,
    created_at: timeOf(key.createdAtMs),
    expires_at: timeOf(key.expiresAtMs),
    revoked_at: timeOf(key.revokedAtMs),
    last_used_at: timeOf(key.lastUsedAtMs),
  }
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
