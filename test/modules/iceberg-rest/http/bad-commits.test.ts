import { startTestService, type TestService } from '../../../http/harness.ts'
import { must, refusal, rest, SCHEMA, setProperties } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['sky'] } }))
  await must(rest(service, TABLES, { json: { name: 'stars', schema: SCHEMA } }))
})
afterAll(() => service.close())

const TABLES = '/namespaces/sky/tables'
const STARS = `${TABLES}/stars`
const commit = (json: unknown) => rest(service, STARS, { json })
const change = (...updates: unknown[]) => commit({ requirements: [], updates })
const load = async () => (await rest(service, STARS)).text

test('malformed commits are refused with 400, and nothing changed', async () => {
  const before = await load()
  for (const bad of [
    [],
    null,
    {},
    { requirements: [] },
    { requirements: {}, updates: [] },
    { requirements: [{ type: 'assert-none' }], updates: [] },
    { requirements: [{ type: 'assert-ref-snapshot-id' }], updates: [] },
    { requirements: [], updates: [null] },
    { requirements: [], updates: [{}] },
    { requirements: [], updates: [{ action: 'fly' }] },
    { requirements: [], updates: [{ action: '__proto__' }] },
    { requirements: [], updates: [{ action: 'set-properties', updates: { a: 1 } }] },
    { requirements: [], updates: [{ action: 'add-schema' }] },
    { requirements: [], updates: [{ action: 'add-schema', schema: { type: 'struct' } }] },
    { requirements: [], updates: [{ action: 'set-current-schema', 'schema-id': 77 }] },
    { requirements: [], updates: [{ action: 'set-default-spec', 'spec-id': 1.5 }] },
    { requirements: [], updates: [{ action: 'upgrade-format-version', 'format-version': 1 }] },
    { requirements: [], updates: [{ action: 'upgrade-format-version', 'format-version': 4 }] },
    { requirements: [], updates: [{ action: 'add-snapshot', snapshot: { 'snapshot-id': 1 } }] },
    {
      requirements: [],
      updates: [setProperties({ a: 'b' }), { action: 'remove-schemas', 'schema-ids': [0] }],
    },
    {
      requirements: [],
      updates: [
        { action: 'set-snapshot-ref', 'ref-name': 'x', type: 'tag', 'snapshot-id': 2n ** 70n },
      ],
    },
  ]) {
    expect([bad, await refusal(commit(bad))]).toMatchObject([
      bad,
      { status: 400, type: 'BadRequestException' },
    ])
  }
  for (const raw of ['', '{', '{"requirements":[],"updates":[]', '\u00ff', '[[[[', 'null']) {
    expect(await refusal(rest(service, STARS, { method: 'POST', raw }))).toMatchObject({
      status: 400,
    })
  }
  const deep = `{"requirements":[],"updates":${'['.repeat(5000)}${']'.repeat(5000)}}`
  expect(await refusal(rest(service, STARS, { raw: deep }))).toMatchObject({ status: 400 })
  expect(await load()).toBe(before)
})

test('members that are not known are passed over', async () => {
  const json = {
    requirements: [],
    updates: [{ ...setProperties({ known: 'yes' }), surprise: { deep: [1] } }],
    surprise: true,
  }
  expect((await must(commit(json))).metadata.properties.known).toBe('yes')
})

test('5,000 updates in a commit work, more are refused cleanly', async () => {
  const updates = Array.from({ length: 5_000 }, (_, i) =>
    setProperties({ [`key${i % 100}`]: `${i}` }),
  )
  const done = await must(change(...updates))
  expect(done.metadata.properties.key99).toBe('4999')
  const before = await load()
  expect(await refusal(change(...updates, setProperties({ one: 'more' })))).toMatchObject({
    status: 400,
    type: 'BadRequestException',
  })
  expect(await load()).toBe(before)
})

test('a body beyond the limit is refused before it is read', async () => {
  const raw = `{"requirements":[],"updates":[],"x":"${'x'.repeat(65 * 1024 * 1024)}"}`
  const answer = refusal(rest(service, STARS, { raw })).catch(() => ({ status: 413 }))
  expect(await answer).toMatchObject({ status: 413 })
})

test('the other requests are checked the same way', async () => {
  for (const [path, json] of [
    [TABLES, { name: 'x' }],
    [TABLES, { name: 1, schema: SCHEMA }],
    [TABLES, { name: 'x', schema: { ...SCHEMA, fields: [{ id: 1 }] } }],
    [TABLES, { name: 'x', schema: SCHEMA, 'stage-create': 'yes' }],
    [TABLES, { name: 'x', schema: SCHEMA, properties: { a: null } }],
    ['/tables/rename', {}],
    ['/tables/rename', { source: { namespace: 'sky', name: 'stars' } }],
    ['/namespaces/sky/register', { name: 'x' }],
    ['/namespaces/sky/register', { name: 'x', 'metadata-location': 1 }],
    ['/transactions/commit', {}],
    ['/transactions/commit', { 'table-changes': [{ requirements: [], updates: [] }] }],
    ['/namespaces', {}],
    ['/namespaces/sky/properties', { updates: [] }],
  ] as const) {
    expect([path, json, await refusal(rest(service, path, { json }))]).toMatchObject([
      ...[path, json],
      { status: 400 },
    ])
  }
})
