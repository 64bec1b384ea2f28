import { must } from '../../http/client.ts'
import { type Caller, callerOf, type KeyedService, startKeyedService } from './keyed-service.ts'

const TABLE = '/v1/tables/sky.planets'
const DAY_MS = 86_400_000

let service: KeyedService
let admin: Caller
let aheadMs = 0

beforeAll(async () => {
  service = await startKeyedService({}, undefined, { nowMs: () => Date.now() + aheadMs })
  admin = service.admin
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(admin.send('post', '/v1/tables', { name: 'sky.planets', schema }), 201)
})
afterAll(() => service.close())

async function newKey(terms: object): Promise<Caller> {
  const { key } = await must(admin.send('post', '/v1/keys', terms), 201)
  const caller = callerOf(service, key)
  const grant = [{ principal: caller.principal, privilege: 'own' }]
  await must(admin.send('post', `${TABLE}/permissions`, { grant }))
  return caller
}

async function check({ principal }: Caller, privilege: string): Promise<boolean> {
  const query = `privilege=${privilege}&principal=${principal}`
  const { allowed, because } = await must(admin.send('get', `${TABLE}/permissions/check?${query}`))
  expect(because.length > 0).toBe(allowed)
  return allowed
}

test('a check says what requests with the key come to: its scopes, and its end', async () => {
  const reader = await newKey({ scopes: ['select'] })
  const brief = await newKey({ expires_in_days: 1 })
  const revoked = await newKey({})
  expect(await check(reader, 'select')).toBe(true)
  await must(reader.send('get', TABLE))
  expect(await check(reader, 'modify')).toBe(false)
  expect((await reader.send('post', `${TABLE}/files/truncate`, {})).status).toBe(403)
  expect([await check(brief, 'modify'), await check(revoked, 'modify')]).toEqual([true, true])
  await must(admin.send('delete', `/v1/keys/${revoked.principal.slice('key:'.length)}`))
  aheadMs = DAY_MS + 1
  expect([await check(brief, 'modify'), await check(revoked, 'describe')]).toEqual([false, false])
  const unknown = await admin.send(
    'get',
    `${TABLE}/permissions/check?privilege=select&principal=key:nothing00000`,
  )
  expect([unknown.status, unknown.body.type]).toEqual([404, '/problems/key-not-found'])
})

test('where only keys sign in, a group is no administrator to leave it to', async () => {
  const grant = [
    { principal: 'group:x', privilege: 'admin' },
    { principal: 'user:https://login.example.org~ada', privilege: 'admin' },
  ]
  await must(admin.send('post', '/v1/permissions', { grant }))
  const reader = await must(admin.send('post', '/v1/keys', { scopes: ['select'] }), 201)
  const toReader = [{ principal: reader.principal, privilege: 'admin' }]
  await must(admin.send('post', '/v1/permissions', { grant: toReader }))
  const last = await admin.send('delete', `/v1/keys/${admin.principal.slice('key:'.length)}`)
  expect([last.status, last.body.type]).toEqual([409, '/problems/last-admin'])
})
