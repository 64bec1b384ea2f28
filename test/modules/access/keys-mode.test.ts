import { createHmac } from 'node:crypto'
import { jest } from '@jest/globals'
import { newKeyText } from '../../../src/modules/access/key-text.ts'
import { must } from '../../http/client.ts'
import { send } from '../../http/send.ts'
import { type Caller, callerOf, type KeyedService, startKeyedService } from './keyed-service.ts'

const COLUMNS = { columns: [{ name: 'id', type: 'long' }] }

let service: KeyedService
beforeAll(async () => {
  service = await startKeyedService()
})
afterAll(() => service.close())

let count = 0
async function newTable(by: Caller, namespace: string): Promise<string> {
  const name = `t${++count}`
  await must(by.send('post', '/v1/tables', { name, namespace, schema: COLUMNS }), 201)
  return `${namespace}.${name}`
}

const raw = (path: string, headers: Record<string, string>) =>
  send(service.url + path, { method: 'GET', headers })

test('who creates a thing owns it, shares it, and others see only what is shared', async () => {
  const ada = await service.newCaller({ '/v1': ['create'] })
  const bob = await service.newCaller()
  const mine = await newTable(ada, 'ada')
  const other = await newTable(ada, 'ada')
  expect((await bob.send('get', `/v1/tables/${mine}`)).status).toBe(404)
  const grant = [{ principal: bob.principal, privilege: 'select' }]
  await must(ada.send('post', `/v1/tables/${mine}/permissions`, { grant }))
  expect((await bob.send('get', `/v1/tables/${mine}`)).status).toBe(200)
  const listed = async (caller: Caller, path: string) =>
    JSON.stringify(await must(caller.send('get', path)))
  for (const path of ['/v1/tables?namespace=ada', '/iceberg/v1/namespaces/ada/tables']) {
    expect(await listed(bob, path)).toContain(mine.slice('ada.'.length))
    expect(await listed(bob, path)).not.toContain(other.slice('ada.'.length))
    expect(await listed(ada, path)).toContain(other.slice('ada.'.length))
  }
  expect(await must(bob.send('get', '/iceberg/v1/namespaces'))).toMatchObject({
    namespaces: [['ada']],
  })
  const namespaces = await must(bob.send('get', '/v1/namespaces'))
  expect(namespaces.namespaces).toMatchObject([{ name: 'ada' }])
  const refused = await bob.send('post', `/v1/tables/${mine}/metadata`, { steward: 'bob' })
  expect(refused.body).toMatchObject({ status: 403, privilege: 'modify', table: mine })
  const check = `/v1/tables/${mine}/permissions/check`
  const why = await must(ada.send('get', `${check}?privilege=select&principal=${bob.principal}`))
  expect(why).toEqual({
    allowed: true,
    restricted: false,
    because: [{ privilege: 'select', on: mine, through: bob.principal }],
  })
  await must(ada.send('post', `/v1/tables/${mine}/permissions`, { revoke: grant }))
  expect((await bob.send('get', `/v1/tables/${mine}`)).status).toBe(404)
})

test('what is hidden reads like what is not there', async () => {
  const hidden = await newTable(service.admin, 'secret')
  const bob = await service.newCaller()
  const shapeOf = async (caller: Caller, path: string, name: string) => {
    const { text } = await caller.send('get', path)
    return text.replaceAll(name, 'it').replace(/"instance":"[^"]*"/, '')
  }
  const [namespace, name] = hidden.split('.') as [string, string]
  for (const path of ['/v1/tables/secret.%', '/iceberg/v1/namespaces/secret/tables/%']) {
    const there = await shapeOf(bob, path.replace('%', name), name)
    expect(there).toBe(await shapeOf(bob, path.replace('%', 'nothing'), 'nothing'))
  }
  const space = await shapeOf(bob, `/v1/namespaces/${namespace}`, namespace)
  expect(space).toBe(await shapeOf(bob, '/v1/namespaces/nothing', 'nothing'))
})

test('privileges follow a renaming, and a new thing of the old name begins with none', async () => {
  const bob = await service.newCaller()
  const { admin } = service
  const table = await newTable(admin, 'moves')
  const grant = [{ principal: bob.principal, privilege: 'select' }]
  await must(admin.send('post', `/v1/tables/${table}/permissions`, { grant }))
  await must(bob.send('get', `/v1/tables/${table}`))
  await must(admin.send('post', `/v1/tables/${table}/rename`, { name: 'moves.away' }))
  await must(bob.send('get', '/v1/tables/moves.away'))
  const [namespace, name] = table.split('.')
  await must(admin.send('post', '/v1/tables', { name, namespace, schema: COLUMNS }), 201)
  expect((await bob.send('get', `/v1/tables/${table}`)).status).toBe(404)
  await must(admin.send('delete', '/v1/tables/moves.away'))
  expect((await bob.send('get', '/v1/tables/moves.away')).status).toBe(404)
})

