import { ask, must } from '../../http/client.ts'
import { send } from '../../http/send.ts'
import { untilAudited } from '../audit/until-audited.ts'
import { type CkanStandIn, startCkanStandIn } from './ckan-stand-in.ts'
import { type KeyedService, startKeyedService } from './keyed-service.ts'

const RESOURCE = '6f1b0e9a-3c55-4bd1-9a01-0c1c53a5f101'
const SECRET = 'eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJhZGEifQ.c2lnbmF0dXJlLW9mLWFkYQ'
const SCHEMA = { columns: [{ name: 'n', type: 'long' }] }
const TABLE = '/v1/tables/sky.flights'
const REST = '/iceberg/v1/namespaces/sky/tables/flights'

let ckan: CkanStandIn
let service: KeyedService
let aheadMs = 0
beforeAll(async () => {
  ckan = await startCkanStandIn()
  service = await startKeyedService(
    { MORAINE_AUTH: 'ckan', MORAINE_CKAN_URL: `${ckan.address}/` },
    undefined,
    { nowMs: () => Date.now() + aheadMs },
  )
  const { admin } = service
  const table = { name: 'flights', namespace: 'sky', schema: SCHEMA }
  await must(admin.send('post', '/v1/tables', table), 201)
  const raw = await fetch(`${service.url}${TABLE}/files`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${admin.key}`, 'Content-Type': 'text/csv' },
    body: 'n\n7\n',
  })
  expect(raw.status).toBe(201)
  await setResource('flights', RESOURCE)
})
afterAll(async () => {
  await service.close()
  await ckan.stop()
})
beforeEach(() => {
  // What was remembered is over.
  aheadMs += 100_000
  ckan.lookUps.length = 0
  ckan.instead = undefined
  ckan.readers.clear()
})

async function setResource(name: string, id: string, status = 200): Promise<void> {
  const updates = [{ action: 'set-properties', updates: { 'moraine.ckan-resource-id': id } }]
  const json = { requirements: [], updates }
  const path = `/iceberg/v1/namespaces/sky/tables/${name}`
  const answer = await service.admin.send('post', path, json)
  expect([answer.status, answer.text]).toEqual([status, expect.any(String)])
}

const read = (path: string, headers: Record<string, string> = {}) => ask(service, path, { headers })
const dump = (headers: Record<string, string> = {}, rid = RESOURCE) =>
  send(`${service.url}/datastore/dump/${rid}?format=csv`, { headers })

test('a public resource is downloaded by anybody, by its id or the name of its table', async () => {
  ckan.readers.set(RESOURCE, 'public')
  for (const rid of [RESOURCE, 'sky.flights']) {
    const { status, text } = await dump({}, rid)
    expect([status, text]).toEqual([200, 'n\n7\n'])
  }
  expect((await read(TABLE)).status).toBe(200)
  expect((await read(REST)).status).toBe(200)
  expect(ckan.lookUps).toHaveLength(1)
  expect(ckan.lookUps[0]).toMatchObject({ action: 'resource_show', id: RESOURCE })
  expect(ckan.lookUps[0]?.headers).not.toHaveProperty('authorization')
})

test.each(['Authorization', 'X-CKAN-API-Key'])('what CKAN knows is sent as %s', async (header) => {
  ckan.readers.set(RESOURCE, [SECRET])
  expect((await dump()).status).toBe(401)
  expect((await dump({ [header]: 'somebody-else' })).status).toBe(404)
  expect((await dump({ [header]: SECRET })).text).toBe('n\n7\n')
  expect(ckan.lookUps.at(-1)?.headers[header.toLowerCase()]).toBe(SECRET)
})

test('a forged token is not who it says that it is: the whole credential counts', async () => {
  ckan.readers.set(RESOURCE, [SECRET])
  expect((await dump({ Authorization: SECRET })).status).toBe(200)
  const forged = SECRET.replace(/[^.]*$/, 'forged')
  expect((await dump({ Authorization: forged })).status).toBe(404)
  // Two headers are another credential than either.
  expect((await dump({ Authorization: SECRET, 'X-CKAN-API-Key': 'x' })).status).toBe(404)
})

test('yes is remembered for a minute, and no for ten seconds', async () => {
  ckan.readers.set(RESOURCE, [SECRET])
  const asks = async (headers: Record<string, string>, laterMs: number) => {
    aheadMs += laterMs
    const before = ckan.lookUps.length
    const { status } = await read(TABLE, headers)
    const asked = ckan.lookUps.slice(before)
    // Beside it, at most one asks what everybody sees: only who sees more is counted by name.
    expect(asked.length).toBeLessThanOrEqual(2)
    return [status, asked.filter((each) => each.headers.authorization !== undefined).length]
  }
  const ada = { Authorization: SECRET }
  const bob = { Authorization: 'bob' }
  expect(await asks(ada, 0)).toEqual([200, 1])
  expect(await asks(bob, 0)).toEqual([404, 1])
  ckan.readers.set(RESOURCE, ['bob'])
  expect(await asks(bob, 5_000)).toEqual([404, 0])
  expect(await asks(bob, 5_500)).toEqual([200, 1])
  expect(await asks(ada, 40_000)).toEqual([200, 0])
  expect(await asks(ada, 10_000)).toEqual([404, 1])
})

test.each([
  ['is broken', 500, '{"success":false}'],
  ['is busy', 429, '{"success":false}'],
  ['is behind a page', 200, '<html>Sign in</html>'],
  ['is somewhere else', 404, '<html>Not found</html>'],
  ['says nothing', 200, '{}'],
  ['contradicts itself', 403, '{"success":true}'],
])('while CKAN %s, nobody is let in, and nothing is remembered', async (_, status, body) => {
  ckan.readers.set(RESOURCE, 'public')
  ckan.instead = (response) => response.writeHead(status).end(body)
  const refused = await read(TABLE)
  expect([refused.status, refused.body.type]).toEqual([503, '/problems/ckan-unavailable'])
  expect(refused.headers.get('retry-after')).toBe('5')
  expect((await service.admin.send('get', TABLE)).status).toBe(200)
  ckan.instead = undefined
  expect((await read(TABLE)).status).toBe(200)
})

test('a redirect of CKAN gets no credential', async () => {
  const other = await startCkanStandIn()
  ckan.instead = (response) => response.writeHead(302, { Location: other.address }).end()
  expect((await read(TABLE, { Authorization: SECRET })).status).toBe(503)
  expect(other.lookUps).toEqual([])
  await other.stop()
})

test('only a key changes anything, whatever is granted to everybody', async () => {
  ckan.readers.set(RESOURCE, 'public')
  const { admin } = service
  const uploads = (await must(admin.send('get', '/v1/transactions'))).transactions.length
  const grant = ['everyone', 'anonymous'].map((principal) => ({ principal, privilege: 'own' }))
  await must(admin.send('post', `${TABLE}/permissions`, { grant }))
  for (const headers of [{}, { Authorization: SECRET }, { 'X-CKAN-API-Key': SECRET }]) {
    for (const [path, json, more] of [
      ['/v1/transactions/start', {}],
      ['/v1/transactions/start', { tables: ['sky.flights'] }],
      ['/v1/datasets', { source: { table: 'sky.flights' } }],
      ['/v1/datasets', { query: { source: { table: 'sky.flights' }, limit: 1 } }],
      ['/v1/datasets', { name: 'mine', sql: 'SELECT n FROM sky.flights' }],
      ['/data/sky.flights/records?materialise=true', {}],
      ['/v1/query', { source: { table: 'sky.flights' } }, { Prefer: 'respond-async' }],
      [`${TABLE}/metadata`, { steward: 'me' }],
      [`${TABLE}/rename`, { name: 'mine' }],
      ['/v1/tables', { name: 'sky.new', schema: SCHEMA }],
      [REST, { requirements: [], updates: [] }],
    ] as const) {
      const { status } = await ask(service, path, { json, headers: { ...headers, ...more } })
      expect([path, status]).toEqual([path, Object.keys(headers).length === 0 ? 401 : 403])
    }
  }
  const { transactions } = await must(admin.send('get', '/v1/transactions'))
  expect(transactions).toHaveLength(uploads)
  expect(await must(admin.send('get', '/v1/datasets'))).toMatchObject({ datasets: [] })
  await must(admin.send('post', `${TABLE}/permissions`, { revoke: grant }))
  const writer = await service.newCaller({ [TABLE]: ['modify'] })
  await must(writer.send('post', `${TABLE}/metadata`, { steward: 'them' }))
})

test('without a key, a result that is too large is called so, and nothing is made', async () => {
  ckan.readers.set(RESOURCE, 'public')
  const set = (updates: object) =>
    service.admin.send('post', REST, { requirements: [], updates: [updates] })
  await must(set({ action: 'set-properties', updates: { 'moraine.inline.bytes-max': '1' } }))
  const json = { source: { table: 'sky.flights' } }
  const { status, body } = await ask(service, '/v1/query', { json })
  expect([status, body.type]).toEqual([413, '/problems/result-too-large'])
  await must(set({ action: 'remove-properties', removals: ['moraine.inline.bytes-max'] }))
  expect((await ask(service, '/v1/query', { json })).status).toBe(200)
})

test('of requests without a key of this service nothing is kept', async () => {
  const headers = { Authorization: SECRET, 'Idempotency-Key': 'once' }
  for (const isolation of ['none', 'some']) {
    const { status } = await ask(service, '/v1/transactions/start', {
      json: { isolation },
      headers,
    })
    expect(status).toBe(400)
  }
})

test('without a key, few privileges are asked for at once', async () => {
  ckan.readers.set(RESOURCE, 'public')
  const check = { privilege: 'select', on: 'table', name: 'sky.flights' }
  const statusOf = async (length: number, Authorization: string) => {
    const json = { checks: new Array(length).fill(check) }
    const headers = { Authorization }
    return (await ask(service, '/v1/permissions/check', { json, headers })).status
  }
  expect(await statusOf(50, SECRET)).toBe(200)
  expect(await statusOf(51, SECRET)).toBe(400)
  const admin = `Bearer ${service.admin.key}`
  expect(await statusOf(1_000, admin)).toBe(200)
  expect(await statusOf(1_001, admin)).toBe(400)
})

test('what CKAN lets read is no way to what it was not asked for', async () => {
  ckan.readers.set(RESOURCE, 'public')
  const { admin } = service
  await must(admin.send('post', '/v1/tables', { name: 'sky.other', schema: SCHEMA }), 201)
  const headers = { Authorization: SECRET }
  expect((await read('/v1/tables/sky.other', headers)).status).toBe(404)
  expect((await read('/v1/tables/sky.none', headers)).status).toBe(404)
  expect((await read('/v1/tables?namespace=sky', headers)).status).toBe(404)
  // One without the property is the resource of its own UUID.
  const { table_id } = await must(admin.send('get', '/v1/tables/sky.other'))
  expect(ckan.lookUps.map(({ id }) => id)).toEqual([table_id])
})

test('a resource is one table, and a clone is not it', async () => {
  const { admin } = service
  await must(admin.send('post', '/v1/tables', { name: 'sky.twin', schema: SCHEMA }), 201)
  await setResource('twin', RESOURCE, 400)
  await setResource('twin', 'no id', 400)
  await setResource('twin', 'another')
  await must(admin.send('post', `${TABLE}/clone`, { name: 'copy', namespace: 'sky' }), 201)
  await must(admin.send('delete', '/v1/tables/sky.twin'))
  await setResource('copy', 'another')
})

test('who invents credentials is counted as nobody, whom CKAN lets in by name', async () => {
  ckan.readers.set(RESOURCE, 'public')
  for (let n = 0; n < 60; n++) {
    expect((await read(TABLE, { Authorization: `invented-${n}` })).status).toBe(200)
    expect((await read('/v1/tables/sky.none', { 'X-CKAN-API-Key': `key-${n}` })).status).toBe(404)
  }
  aheadMs += 100_000
  ckan.readers.set(RESOURCE, [SECRET])
  const { principal } = await must(read('/v1/me', { Authorization: SECRET }))
  expect((await read(TABLE, { Authorization: SECRET })).status).toBe(200)
  const { auditTrail, catalog } = service.deps
  await auditTrail.flush()
  const rows = await catalog.audit.list({ decisions: ['hidden'], limit: 1_000 })
  const invented = rows.filter(({ principal: who }) => who === 'anonymous')
  expect(invented.length).toBeLessThan(10)
  const [named] = await catalog.audit.list({ action: 'readTable', limit: 1 })
  expect(named).toMatchObject({ principal, decision: 'allowed' })
  await auditTrail.close()
  const names = new Set((await catalog.usage.list({ limit: 1_000 })).map((day) => day.principal))
  const users = [...names].filter((name) => name.startsWith('user:'))
  // Those of the tests before, whom CKAN let in, and none that was invented.
  expect(users).toContain(principal)
  expect(users.length).toBeLessThan(5)
})

test('whom a grant names is audited by name, also where CKAN is not asked', async () => {
  const eve = { Authorization: 'eve' }
  const { principal } = await must(read('/v1/me', eve))
  const { admin, deps } = service
  const grant = [{ principal, privilege: 'select' }]
  await must(admin.send('post', `${TABLE}/permissions`, { grant }))
  expect((await read(TABLE, eve)).status).toBe(200)
  expect((await ask(service, TABLE, { method: 'DELETE', headers: eve })).status).toBe(403)
  await must(admin.send('post', `${TABLE}/permissions`, { revoke: grant }))
  // What is granted to everybody is granted to inventions, too.
  const all = [{ principal: 'everyone', privilege: 'select' }]
  await must(admin.send('post', `${TABLE}/permissions`, { grant: all }))
  const invention = { Authorization: 'invention' }
  const { principal: invented } = await must(read('/v1/me', invention))
  for (const path of ['/v1/namespaces', TABLE]) await must(read(path, invention))
  await must(admin.send('post', `${TABLE}/permissions`, { revoke: all }))
  await untilAudited(service)
  const rows = await deps.catalog.audit.list({ limit: 20 })
  const told = rows.map(({ principal: who, action }) => [who, action])
  expect(told).toEqual(
    expect.arrayContaining([
      [principal, 'readTable'],
      [principal, 'dropTable'],
      ['anonymous', 'readTable'],
    ]),
  )
  expect(told.map(([who]) => who)).not.toContain(invented)
})

test('whom CKAN lets in is audited by name, also where it cannot say who else', async () => {
  const bert = { Authorization: 'bert' }
  const { principal } = await must(read('/v1/me', bert))
  ckan.instead = (response) => {
    const isBert = response.req.headers.authorization === 'bert'
    const result = { id: RESOURCE, name: 'flights' }
    response.writeHead(isBert ? 200 : 500).end(JSON.stringify({ success: isBert, result }))
  }
  expect((await read(TABLE, bert)).status).toBe(200)
  const { auditTrail, catalog } = service.deps
  await untilAudited(service)
  const [named] = await catalog.audit.list({ action: 'readTable', limit: 1 })
  expect(named).toMatchObject({ principal, decision: 'allowed' })
  // By name nobody is counted whom nobody vouched for.
  await auditTrail.close()
  const counted = (await catalog.usage.list({ limit: 1_000 })).map((day) => day.principal)
  expect(counted).not.toContain(principal)
})

test('whoever signs in by CKAN is not told of a key', async () => {
  ckan.readers.set(RESOURCE, [SECRET])
  const json = { name: 'moons', schema: SCHEMA }
  const headers = { Authorization: SECRET }
  const { status, body } = await ask(service, '/v1/tables', { method: 'POST', json, headers })
  expect([status, body.detail]).toEqual([
    403,
    expect.stringContaining('sends no key may only read'),
  ])
  expect(body.detail).not.toContain('your key')
})

test('a policy of the table holds for whom CKAN lets read it', async () => {
  ckan.readers.set(RESOURCE, 'public')
  const { admin } = service
  await must(admin.send('put', `${TABLE}/policy`, { row_filter: 'n > 7', except: ['group:x'] }))
  expect((await read(TABLE)).status).toBe(403)
  await must(admin.send('delete', `${TABLE}/policy`))
  expect((await read(TABLE)).status).toBe(200)
})

test('a credential is in no event, log or answer, and a key is not sent to CKAN', async () => {
  ckan.readers.set(RESOURCE, [SECRET])
  const { admin, log } = service
  const headers = { Authorization: SECRET }
  const me = await must(read('/v1/me', headers))
  expect(me).toMatchObject({ auth: 'ckan', scopes: ['select'] })
  expect(me.principal).toMatch(/^user:http:\/\/127\.0\.0\.1:\d+~[\w-]{43}$/)
  for (const [header, sent] of [
    ['Authorization', admin.key],
    ['Authorization', `Basic ${admin.key}`],
    ['X-CKAN-API-Key', admin.key],
  ] as const) {
    const refused = await read(TABLE, { [header]: sent })
    expect([refused.status, refused.body.type]).toEqual([401, '/problems/credential-invalid'])
  }
  expect(JSON.stringify([me, log])).not.toMatch(/c2lnbmF0dXJl/)
  expect(ckan.lookUps.some(({ headers }) => JSON.stringify(headers).includes('mor_'))).toBe(false)
})
