import { readdir } from 'node:fs/promises'
import { ask } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { must, rest, SCHEMA } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService({ allowedLocations: ['/x'] })
  await must(rest(service, '/namespaces', { json: { namespace: ['sky'] } }))
})
afterAll(() => service.close())

const create = (name: string, more: object = {}) =>
  must(rest(service, '/namespaces/sky/tables', { json: { name, schema: SCHEMA, ...more } }))
const foldersOf = async (location: string) =>
  (await readdir(location.replace('file://', ''))).sort()

// DuckDB's mkdir makes the last folder of a path only.
const BOTH = ['data', 'metadata']

test('the folders that engines write to are there once a table is, staged or not', async () => {
  const made = await create('made')
  expect(await foldersOf(made.metadata.location)).toEqual(BOTH)
  const staged = await create('staged', { 'stage-create': true })
  expect(await foldersOf(staged.metadata.location)).toEqual(BOTH)
})

test('so are those of tables of /v1, of clones, and of a table that was moved', async () => {
  const columns = [{ name: 'id', type: 'long' }]
  const json = { name: 'plain', namespace: 'sky', schema: { columns } }
  const { body } = await ask(service, '/v1/tables', { json })
  expect(await foldersOf(body.location)).toEqual(BOTH)
  const cloned = await ask(service, '/v1/tables/sky.plain/clone', {
    json: { name: 'copy', namespace: 'sky' },
  })
  expect(await foldersOf(cloned.body.location)).toEqual(BOTH)
  const moved = `${body.location}-moved`
  const updates = [{ action: 'set-location', location: moved }]
  const commit = { requirements: [], updates }
  await must(rest(service, '/namespaces/sky/tables/plain', { json: commit }))
  expect(await foldersOf(moved)).toEqual(BOTH)
})
