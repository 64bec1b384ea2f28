import { ask, must as mustV1 } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { type Json, must, refusal, rest } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['default'] } }))
})
afterAll(() => service.close())

const at = (name: string) => `/namespaces/default/tables/${name}`
const load = async (name: string): Promise<Json> => (await must(rest(service, at(name)))).metadata
const change = (name: string, ...updates: object[]) =>
  rest(service, at(name), { json: { requirements: [], updates } })
const upload = (name: string, text: string, to = '') =>
  mustV1(
    ask(service, `/v1/tables/${name}/files${to}`, {
      ...{ method: 'POST', raw: text, headers: { 'Content-Type': 'application/x-ndjson' } },
    }),
    201,
  )

const REGION = { id: 1, name: 'region', type: 'string', required: false }
const N = { id: 2, name: 'n', type: 'long', required: false }
const LATER = { id: 3, name: 'later', type: 'string', required: false }
const withColumns = (...fields: object[]) => [
  { action: 'add-schema', schema: { type: 'struct', 'schema-id': 9, fields } },
  { action: 'set-current-schema', 'schema-id': -1 },
]
const withSpec = (...fields: object[]) => [
  { action: 'add-spec', spec: { fields } },
  { action: 'set-default-spec', 'spec-id': -1 },
]
const partition = (source: number, transform: string, name: string) => {
  return { 'source-id': source, transform, name }
}

async function make(name: string, ...fields: object[]): Promise<void> {
  const schema = { type: 'struct', fields: [REGION, N] }
  const json = { name, schema, 'partition-spec': { fields } }
  await must(rest(service, '/namespaces/default/tables', { json }))
}

/** Removes all snapshots but the current one, and some definitions. */
async function expire(name: string, ...updates: object[]) {
  const { snapshots, 'current-snapshot-id': current } = await load(name)
  const others = snapshots.map((s: Json) => s['snapshot-id']).filter((id: Json) => id !== current)
  return change(name, { action: 'remove-snapshots', 'snapshot-ids': others }, ...updates)
}

const schemas = { action: 'remove-schemas', 'schema-ids': [0] }

async function rowsOf(name: string): Promise<string[]> {
  const { text } = await ask(service, `/v1/tables/${name}/dump?format=ndjson`)
  return text.trim().split('\n').sort()
}

test('the last schema with the column that partitions live files stays', async () => {
  await make('t', partition(1, 'identity', 'region'))
  await upload('t', '{"region":"a","n":1}\n')
  await must(change('t', ...withSpec(), ...withColumns(N)))
  await upload('t', '{"n":2}\n')
  const before = await load('t')
  const refused = await refusal(expire('t', schemas))
  expect(refused).toMatchObject({ status: 400, type: 'BadRequestException' })
  expect(refused.message).toMatch(
    `Cannot remove schema 0: snapshot ${before['current-snapshot-id']} needs its column 1`,
  )
  expect(await load('t')).toEqual(before)

  // What the files' partitions need no type of may go.
  await mustV1(ask(service, '/v1/tables/t/files/truncate', { method: 'POST', json: {} }))
  await upload('t', '{"n":3}\n')
  await must(expire('t', schemas))
  await upload('t', '{"n":4}\n')
  await must(rest(service, `${at('t')}/plan`, { json: {} }))
  expect(await rowsOf('t')).toEqual(['{"n":3}', '{"n":4}'])
})

test.each([
  ['void', 'void'],
  ['bucket', 'bucket[4]'],
])('partitions of a type of their own need no column (%s)', async (name, transform) => {
  await make(name, partition(1, transform, 'part'))
  await upload(name, '{"region":"a","n":1}\n')
  await must(change(name, ...withSpec(partition(1, 'void', 'part')), ...withColumns(N)))
  await upload(name, '{"n":2}\n')
  await must(expire(name, schemas))
  await upload(name, '{"n":3}\n')
  await must(rest(service, `${at(name)}/plan`, { json: {} }))
  expect(await rowsOf(name)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}'])
})

test('a spec takes files whose columns were never in one schema', async () => {
  await make('u', partition(1, 'identity', 'region'))
  await upload('u', '{"region":"a","n":1}\n')
  await must(change('u', ...withSpec(), ...withColumns(N)))
  const parts = [partition(1, 'void', 'region_void'), partition(3, 'identity', 'later')]
  await must(change('u', ...withColumns(N, LATER), ...withSpec(...parts)))
  for (const later of ['x', 'y']) await upload('u', `{"n":2,"later":"${later}"}\n`)
  await must(rest(service, `${at('u')}/plan`, { json: {} }))
  expect(await rowsOf('u')).toHaveLength(3)
})

test('a staged file is read again where its spec’s id has another meaning by now', async () => {
  await make('s', partition(2, 'bucket[16]', 'n_bucket'))
  await must(change('s', ...withSpec(partition(2, 'bucket[64]', 'n_64'))))
  const { transaction_id: id } = await mustV1(
    ask(service, '/v1/transactions/start', { method: 'POST', json: {} }),
    201,
  )
  await upload('s', '{"region":"a","n":1}\n', `?transaction_id=${id}`)
  const specs = { action: 'remove-partition-specs', 'spec-ids': [1] }
  await must(change('s', { action: 'set-default-spec', 'spec-id': 0 }, specs))
  await must(change('s', ...withSpec(partition(2, 'bucket[2]', 'n_2'))))
  expect((await load('s'))['default-spec-id']).toBe(1)
  const commit = { transaction_id: id }
  await mustV1(ask(service, '/v1/transactions/commit', { method: 'POST', json: commit }))
  const { data_files } = await mustV1(ask(service, '/v1/tables/s'))
  expect(data_files.map((file: Json) => file.partition)).toEqual([{ n_2: expect.any(Number) }])
  expect(data_files[0].partition.n_2).toBeLessThan(2)
})
