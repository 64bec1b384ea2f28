import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const schema = { columns: [{ name: 'n', type: 'long' }] }

async function created(name: string, namespace?: string) {
  const body = { name, schema, ...(namespace !== undefined && { namespace }) }
  return (await must(post(service, '/v1/tables', body), 201)).namespace_created
}

test('a table says whether it made its namespace', async () => {
  expect(await created('a')).toBe(false)
  expect(await created('a', 'sales')).toBe(true)
  expect(await created('b', 'sales')).toBe(false)
  expect(await created('c', 'SALES')).toBe(false)
  expect(await created('a', 'sales.eu')).toBe(true)
  expect(await created('d', 'default')).toBe(false)
})

test('so does a clone', async () => {
  const clone = (name: string, namespace: string) =>
    must(post(service, '/v1/tables/sales.a/clone', { name, namespace }), 201)
  expect((await clone('e', 'sles')).namespace_created).toBe(true)
  expect((await clone('f', 'sales')).namespace_created).toBe(false)
})

test('an answer that is repeated says what the first one did', async () => {
  const first = await ask(service, '/v1/tables', {
    method: 'POST',
    headers: { 'Idempotency-Key': 'once' },
    json: { name: 'a', namespace: 'other', schema },
  })
  const again = await ask(service, '/v1/tables', {
    method: 'POST',
    headers: { 'Idempotency-Key': 'once' },
    json: { name: 'a', namespace: 'other', schema },
  })
  expect([first.body.namespace_created, again.body.namespace_created]).toEqual([true, true])
})
