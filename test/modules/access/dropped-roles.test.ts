import { join } from 'node:path'
import { type Json, must } from '../../http/client.ts'
import { writeParquet } from '../../parquet-files.ts'
import { untilAudited } from '../audit/until-audited.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const TABLE = '/v1/tables/air.flights'
const POLICY = `${TABLE}/policy`

let service: KeyedService
let admin: Caller
let tableId: string

beforeAll(async () => {
  service = await startKeyedService()
  admin = service.admin
  const path = await writeParquet(
    join(service.dataFolder, 'flights.parquet'),
    'SELECT i AS id FROM range(5) t(i)',
  )
  const table = { name: 'air.flights', infer_from: path }
  tableId = (await must(admin.send('post', '/v1/tables', table), 201)).table_id
  await must(admin.send('post', `${TABLE}/files`, { files: [{ path }] }))
})
afterAll(() => service.close())

const putInto = (role: string, ...members: readonly Caller[]) =>
  must(
    admin.send('post', `/v1/roles/${role}/members`, {
      add: members.map(({ principal }) => principal),
    }),
  )

async function rowsOf(caller: Caller): Promise<number> {
  return (await must(caller.send('get', `${TABLE}/rows`))).rows.length
}

test('a policy excepts and trusts no later role that has the name of a dropped one', async () => {
  const [ada, eve] = [await service.newCaller(), await service.newCaller({ [TABLE]: ['select'] })]
  await putInto('staff', ada)
  await putInto('engines', ada)
  const policy = { row_filter: 'id > 3', except: ['role:staff'], trusted_engines: ['role:engines'] }
  await must(admin.send('put', POLICY, policy))
  await must(admin.send('delete', '/v1/roles/staff'))
  await must(admin.send('delete', '/v1/roles/engines'))
  await putInto('staff', eve)
  await putInto('engines', eve)
  expect(await rowsOf(eve)).toBe(1)
  const load = await eve.send('get', '/iceberg/v1/namespaces/air/tables/flights')
  expect(load.status).toBe(403)
  expect(await must(admin.send('get', POLICY))).toEqual({
    ...{ row_filter: 'id > 3', columns: [], except: [], trusted_engines: [] },
  })
})

test('a key that is revoked is in no policy any longer, and cannot be named again', async () => {
  const ada = await service.newCaller()
  const except = [ada.principal]
  await must(admin.send('put', POLICY, { row_filter: 'id > 3', except }))
  await must(admin.send('delete', `/v1/keys/${ada.principal.slice('key:'.length)}`))
  expect((await must(admin.send('get', POLICY))).except).toEqual([])
  const again = await admin.send('put', POLICY, { row_filter: 'id > 3', except })
  expect([again.status, again.body.type]).toEqual([404, '/problems/key-not-found'])
})

const MISTYPED = [
  ['role:stuff', 404, '/problems/role-not-found'],
  ['key:nothing00000', 404, '/problems/key-not-found'],
  ['rolle:staff', 400, '/problems/request-invalid'],
  ['key:short', 400, '/problems/request-invalid'],
] as const

test.each(MISTYPED)('%s is refused by name, wherever something is given', async (name, ...told) => {
  await must(admin.send('delete', POLICY))
  const grant = [{ principal: name, privilege: 'select' }]
  for (const [method, path, body] of [
    ['put', POLICY, { except: [name] }],
    ['put', POLICY, { trusted_engines: [name] }],
    ['post', `${TABLE}/permissions`, { grant }],
    ['post', '/v1/roles/some/members', { add: [name] }],
  ] as const) {
    const { status, body: problem, text } = await admin.send(method, path, body)
    expect([path, status, problem.type]).toEqual([path, ...told])
    expect(text).toContain(told[0] === 404 ? name.slice(name.indexOf(':') + 1) : 'is no principal')
  }
})

test('whoever tries which roles and keys there are has a row in the audit each time', async () => {
  const eve = await service.newCaller({ [TABLE]: ['own'] })
  const grant = [{ principal: 'role:stuff', privilege: 'select' }]
  const check = 'check?privilege=select&principal=key:nothing00000'
  for (const [method, path, body] of [
    ['put', POLICY, { except: ['role:stuff'] }],
    ['post', `${TABLE}/permissions`, { grant }],
    ['get', `${TABLE}/permissions/${check}`, undefined],
  ] as const) {
    expect((await eve.send(method, path, body)).status).toBe(404)
  }
  await untilAudited(service)
  const logs = `/v1/audit-logs?principal=${eve.principal}&decision=hidden`
  const { audit_logs: tried } = await must(admin.send('get', logs))
  expect(tried.map(({ action, target, status }: Json) => [action, target.id, status])).toEqual([
    ['checkTablePermission', tableId, 404],
    ['changeTablePermissions', tableId, 404],
    ['setTablePolicy', tableId, 404],
  ])
})

test('users and groups of a provider are not known, and taken as they are', async () => {
  const except = ['group:pilots', 'user:https://login.example.org~ada']
  await must(admin.send('put', POLICY, { row_filter: 'id > 3', except }))
  expect((await must(admin.send('get', POLICY))).except).toEqual(except)
})

test('the audit tells what policies, grants, roles and keys were, and what they are', async () => {
  const ada = await service.newCaller()
  // Nobody for whom a policy holds can grant what it withholds.
  await putInto('crew', ada, admin)
  const policy = {
    row_filter: 'id > 1',
    columns: [{ column: 'id', action: 'replace-with-null' }],
    except: ['role:crew'],
    trusted_engines: ['role:crew'],
  }
  await must(admin.send('put', POLICY, policy))
  const narrower = { ...policy, row_filter: 'id > 2', trusted_engines: [] }
  await must(admin.send('put', POLICY, narrower))
  const to = (privilege: string) => [{ principal: 'role:crew', privilege }]
  await must(admin.send('post', `${TABLE}/permissions`, { grant: to('select') }))
  const change = { grant: to('modify'), revoke: to('select') }
  await must(admin.send('post', `${TABLE}/permissions`, change))
  const terms = { scopes: ['select'], expires_in_days: 1 }
  const { key_id, key, expires_at } = await must(admin.send('post', '/v1/keys', terms), 201)
  await must(admin.send('delete', `/v1/keys/${key_id}`))
  await must(admin.send('delete', '/v1/roles/crew'))
  await untilAudited(service)
  const logs = async (query: string) =>
    (await must(admin.send('get', `/v1/audit-logs?${query}`))).audit_logs
  const ofTable = await logs(`action=permissions.changed&subject=${tableId}&page_size=5`)
  expect(ofTable).toMatchObject([
    {
      before: { policy: narrower },
      after: { policy: { ...narrower, except: [] } },
    },
    { before: { grants: to('select') }, after: { granted: to('modify'), revoked: to('select') } },
    { before: { grants: [] }, after: { granted: to('select') } },
    { before: { policy }, after: { policy: narrower } },
    { after: { policy } },
  ])
  expect(await logs(`subject=key:${key_id}`)).toMatchObject([
    { before: { scopes: ['select'], expires_at }, after: { change: 'revoked' } },
    { before: null, after: { change: 'created', scopes: ['select'], expires_at } },
  ])
  const crew = [ada.principal, admin.principal]
  const grants = [{ securable: tableId, privilege: 'modify' }]
  expect(await logs('subject=role:crew')).toMatchObject([
    { before: { members: expect.arrayContaining(crew), grants }, after: { dropped: true } },
    { before: { members: [] }, after: { added: crew } },
  ])
  expect(JSON.stringify(await logs('page_size=1000'))).not.toContain(key.slice(20))
})
