import { must } from '../../http/client.ts'
import { type KeyedService, startKeyedService } from './keyed-service.ts'

let service: KeyedService
beforeAll(async () => {
  service = await startKeyedService()
})
afterAll(() => service.close())

test('all that somebody has is listed to them and to administrators, with roles', async () => {
  const { admin, newCaller } = service
  for (const name of ['a.t', 'a.gone']) {
    const schema = { columns: [{ name: 'n', type: 'long' }] }
    await must(admin.send('post', '/v1/tables', { name, schema }), 201)
  }
  const ada = await newCaller({ '/v1/tables/a.t': ['modify'], '/v1/tables/a.gone': ['own'] })
  await must(admin.send('delete', '/v1/tables/a.gone'))
  await must(admin.send('post', '/v1/roles/crew/members', { add: [ada.principal] }))
  const grant = [{ principal: 'role:crew', privilege: 'select' }]
  await must(admin.send('post', '/v1/namespaces/a/permissions', { grant }))
  await must(admin.send('post', '/v1/permissions', { grant }))
  const path = `/v1/principals/${encodeURIComponent(ada.principal)}/grants`
  const all = await must(ada.send('get', path))
  expect(all.grants).toEqual([
    { privilege: 'select', on: 'catalog', name: null, through: 'role:crew' },
    { privilege: 'select', on: 'namespace', name: 'a', through: 'role:crew' },
    { privilege: 'modify', on: 'table', name: 'a.t', through: ada.principal },
  ])
  expect(await must(admin.send('get', path))).toEqual(all)
  const first = await must(admin.send('get', `${path}?page_size=2`))
  const token = encodeURIComponent(first.next_page_token)
  const second = await must(admin.send('get', `${path}?page_size=2&page_token=${token}`))
  expect([...first.grants, ...second.grants]).toEqual(all.grants)
  expect(second.next_page_token).toBeNull()
  const bob = await newCaller()
  expect((await bob.send('get', path)).status).toBe(403)
  expect((await admin.send('get', '/v1/principals/nobody/grants')).status).toBe(400)
})
