import { type Json, must } from '../../http/client.ts'
import { callerOf, type KeyedService, startKeyedService } from './keyed-service.ts'

const TABLE = '/v1/tables/sky.planets'
const UNKNOWN = 'key:aaaaaaaaaaaa'

let service: KeyedService

beforeAll(async () => {
  service = await startKeyedService()
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  const table = { name: 'planets', namespace: 'sky', schema }
  await must(service.admin.send('post', '/v1/tables', table), 201)
})
afterAll(() => service.close())

test('a refusal names the scopes of a key that do not go so far', async () => {
  const { admin } = service
  const { key } = await must(admin.send('post', '/v1/keys', { scopes: ['select'] }), 201)
  const owner = await service.newCaller()
  const scoped = callerOf(service, key)
  const grant = [scoped, owner].map(({ principal }) => ({ principal, privilege: 'own' }))
  await must(admin.send('post', `${TABLE}/permissions`, { grant }))
  const { status, body } = await scoped.send('post', `${TABLE}/files/truncate`, {})
  expect([status, body.type, body.scopes]).toEqual([
    ...[403, '/problems/permission-denied', ['select']],
  ])
  expect(body.detail).toContain('scopes of your key (select)')
  // Without scopes of a key, nothing is told of any.
  await must(admin.send('post', `${TABLE}/permissions`, { revoke: grant.slice(1) }))
  const described = [{ principal: owner.principal, privilege: 'describe' }]
  await must(admin.send('post', `${TABLE}/permissions`, { grant: described }))
  const lacking = await owner.send('post', `${TABLE}/files/truncate`, {})
  expect([lacking.status, lacking.body.scopes]).toEqual([403, undefined])
  expect(lacking.body.detail).not.toContain('scopes')
})

test.each([
  ['table', '/v1/tables/sky.comets'],
  ['table', '/v1/tables/0b6f8a52-6f0f-4f0e-9a51-0c1c53a5f101'],
  ['view', '/v1/views/sky.comets'],
  ['namespace', '/v1/namespaces/sea'],
  ['export', '/v1/exports/nothing'],
])('a check of a %s that is not there says so: %s', async (on, path) => {
  const { admin } = service
  const privilege = on === 'export' ? 'export' : 'select'
  const single = await admin.send('get', `${path}/permissions/check?privilege=${privilege}`)
  expect([single.status, single.body.type]).toEqual([404, `/problems/${on}-not-found`])
  if (on === 'export') return
  const name = path.split('/').at(-1)
  const checks = [{ privilege, on, name }]
  expect((await must(admin.send('post', '/v1/permissions/check', { checks }))).checks).toEqual([
    { allowed: false, restricted: false, because: [] },
  ])
})

test('nothing is granted to a key that is not there, nor is it a member of a role', async () => {
  const { admin } = service
  const grant = [{ principal: UNKNOWN, privilege: 'select' }]
  for (const [path, body] of [
    [`${TABLE}/permissions`, { grant }],
    ['/v1/permissions', { grant }],
    ['/v1/roles/readers/members', { add: [UNKNOWN] }],
  ] as const) {
    const refused = await admin.send('post', path, body)
    expect([path, refused.status, refused.body.type]).toEqual([
      ...[path, 404, '/problems/key-not-found'],
    ])
  }
  // What an older release has granted so can be taken away.
  await must(admin.send('post', `${TABLE}/permissions`, { revoke: grant }))
  await must(admin.send('post', '/v1/roles/readers/members', { remove: [UNKNOWN] }))
})

test('an action that is none is refused by audit logs, which name those of changes', async () => {
  const { admin } = service
  for (const path of ['/v1/audit-logs', `${TABLE}/audit-logs`]) {
    const refused = await admin.send('get', `${path}?action=table.comitted`)
    expect([refused.status, refused.body.type]).toEqual([400, '/problems/request-invalid'])
    expect(refused.body.changes).toEqual(expect.arrayContaining(['table.committed']))
    for (const action of ['table.created', 'readRows', 'icebergLoadTable', 'post']) {
      await must(admin.send('get', `${path}?action=${action}`))
    }
  }
  const { audit_logs: rows } = await must(admin.send('get', '/v1/audit-logs?page_size=1000'))
  for (const action of new Set(rows.map((row: Json) => row.action))) {
    await must(admin.send('get', `/v1/audit-logs?action=${action}`))
  }
})