test('a role gives its members what it has, and nothing once dropped and made again', async () => {
  const { admin } = service
  const bob = await service.newCaller()
  const table = await newTable(admin, 'roles')
  const members = { add: [bob.principal] }
  await must(admin.send('post', '/v1/roles/readers/members', members))
  const grant = [{ principal: 'role:readers', privilege: 'select' }]
  await must(admin.send('post', '/v1/namespaces/roles/permissions', { grant }))
  await must(bob.send('get', `/v1/tables/${table}`))
  expect((await must(bob.send('get', '/v1/me'))).principals).toContain('role:readers')
  await must(admin.send('delete', '/v1/roles/readers'))
  expect((await bob.send('get', `/v1/tables/${table}`)).status).toBe(404)
  await must(admin.send('post', '/v1/roles/readers/members', members))
  expect((await bob.send('get', `/v1/tables/${table}`)).status).toBe(404)
})

test('a key does no more than its scopes, and nothing once it is revoked', async () => {
  const { admin } = service
  const { key, key_id } = await must(admin.send('post', '/v1/keys', { scopes: ['select'] }), 201)
  const caller = callerOf(service, key)
  const grant = [{ principal: caller.principal, privilege: 'own' }]
  const table = await newTable(admin, 'scopes')
  await must(admin.send('post', `/v1/tables/${table}/permissions`, { grant }))
  await must(caller.send('get', `/v1/tables/${table}`))
  expect((await caller.send('delete', `/v1/tables/${table}`)).status).toBe(403)
  await must(admin.send('delete', `/v1/keys/${key_id}`))
  const refused = await caller.send('get', `/v1/tables/${table}`)
  expect([refused.status, refused.body?.type]).toEqual([401, '/problems/credential-invalid'])
})

test('one may not grant what one does not have, and the last administrator stays', async () => {
  const { admin } = service
  const table = await newTable(admin, 'grants')
  const bob = await service.newCaller({ [`/v1/tables/${table}`]: ['manage_grants'] })
  const grant = [{ principal: bob.principal, privilege: 'own' }]
  const path = `/v1/tables/${table}/permissions`
  expect((await bob.send('post', path, { grant })).body).toMatchObject({ privilege: 'own' })
  const revoke = [{ principal: admin.principal, privilege: 'admin' }]
  const last = await admin.send('post', '/v1/permissions', { revoke })
  expect([last.status, last.body?.type]).toEqual([409, '/problems/last-admin'])
})

test('an answer kept for one principal is not for another with the same key', async () => {
  const ada = await service.newCaller({ '/v1': ['create'] })
  const bob = await service.newCaller({ '/v1': ['create'] })
  const create = (caller: Caller) =>
    send(`${service.url}/v1/namespaces`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'Idempotency-Key': 'one key for two',
        Authorization: `Bearer ${caller.key}`,
      },
      body: JSON.stringify({ name: 'shared_key' }),
    })
  expect((await create(ada)).status).toBe(201)
  expect((await create(ada)).status).toBe(201)
  expect((await create(bob)).status).toBe(409)
})

test('a transaction is of who started it', async () => {
  const { admin } = service
  const [ada, bob] = [await service.newCaller(), await service.newCaller()]
  const { transaction_id } = await must(ada.send('post', '/v1/transactions/start', {}), 201)
  const abort = (caller: Caller) =>
    caller.send('post', '/v1/transactions/abort', { transaction_id })
  expect((await bob.send('get', `/v1/transactions/${transaction_id}`)).status).toBe(404)
  expect((await abort(bob)).status).toBe(404)
  expect((await admin.send('get', `/v1/transactions/${transaction_id}`)).status).toBe(200)
  expect((await abort(ada)).status).toBe(200)
})

test('a key in a URL is refused, and in no line of the log', async () => {
  const { admin, log } = service
  const encoded = admin.key.replaceAll('_', '%5F')
  const { status, text } = await raw(`/v1/tables?page_token=${admin.key}`, {})
  expect([status, text]).toEqual([400, expect.stringContaining('credential-in-url')])
  expect((await raw(`/v1/tables?page_token=${encoded}`, {})).status).toBe(400)
  await must(admin.send('get', '/v1/me'))
  const secret = admin.key.slice('mor_'.length + 13)
  expect(JSON.stringify(log)).not.toContain(secret)
  expect(text).not.toContain(secret)
})

test('secrets are in no event, metric, list, problem or line of the log', async () => {
  const { admin, log } = service
  const { key } = await must(admin.send('post', '/v1/keys', { description: 'known' }), 201)
  const secret = key.slice('mor_'.length + 13)
  const bad = `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`
  const refused = await raw('/v1/me', { Authorization: `Bearer ${bad}` })
  expect(refused.status).toBe(401)
  const texts = [refused.text, JSON.stringify(log)]
  for (const path of ['/v1/events', '/metrics', '/v1/keys', '/v1/permissions', '/v1/roles']) {
    texts.push((await admin.send('get', path)).text)
  }
  for (const text of texts) expect(text).not.toContain(secret.slice(0, 30))
})

const MANY = 10_000

/** The codes by which many attempts are refused: an expectation of each costs more than it. */
async function refusalsOf(attempt: (n: number) => unknown): Promise<readonly unknown[]> {
  const codes = new Set<unknown>()
  for (let n = 0; n < MANY; n++) {
    try {
      codes.add(await attempt(n))
    } catch (error) {
      codes.add((error as { readonly code?: unknown }).code)
    }
  }
  return [...codes]
}

