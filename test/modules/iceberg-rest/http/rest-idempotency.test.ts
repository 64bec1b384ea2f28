import { randomUUID } from 'node:crypto'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { must, type RestRequest, refusal, rest, SCHEMA, setProperties } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['sky'] } }))
})
afterAll(() => service.close())

const keyed = (key: string, path: string, request: RestRequest) =>
  rest(service, path, { ...request, headers: { 'Idempotency-Key': key } })
const TABLES = '/namespaces/sky/tables'
const create = (key: string, name: string) => keyed(key, TABLES, { json: { name, schema: SCHEMA } })
const commit = (key: string, name: string, json: object) =>
  keyed(key, `${TABLES}/${name}`, { json })
const load = (name: string) => must(rest(service, `${TABLES}/${name}`))

test('a repeated request gets its first answer, and does nothing again', async () => {
  const key = randomUUID()
  const made = await must(create(key, 'stars'))
  expect(await must(create(key, 'stars'))).toEqual(made)
  const namespaceKey = randomUUID().toUpperCase()
  const json = { namespace: ['keyed'], properties: { a: 'b' } }
  const space = await must(keyed(namespaceKey, '/namespaces', { json }))
  expect(await must(keyed(namespaceKey, '/namespaces', { json }))).toEqual(space)
  const update = randomUUID()
  const changes = { removals: ['a'], updates: {} }
  const changed = await must(keyed(update, '/namespaces/keyed/properties', { json: changes }))
  expect(changed.removed).toEqual(['a'])
  expect(await must(keyed(update, '/namespaces/keyed/properties', { json: changes }))).toEqual(
    changed,
  )
  const drop = randomUUID()
  await must(keyed(drop, '/namespaces/keyed', { method: 'DELETE' }), 204)
  await must(keyed(drop, '/namespaces/keyed', { method: 'DELETE' }), 204)
})

test('a repeated commit returns the table as it is now', async () => {
  await must(create(randomUUID(), 'committed'))
  const key = randomUUID()
  const json = { requirements: [], updates: [setProperties({ step: '1' })] }
  const first = await must(commit(key, 'committed', json))
  await must(
    commit(randomUUID(), 'committed', {
      requirements: [],
      updates: [setProperties({ step: '2' })],
    }),
  )
  const repeated = await must(commit(key, 'committed', json))
  expect(repeated).toEqual(await load('committed'))
  expect(repeated.metadata.properties.step).toBe('2')
  expect(repeated['metadata-location']).not.toBe(first['metadata-location'])
  const none = randomUUID()
  const same = await must(commit(none, 'committed', { requirements: [], updates: [] }))
  expect(await must(commit(none, 'committed', { requirements: [], updates: [] }))).toEqual(same)
})

test('a final refusal is given again, even when the request would now be right', async () => {
  const key = randomUUID()
  const json = { name: 'x', schema: SCHEMA }
  const first = await refusal(keyed(key, '/namespaces/later/tables', { json }))
  expect(first).toMatchObject({ status: 404, type: 'NoSuchNamespaceException' })
  await must(rest(service, '/namespaces', { json: { namespace: ['later'] } }))
  expect(await refusal(keyed(key, '/namespaces/later/tables', { json }))).toEqual(first)
  await must(keyed(randomUUID(), '/namespaces/later/tables', { json }))
})

test('a key belongs to one request', async () => {
  const key = randomUUID()
  await must(create(key, 'owner'))
  const other = { status: 422, type: 'UnprocessableEntityException' }
  expect(await refusal(create(key, 'another'))).toMatchObject(other)
  expect(await refusal(keyed(key, `${TABLES}/owner`, { method: 'DELETE' }))).toMatchObject(other)
  expect((await load('owner')).metadata['table-uuid']).toBeDefined()
  expect(await refusal(create('no uuid', 'x'))).toMatchObject({ status: 400 })
})

test('two requests with one key at once have one effect and one answer', async () => {
  for (let round = 0; round < 5; round++) {
    const name = `race${round}`
    const key = randomUUID()
    const made = await Promise.all(Array.from({ length: 4 }, () => must(create(key, name))))
    for (const one of made) expect(one).toEqual(made[0])
    const step = randomUUID()
    const update = {
      action: 'add-schema',
      schema: { ...SCHEMA, fields: [{ id: 9, name: `n${round}`, required: false, type: 'int' }] },
    }
    const json = { requirements: [], updates: [update, setProperties({ round: String(round) })] }
    const done = await Promise.all(Array.from({ length: 4 }, () => must(commit(step, name, json))))
    for (const one of done) expect(one).toEqual(done[0])
    expect(done[0].metadata['metadata-log']).toHaveLength(1)
  }
})

test('an unregistration can be repeated', async () => {
  await must(create(randomUUID(), 'leaving'))
  const key = randomUUID()
  const path = `${TABLES}/leaving/unregister`
  const first = await must(keyed(key, path, { method: 'POST' }))
  expect(await must(keyed(key, path, { method: 'POST' }))).toEqual(first)
})

test('what a lost answer leaves in doubt is known to the next try', async () => {
  const { catalog } = service.deps
  await must(create(randomUUID(), 'doubtful'))
  const key = randomUUID()
  const json = { requirements: [], updates: [setProperties({ sure: 'yes' })] }
  await must(commit(key, 'doubtful', json))
  expect(await catalog.replays.find({ principal: 'anonymous', key })).toMatchObject({
    key,
    status: 200,
  })
  expect(await catalog.replays.forget(Date.now())).toBe(0)
  expect(await catalog.replays.forget(Date.now() + 2 * 3600 * 1000)).toBeGreaterThan(0)
  expect(await catalog.replays.find({ principal: 'anonymous', key })).toBeUndefined()
})
