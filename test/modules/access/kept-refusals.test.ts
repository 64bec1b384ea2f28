import { randomUUID } from 'node:crypto'
import { ask, must } from '../../http/client.ts'
import { type KeyedService, startKeyedService } from './keyed-service.ts'

const TABLE = '/v1/tables/sky.planets'

let service: KeyedService
beforeAll(async () => {
  service = await startKeyedService()
  const { admin } = service
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(admin.send('post', '/v1/tables', { name: 'sky.planets', schema }), 201)
  const headers = { Authorization: `Bearer ${admin.key}`, 'Content-Type': 'text/csv' }
  await must(ask(service, `${TABLE}/files`, { raw: 'id\n7\n', headers }), 201)
})
afterAll(() => service.close())

test.each([
  ['a dataset', '/v1/datasets', { name: 'kept', source: { table: 'sky.planets' } }],
  ['a rename', `${TABLE}/rename`, { name: 'planets' }],
])('%s: what was hidden when it was asked for is not kept as refused', async (_, path, json) => {
  const caller = await service.newCaller()
  const headers = { Authorization: `Bearer ${caller.key}`, 'Idempotency-Key': randomUUID() }
  const send = () => ask(service, path, { json, headers })
  expect((await send()).body.type).toBe('/problems/table-not-found')
  const grant = [{ principal: caller.principal, privilege: 'own' }]
  await must(service.admin.send('post', `${TABLE}/permissions`, { grant }))
  const again = await send()
  expect(again.body.type).not.toBe('/problems/table-not-found')
})
