import { type Json, must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from '../access/keyed-service.ts'
import { untilAudited } from './until-audited.ts'

const TABLE = '/v1/tables/sky.planets'
const POLICY = `${TABLE}/policy`

let service: KeyedService
let admin: Caller
let tableId: string
beforeAll(async () => {
  service = await startKeyedService()
  admin = service.admin
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  tableId = (await must(admin.send('post', '/v1/tables', { name: 'sky.planets', schema }), 201))
    .table_id
})
afterAll(() => service.close())

const users = (count: number, length: number) =>
  Array.from({ length: count }, (_, n) => `user:https://id.example.org~${n}`.padEnd(length, 'x'))

async function audited(count: number) {
  await untilAudited(service)
  const path = `/v1/audit-logs?action=permissions.changed&subject=${tableId}&page_size=${count}`
  return (await must(admin.send('get', path))).audit_logs
}

test('a policy is in the audit whole, whatever the number of names in it', async () => {
  const except = users(1_000, 90)
  const policy = { row_filter: 'id > 1', columns: [], except, trusted_engines: [] }
  await must(admin.send('put', POLICY, policy))
  await must(admin.send('put', POLICY, { ...policy, row_filter: 'id > 2' }))
  expect(await audited(2)).toMatchObject([
    { before: { policy }, after: { policy: { ...policy, row_filter: 'id > 2' } } },
    { before: { policy: null }, after: { policy } },
  ])
})

test('a policy that is too long for its event is refused', async () => {
  const { status, body } = await admin.send('put', POLICY, { except: users(250, 400) })
  expect([status, body.type]).toEqual([400, '/problems/request-invalid'])
  expect(JSON.stringify(body)).toContain('put principals into a role')
})

test('grants are in the audit and in events whole, a few principals at a time', async () => {
  await must(admin.send('delete', POLICY))
  const { last } = await service.deps.catalog.events.findRange()
  const names = users(500, 500)
  const granted = (privilege: string) => names.map((principal) => ({ principal, privilege }))
  await must(admin.send('post', `${TABLE}/permissions`, { grant: granted('describe') }))
  await must(admin.send('post', `${TABLE}/permissions`, { grant: granted('select') }))
  const rows = await audited(100)
  const told = (from: number, to: number) =>
    new Set(rows.slice(from, to).flatMap(({ after }: Json) => after.granted))
  expect(told(0, 50)).toEqual(new Set(granted('select')))
  expect(told(50, 100)).toEqual(new Set(granted('describe')))
  const { events } = await service.deps.catalog.events.list({ after: last, limit: 1_000 })
  expect(events).toHaveLength(100)
  for (const { data } of events) expect(JSON.stringify(data).length).toBeLessThan(100_000)
})
