import { readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { ask, must as mustPlain, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { must, type RestAnswer, refusal, rest, SCHEMA, setProperties } from './rest-client.ts'

const MEBI = 2 ** 20
const TABLES = '/namespaces/default/tables'
const VIEWS = '/namespaces/default/views'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['default'] } }))
})
afterAll(() => service.close())

function commit(table: string, ...updates: readonly object[]): Promise<RestAnswer> {
  return rest(service, `${TABLES}/${table}`, { json: { requirements: [], updates } })
}

function long(name: string, mebi: number): Record<string, string> {
  return { [name]: 'x'.repeat(mebi * MEBI) }
}

async function expectTooLarge(answer: Promise<RestAnswer>, charactersMax: number): Promise<void> {
  const { status, message } = await refusal(answer)
  expect([status, message]).toEqual([400, expect.stringContaining(String(charactersMax))])
  expect(message).toContain('remove')
}

test('a table grows to 16 Mi characters and no further, and nothing is written then', async () => {
  const { metadata } = await must(
    rest(service, TABLES, { json: { name: 'grown', schema: SCHEMA, properties: long('a', 7) } }),
  )
  await must(commit('grown', setProperties(long('b', 7))))
  const folder = `${fileURLToPath(metadata.location)}/metadata`
  const files = await readdir(folder)
  await expectTooLarge(commit('grown', setProperties(long('c', 7))), 16 * MEBI)
  const schema = { ...SCHEMA, fields: [{ ...SCHEMA.fields[0], doc: 'x'.repeat(7 * MEBI) }] }
  await expectTooLarge(commit('grown', { action: 'add-schema', schema }), 16 * MEBI)
  expect(await readdir(folder)).toEqual(files)
  const read = await must(rest(service, `${TABLES}/grown`))
  expect(Object.keys(read.metadata.properties)).not.toContain('c')
  expect(read.metadata.schemas).toHaveLength(1)
  // What is removed makes room, also in the same commit.
  const removal = { action: 'remove-properties', removals: ['a'] }
  await must(commit('grown', removal, setProperties(long('c', 7))))
})

test('neither does a table begin larger, nor its changes over /v1 leave it so', async () => {
  const big = { ...long('a', 9), ...long('b', 8) }
  const creation = [
    { action: 'assign-uuid', uuid: '0b0f5f2e-6f0e-4c5e-9a51-2f6d5b1c7d10' },
    { action: 'add-schema', schema: SCHEMA },
    { action: 'set-current-schema', 'schema-id': -1 },
    setProperties(long('a', 7)),
    setProperties(long('b', 7)),
  ]
  const made = rest(service, `${TABLES}/born`, {
    json: { requirements: [{ type: 'assert-create' }], updates: [...creation, setProperties(big)] },
  })
  // The body of one request has no more than 16 MiB.
  expect((await made).status).toBe(413)
  await must(
    rest(service, `${TABLES}/born`, {
      json: { requirements: [{ type: 'assert-create' }], updates: creation },
    }),
  )
  const room = 16 * MEBI - 14 * MEBI - 2_000
  await must(commit('born', setProperties({ c: 'x'.repeat(room) })))
  const described = await post(service, '/v1/tables/born/metadata', {
    description: 'y'.repeat(9_000),
  })
  expect([described.status, described.body.type]).toEqual([422, '/problems/definition-too-large'])
  expect(described.body.characters_max).toBe(16 * MEBI)
  const changes = Array.from({ length: 100 }, (_, i) => ({
    op: 'add',
    column: { name: `more_${i}`, type: 'string' },
  }))
  const evolved = await post(service, '/v1/tables/born/schemas', { changes })
  expect([evolved.status, evolved.body.type]).toEqual([422, '/problems/definition-too-large'])
})

