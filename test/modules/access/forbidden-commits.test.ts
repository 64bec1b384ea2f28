import { type Answer, ask, must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const SCHEMA = { columns: [{ name: 'id', type: 'long' }] }

let service: KeyedService
let ada: Caller

beforeAll(async () => {
  service = await startKeyedService()
  const { admin } = service
  for (const name of ['sky.mine', 'sky.other']) {
    await must(admin.send('post', '/v1/tables', { name, schema: SCHEMA }), 201)
  }
  ada = await service.newCaller({
    '/v1/tables/sky.mine': ['modify'],
    '/v1/tables/sky.other': ['modify'],
  })
})
afterAll(() => service.close())

const change = (how: 'grant' | 'revoke', privilege: string) =>
  must(
    service.admin.send('post', '/v1/tables/sky.other/permissions', {
      [how]: [{ principal: ada.principal, privilege }],
    }),
  )

async function snapshotsOf(name: string): Promise<number> {
  const { snapshots } = await must(service.admin.send('get', `/v1/tables/${name}/snapshots`))
  return snapshots.length
}

const rest = (path: string, caller = ada): Promise<Answer> =>
  caller.send('get', `/iceberg/v1/namespaces/sky/tables/${path}`)

test('a transaction with one forbidden table is refused whole, by its name: /v1', async () => {
  const { transaction_id } = await must(ada.send('post', '/v1/transactions/start', {}), 201)
  for (const name of ['sky.mine', 'sky.other']) {
    const upload = {
      raw: 'id\n1\n',
      headers: { Authorization: `Bearer ${ada.key}`, 'Content-Type': 'text/csv' },
    }
    await must(
      ask(service, `/v1/tables/${name}/files?transaction_id=${transaction_id}`, upload),
      201,
    )
  }
  const commit = () => ada.send('post', '/v1/transactions/commit', { transaction_id })
  await change('revoke', 'modify')
  await change('grant', 'select')
  const refused = await commit()
  const told = { privilege: 'modify', table: 'sky.other', type: '/problems/permission-denied' }
  expect([refused.status, refused.body]).toEqual([403, expect.objectContaining(told)])
  expect(refused.body.detail).toContain('the table sky.other')
  expect([await snapshotsOf('sky.mine'), await snapshotsOf('sky.other')]).toEqual([0, 0])
  await change('grant', 'modify')
  await must(commit())
  expect([await snapshotsOf('sky.mine'), await snapshotsOf('sky.other')]).toEqual([1, 1])
  await change('revoke', 'modify')
})

test('a transaction with one forbidden table is refused whole, by its name: /iceberg', async () => {
  const changeOf = (name: string) => ({
    identifier: { namespace: ['sky'], name },
    ...{ requirements: [], updates: [{ action: 'set-properties', updates: { owner: 'ada' } }] },
  })
  const commit = () =>
    ada.send('post', '/iceberg/v1/transactions/commit', {
      'table-changes': [changeOf('mine'), changeOf('other')],
    })
  const ownerOf = async (name: string) =>
    (await must(rest(name, service.admin))).metadata.properties.owner
  const refused = await commit()
  expect(refused.status).toBe(403)
  expect(refused.body.error.message).toContain('the table sky.other')
  expect([await ownerOf('mine'), await ownerOf('other')]).toEqual([undefined, undefined])
  await change('grant', 'modify')
  await must(commit(), 204)
  expect([await ownerOf('mine'), await ownerOf('other')]).toEqual(['ada', 'ada'])
})
