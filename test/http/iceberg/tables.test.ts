import { startTestService, type TestService } from '../harness.ts'
import { inPath, must, refused, rest, SCHEMA, setProperties } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['sky'] } }))
})
afterAll(() => service.close())

const create = (name: string, more: object = {}) =>
  rest(service, '/namespaces/sky/tables', { json: { name, schema: SCHEMA, ...more } })
const load = (name: string, query = '', headers: Record<string, string> = {}) =>
  rest(service, `/namespaces/sky/tables/${inPath(name)}${query}`, { headers })
const commit = (name: string, json: object) =>
  rest(service, `/namespaces/sky/tables/${inPath(name)}`, { json })
const change = (name: string, ...updates: object[]) => commit(name, { requirements: [], updates })

test('a table is created, loaded, changed and dropped', async () => {
  const made = await must(create('stars'))
  expect(made.metadata).toMatchObject({ 'format-version': 2, 'last-column-id': 2 })
  const loaded = await must(load('stars'))
  expect(loaded).toEqual(made)
  const changed = await must(change('stars', setProperties({ colour: 'red' })))
  expect(changed.metadata.properties).toMatchObject({ colour: 'red' })
  expect(changed['metadata-location']).not.toBe(made['metadata-location'])
  expect(changed.metadata['metadata-log'].at(-1)['metadata-file']).toBe(made['metadata-location'])
  expect(await must(load('stars'))).toEqual(changed)
  const listed = await must(rest(service, '/namespaces/sky/tables'))
  expect(listed).toEqual({
    identifiers: [{ namespace: ['sky'], name: 'stars' }],
    'next-page-token': null,
  })
  await must(rest(service, '/namespaces/sky/tables/stars', { method: 'DELETE' }), 204)
  expect(await refused(load('stars'))).toEqual([
    404,
    'NoSuchTableException',
    'Table does not exist: sky.stars',
  ])
})
