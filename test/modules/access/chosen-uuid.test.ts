import { must } from '../../http/client.ts'
import { type KeyedService, startKeyedService } from './keyed-service.ts'

const REST = '/iceberg/v1/namespaces'
const FIELDS = [{ id: 1, name: 'a', required: false, type: 'long' }]
const SCHEMA = { type: 'struct', 'schema-id': 0, fields: FIELDS }

let service: KeyedService
beforeAll(async () => {
  service = await startKeyedService()
  for (const name of ['secret', 'sand']) {
    await must(service.admin.send('post', REST, { namespace: [name], properties: {} }))
  }
})
afterAll(() => service.close())

const creationWith = (uuid: string) => ({
  requirements: [{ type: 'assert-create' }],
  updates: [
    { action: 'assign-uuid', uuid },
    { action: 'upgrade-format-version', 'format-version': 2 },
    { action: 'add-schema', schema: SCHEMA, 'last-column-id': 1 },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
    { action: 'set-default-spec', 'spec-id': -1 },
    { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
    { action: 'set-default-sort-order', 'sort-order-id': -1 },
  ],
})

test('a table with the UUID of a view takes over no privileges on the view', async () => {
  const representations = [{ type: 'sql', sql: 'select 1', dialect: 'spark' }]
  const version = {
    ...{ 'version-id': 1, 'timestamp-ms': 1, 'schema-id': 0, summary: {} },
    ...{ 'default-namespace': ['secret'], representations },
  }
  const view = { name: 'v', schema: SCHEMA, properties: {}, 'view-version': version }
  const made = await must(service.admin.send('post', `${REST}/secret/views`, view))
  const mallory = await service.newCaller({
    '/v1/namespaces/sand': ['create'],
    '/v1/views/secret.v': ['select'],
  })
  const creation = creationWith(made.metadata['view-uuid'])
  const answer = await mallory.send('post', `${REST}/sand/tables/t`, creation)
  expect(answer.status).toBe(400)
  expect(answer.body.error.message).toContain('choose another UUID')
  expect((await mallory.send('delete', `${REST}/secret/views/v`)).status).toBe(403)
  expect((await service.admin.send('get', `${REST}/sand/tables/t`)).status).toBe(404)
})