test('a table of another catalog may be larger, is read, and shrinks', async () => {
  const made = await must(rest(service, TABLES, { json: { name: 'other', schema: SCHEMA } }))
  const metadata = { ...made.metadata, properties: { ...long('a', 9), ...long('b', 9) } }
  await mustPlain(ask(service, '/v1/tables/other', { method: 'DELETE' }))
  const location = made['metadata-location'].replace(/[^/]+$/, '00009-by-hand.metadata.json')
  await writeFile(fileURLToPath(location), JSON.stringify(metadata))
  const registration = { name: 'other', 'metadata-location': location }
  await must(rest(service, '/namespaces/default/register', { json: registration }))
  await mustPlain(ask(service, '/v1/tables/other'))
  await expectTooLarge(commit('other', setProperties({ c: 'one more' })), 16 * MEBI)
  await must(commit('other', setProperties({ a: 'x'.repeat(8 * MEBI) })))
  await mustPlain(ask(service, '/v1/tables/other'))
  await must(commit('other', { action: 'remove-properties', removals: ['a'] }))
  await must(commit('other', setProperties({ c: 'one more' })))
  const file = await readFile(fileURLToPath(location), 'utf8')
  expect(file.length).toBeGreaterThan(18 * MEBI)
})

test('a view has at most 8 Mi characters in all of its versions', async () => {
  const version = (sql: string, at: number) => ({
    ...{ 'version-id': 1, 'timestamp-ms': at, 'schema-id': -1, summary: {} },
    'default-namespace': ['default'],
    representations: [{ type: 'sql', dialect: 'duckdb', sql }],
  })
  const sqlOf = (letter: string, length: number) => `SELECT 1 -- ${letter.repeat(length)}`
  const replace = (sql: string, more: object = {}) => [
    { action: 'add-view-version', 'view-version': { ...version(sql, 2), 'schema-id': 0, ...more } },
    { action: 'set-current-view-version', 'view-version-id': -1 },
  ]
  const view = {
    name: 'v',
    schema: SCHEMA,
    'view-version': version(sqlOf('a', 8 * MEBI - 50_000), 1),
  }
  await must(rest(service, VIEWS, { json: { ...view, properties: {} } }))
  const grown = rest(service, `${VIEWS}/v`, { json: { updates: replace(sqlOf('b', 60_000)) } })
  const { status, message } = await refusal(grown)
  expect([status, message]).toEqual([400, expect.stringContaining('version.history.num-entries')])
  const plain = await ask(service, '/v1/views/v', {
    ...{ method: 'PUT', json: { queries: [{ dialect: 'duckdb', sql: sqlOf('c', 60_000) }] } },
  })
  expect([plain.status, plain.body.type]).toEqual([422, '/problems/definition-too-large'])
  const fewer = { 'version.history.num-entries': '1' }
  const updates = [setProperties(fewer), ...replace(sqlOf('b', 60_000))]
  await must(rest(service, `${VIEWS}/v`, { json: { updates } }))
})

test('a namespace has at most 1 Mi characters of properties', async () => {
  const tenth = 'x'.repeat(99_000)
  const some = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`a${i}`, tenth]))
  await mustPlain(post(service, '/v1/namespaces', { name: 'n', properties: some }), 201)
  const change = (updates: object, removals: readonly string[] = []) =>
    rest(service, '/namespaces/n/properties', { json: { updates, removals } })
  await expectTooLarge(change({ b: tenth }), MEBI)
  expect((await must(rest(service, '/namespaces/n'))).properties).not.toHaveProperty('b')
  const patched = await ask(service, '/v1/namespaces/n', {
    ...{ method: 'PATCH', json: { properties: { b: tenth } } },
  })
  expect([patched.status, patched.body.type]).toEqual([422, '/problems/definition-too-large'])
  await must(change({ b: tenth }, ['a0']))
})

test('the summary of a snapshot has at most 1 Mi characters', async () => {
  const made = await must(rest(service, TABLES, { json: { name: 'told', schema: SCHEMA } }))
  const snapshot = {
    ...{ 'snapshot-id': 1, 'sequence-number': 1, 'timestamp-ms': Date.now() },
    'manifest-list': `${made.metadata.location}/metadata/none.avro`,
    summary: { operation: 'append', note: 'x'.repeat(MEBI) },
  }
  const told = commit('told', { action: 'add-snapshot', snapshot })
  expect((await refusal(told)).message).toContain('the summary of a snapshot')
})
