import { jest } from '@jest/globals'
import { getTable } from '../../../src/lake/table/table-lookup.ts'
import { newClone } from '../../../src/modules/tables/clone-table.ts'
import { ask, must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const SOURCE = '/v1/tables/sky.moons'
const POLICY = `${SOURCE}/policy`
const CHANGED = 'moraine.permissions.changed.v1'
const RULES = { row_filter: 'id > 1', columns: [{ column: 'id', action: 'mask-to-fixed-value' }] }

let service: KeyedService
/** Owns the source's namespace, and makes clones in another. */
let staff: Caller
/** Reads whatever is in that one. */
let reader: Caller

beforeAll(async () => {
  service = await startKeyedService()
  const { admin } = service
  await must(admin.send('post', '/v1/namespaces', { name: 'lab' }), 201)
  await must(admin.send('post', '/v1/namespaces', { name: 'sky' }), 201)
  staff = await service.newCaller({ '/v1/namespaces/lab': ['own'], '/v1/namespaces/sky': ['own'] })
  reader = await service.newCaller({ '/v1/namespaces/lab': ['select'] })
})
afterAll(() => service.close())
beforeEach(async () => {
  await addTable('moons', [{ name: 'id', type: 'long' }], 'id\n1\n2\n')
})
afterEach(async () => {
  await must(staff.send('delete', POLICY))
  await must(staff.send('delete', SOURCE))
})

async function addTable(name: string, columns: object[], csv: string): Promise<void> {
  const table = { name, namespace: 'sky', schema: { columns } }
  await must(staff.send('post', '/v1/tables', table), 201)
  const headers = { Authorization: `Bearer ${staff.key}`, 'Content-Type': 'text/csv' }
  const files = `/v1/tables/sky.${name}/files`
  await must(ask(service, files, { method: 'POST', raw: csv, headers }), 201)
}

const csvOf = async (caller: Caller, table: string) =>
  (await caller.send('get', `/v1/tables/${table}/dump?format=csv`)).text

test('a clone carries the policy, whoever reads it by a privilege of the namespace', async () => {
  const clone = { name: 'moons', namespace: 'lab' }
  const policy = { ...RULES, except: [staff.principal] }
  await must(staff.send('put', POLICY, policy))
  expect((await service.admin.send('post', `${SOURCE}/clone`, clone)).status).toBe(403)
  const { table_id } = await must(staff.send('post', `${SOURCE}/clone`, clone), 201)
  for (const caller of [reader, service.admin]) {
    expect(await csvOf(caller, 'lab.moons')).toBe('id\n0\n')
    expect((await caller.send('get', '/v1/tables/lab.moons')).status).toBe(403)
  }
  expect(await csvOf(staff, 'lab.moons')).toBe('id\n1\n2\n')
  expect((await staff.send('get', '/v1/tables/lab.moons/policy')).body).toEqual({
    ...{ ...policy, trusted_engines: [] },
  })
  const query = { after: 0n, types: [CHANGED] as const, limit: 500 }
  const { events } = await service.deps.catalog.events.list(query)
  expect(events.filter(({ subject }) => subject === table_id)).toMatchObject([
    { name: 'lab.moons', data: { has_policy: true }, origin: { principal: staff.principal } },
  ])
  // The two are independent from then on.
  await must(staff.send('delete', POLICY))
  expect(await csvOf(reader, 'lab.moons')).toBe('id\n0\n')
})

test('a clone with columns of which the policy says nothing shows nothing by it', async () => {
  const columns = ['id', 'secret'].map((name) => ({ name, type: 'string' }))
  await addTable('stars', columns, 'id,secret\n1,a\n2,b\n')
  const { snapshot } = await must(staff.send('get', '/v1/tables/sky.stars'))
  const changes = [{ op: 'drop', name: 'secret' }]
  await must(staff.send('post', '/v1/tables/sky.stars/schemas', { changes }))
  const policy = { row_filter: "id > '1'", except: [staff.principal] }
  await must(staff.send('put', '/v1/tables/sky.stars/policy', policy))
  const then = { name: 'then', namespace: 'lab', snapshot_id: snapshot.snapshot_id }
  await must(staff.send('post', '/v1/tables/sky.stars/clone', then), 201)
  expect(await csvOf(staff, 'lab.then')).toMatch(/^id,secret\n1,a\n/)
  expect((await reader.send('get', '/v1/tables/lab.then/dump?format=csv')).status).toBe(403)
  const again = { ...policy, columns: [{ column: 'secret', action: 'replace-with-null' }] }
  await must(staff.send('put', '/v1/tables/lab.then/policy', again))
  expect(await csvOf(reader, 'lab.then')).toBe('id,secret\n2,\n')
})

test('it holds from the first moment on, before the event of another process is read', async () => {
  const { deps } = service
  await must(staff.send('put', POLICY, { ...RULES, except: [staff.principal] }))
  const { keeper } = deps.access as NonNullable<typeof deps.access>
  const source = await getTable(deps.catalog, 'sky.moons')
  const clone = newClone(deps, source, {
    ...{ namespace: ['lab'], name: 'early', tableUuid: deps.ambient.newUuid() },
    ...{ found: undefined, currentSchemaId: source.definition.currentSchemaId },
  })
  // In its own time: whoever follows the events asks again at once for as long as some are unread.
  const later = () => new Promise<void>((resolve) => setTimeout(resolve, 100))
  const told = jest.spyOn(keeper, 'catchUp').mockImplementation(later)
  await deps.catalog.tables.create({ ...clone, copiesPolicy: 'bound' })
  const { status, body } = await reader.send('get', '/v1/tables/lab.early')
  told.mockRestore()
  expect([status, body.type]).toEqual([403, '/problems/table-restricted'])
})

test.each([
  ['a whole snapshot', 'whole', { source: { table: 'sky.moons' } }],
  ['a query', 'queried', { query: { source: { table: 'sky.moons' }, filter: 'id > 0' } }],
  [
    'two tables',
    'joined',
    { sql: 'SELECT m.id FROM sky.moons AS m JOIN sky.suns AS s ON s.id = m.id' },
  ],
])('a clone of a dataset of %s shows nothing to others', async (_, name, wish) => {
  await must(staff.send('put', POLICY, { ...RULES, except: [staff.principal] }))
  await addTable('suns', [{ name: 'id', type: 'long' }], 'id\n1\n2\n')
  const other = { row_filter: 'id > 1', except: [staff.principal, reader.principal] }
  await must(staff.send('put', '/v1/tables/sky.suns/policy', other))
  const made = await staff.send('post', '/v1/datasets', { name, ...wish })
  expect([200, 201, 202]).toContain(made.status)
  await untilReady(name)
  const hidden = `/v1/tables/moraine$datasets.${name}_v1`
  await must(staff.send('post', `${hidden}/clone`, { name, namespace: 'lab' }), 201)
  expect(await csvOf(staff, `lab.${name}`)).toBe('id\n1\n2\n')
  const refused = await reader.send('get', `/v1/tables/lab.${name}/dump?format=csv`)
  expect([refused.status, refused.body.type]).toEqual([403, '/problems/table-restricted'])
  await must(staff.send('delete', '/v1/tables/sky.suns/policy'))
  await must(staff.send('delete', '/v1/tables/sky.suns'))
})

async function untilReady(name: string): Promise<void> {
  for (;;) {
    const { body } = await staff.send('get', `/v1/datasets/${name}`)
    if (body.state === 'ready') return
    if (body.state === 'failed') throw new Error(JSON.stringify(body))
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