/** What the keys of the catalog are asked from here on. */
function spyOnKeys(): () => readonly unknown[] {
  const { keys } = service.deps.catalog
  const names = ['find', 'list', 'keepSigningKey', 'findSigningKey'] as const
  const spies = names.map((name) => jest.spyOn(keys, name).mockClear())
  return () => spies.flatMap(({ mock }) => mock.calls as readonly unknown[])
}

test('ten thousand bad credentials look nothing up and leave nothing behind', async () => {
  const { access } = service.deps
  const request = (authorization: string) =>
    ({ url: '/v1/me', headers: { authorization }, socket: { remoteAddress: '127.0.0.1' } }) as never
  const lookUps = spyOnKeys()
  const refusals = await refusalsOf((n) => {
    const text = `mor_${String(n).padStart(12, 'a')}_${'x'.repeat(49)}`
    return access?.authenticator.authenticate(request(`Bearer ${text}`))
  })
  expect(refusals).toEqual(['credential-invalid'])
  expect(lookUps()).toEqual([])
  expect(access?.authenticator.takeUses().size).toBeLessThan(50)
})

/** How a token of the service begins, for this key. */
function tokenFor(keyId: string, kid: string, alg = 'HS256'): string {
  const exp = Math.floor(Date.now() / 1_000) + 900
  const claims = { iss: 'moraine', aud: 'moraine', sub: keyId, exp }
  return [{ alg, kid }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
}

test('ten thousand forged tokens look up one signing key a day, and leave nothing', async () => {
  const { deps, admin } = service
  const { authenticator } = deps.access as NonNullable<typeof deps.access>
  const lookUps = spyOnKeys()
  const days = [-1, 0, 1, 2].map((day) => {
    return new Date(Date.now() + day * 86_400_000).toISOString().slice(0, 10)
  })
  const kids = [...days, '1970-01-01', 'none', '../../secret', '']
  const [, keyId = ''] = admin.key.split('_')
  const remembered = authenticator.rememberedCount
  authenticator.takeUses()
  const refusals = await refusalsOf((n) => {
    const signed = tokenFor(keyId, kids[n % kids.length] ?? '', n % 9 === 0 ? 'none' : 'HS256')
    const signature = createHmac('sha256', `guess ${n}`).update(signed).digest('base64url')
    const headers = { authorization: `Bearer ${signed}.${signature}` }
    const request = { url: '/v1/me', headers, socket: { remoteAddress: '127.0.0.1' } }
    return authenticator.authenticate(request as never)
  })
  expect(refusals).toEqual(['credential-invalid'])
  // Yesterday's and today's, and tomorrow's near midnight.
  expect(lookUps().length).toBeLessThanOrEqual(3)
  expect(authenticator.rememberedCount).toBe(remembered)
  expect(authenticator.takeUses().size).toBe(0)
})

test('ten thousand bad client credentials look nothing up and leave nothing behind', async () => {
  const { deps, admin } = service
  const { access } = deps
  const [, keyId = ''] = admin.key.split('_')
  access?.authenticator.takeUses()
  const lookUps = spyOnKeys()
  const post = async (form: Readonly<Record<string, string>>) => {
    const body = new URLSearchParams({ grant_type: 'client_credentials', ...form }).toString()
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const path = `${service.url}/iceberg/v1/oauth/tokens`
    return send(path, { method: 'POST', headers, body })
  }
  // Of the right form and of nobody, of another than it says, and of no form.
  const badly = (n: number) => {
    const other = newKeyText()
    if (n % 3 === 0) return { id: other.keyId, secret: other.text }
    return { id: keyId, secret: n % 3 === 1 ? other.text : `${n}`.padStart(49, 'x') }
  }
  // Over HTTP some of them, since a request costs more than all that it does.
  for (let n = 0; n < 200; n++) {
    const { id, secret } = badly(n)
    const { status, text } = await post({ client_id: id, client_secret: secret })
    expect([status, JSON.parse(text).error]).toEqual([401, 'invalid_client'])
  }
  const request = { headers: {}, socket: { remoteAddress: '127.0.0.1' } } as never
  const refusals = await refusalsOf((n) => access?.tokenFor(request, badly(n)))
  expect(refusals).toEqual(['credential-invalid'])
  expect(lookUps()).toEqual([])
  expect(access?.authenticator.takeUses().size).toBe(0)
})

test('a key over plain HTTP from another machine is refused', () => {
  const authenticator = service.deps.access?.authenticator
  const from = (remoteAddress: string, headers: object = {}) =>
    authenticator?.requirePrivate({ headers, socket: { remoteAddress } } as never)
  expect(() => from('127.0.0.1')).not.toThrow()
  expect(() => from('::1')).not.toThrow()
  expect(() => from('192.0.2.7')).toThrow(/plain HTTP/)
  expect(() => from('192.0.2.7', { 'x-forwarded-proto': 'https' })).toThrow(/plain HTTP/)
})
