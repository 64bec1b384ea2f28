import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { must as mustRest, rest } from '../iceberg-rest/http/rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const WIDENED = { changes: [{ op: 'widen', name: 'n', type: 'double' }] }
const upload = (name: string, text: string) =>
  must(
    ask(service, `/v1/tables/${name}/files`, {
      ...{ method: 'POST', raw: text, headers: { 'Content-Type': 'application/x-ndjson' } },
    }),
    201,
  )
const put = (name: string, ref: string, json: object) =>
  ask(service, `/v1/tables/${name}/refs/${ref}`, { method: 'PUT', json })
const snapshotOf = async (name: string) =>
  (await must(ask(service, `/v1/tables/${name}`))).snapshot.snapshot_id

/** A table with one row, and the id of its snapshot. */
async function make(name: string): Promise<string> {
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  await must(post(service, '/v1/tables', { name, schema }), 201)
  await upload(name, '{"n":7}\n')
  return snapshotOf(name)
}

/** Sets a ref over /iceberg, as an engine does. */
const setRef = (name: string, ref: Json) =>
  mustRest(
    rest(service, `/namespaces/default/tables/${name}`, {
      json: { requirements: [], updates: [{ action: 'set-snapshot-ref', ...ref }] },
    }),
  )

async function rowsOf(name: string, ref = 'main'): Promise<string[]> {
  const dump = await ask(service, `/v1/tables/${name}/dump?format=ndjson&ref=${ref}`)
  const rows = await must(ask(service, `/v1/tables/${name}/rows?ref=${ref}`))
  const lines = dump.text.trim().split('\n')
  expect(rows.rows).toEqual(lines.map((line) => JSON.parse(line)))
  return lines
}

test('a change that writes files again is refused while a branch has others', async () => {
  await make('branched')
  await must(put('branched', 'dev', { type: 'branch' }))
  const refused = await post(service, '/v1/tables/branched/schemas', WIDENED)
  expect(refused).toMatchObject({
    ...{ status: 422, body: { type: '/problems/schema-change-invalid', branch: 'dev' } },
  })
  expect(refused.body.detail).toContain('branch dev of default.branched')
  expect(await rowsOf('branched', 'dev')).toEqual(['{"n":7}'])
  const renamed = { changes: [{ op: 'rename', name: 'n', to: 'm' }] }
  await must(post(service, '/v1/tables/branched/schemas', renamed))
  expect(await rowsOf('branched', 'dev')).toEqual(['{"m":7}'])

  await must(put('branched', 'dev', { type: 'tag' }))
  const widened = { changes: [{ op: 'widen', name: 'm', type: 'double' }] }
  await must(post(service, '/v1/tables/branched/schemas', widened))
  expect(await rowsOf('branched')).toEqual(['{"m":7.0}'])
  expect(await rowsOf('branched', 'dev')).toEqual(['{"n":7}'])
})

test('a branch of files from before a conversion reads their values', async () => {
  const before = await make('earlier')
  await must(post(service, '/v1/tables/earlier/schemas', WIDENED))
  const refused = await put('earlier', 'dev', { type: 'branch', snapshot_id: before })
  expect(refused).toMatchObject({ body: { type: '/problems/update-invalid' } })
  expect(refused.body.detail).toContain(`after snapshot ${before}`)
  await must(put('earlier', 'kept', { type: 'tag', snapshot_id: before }))
  // Engines make such branches all the same.
  await setRef('earlier', { 'ref-name': 'dev', type: 'branch', 'snapshot-id': BigInt(before) })
  expect(await rowsOf('earlier', 'dev')).toEqual(['{"n":7}'])
  expect(await rowsOf('earlier')).toEqual(['{"n":7.0}'])
})

test('an engine’s rollback past a conversion takes the schema along, as in /v1', async () => {
  const before = await make('back')
  await must(post(service, '/v1/tables/back/schemas', WIDENED))
  const { metadata } = await setRef('back', {
    ...{ 'ref-name': 'main', type: 'branch', 'snapshot-id': BigInt(before) },
  })
  expect(metadata['current-schema-id']).toBe(0)
  expect(await rowsOf('back')).toEqual(['{"n":7}'])
  await upload('back', '{"n":8}\n')
  expect(await rowsOf('back')).toEqual(['{"n":7}', '{"n":8}'])
})

const MEMBER = { id: 1, name: 'x', type: 'long', required: false }
const TO_DOUBLE = { op: 'type', type: 'double' }
const CONVERSIONS: [string, string, Json, Json[]][] = [
  ['in a struct', '{"x":7}', { type: 'struct', fields: [MEMBER] }, [{ ...TO_DOUBLE, name: 'n.x' }]],
  ['of a list', '[7]', 'list<long>', [{ ...TO_DOUBLE, name: 'n.element' }]],
  [
    'renamed',
    '7',
    'long',
    [
      { op: 'rename', name: 'n', to: 'm' },
      { ...TO_DOUBLE, name: 'm' },
    ],
  ],
]
test.each(CONVERSIONS)(
  'files from before a conversion %s read their values',
  async (what, value, type, changes) => {
    const name = what.replaceAll(' ', '_')
    await must(
      post(service, '/v1/tables', { name, schema: { columns: [{ name: 'n', type }] } }),
      201,
    )
    const row = `{"n":${value}}`
    await upload(name, `${row}\n`)
    const before = await snapshotOf(name)
    await must(post(service, `/v1/tables/${name}/schemas`, { changes }))
    expect((await rowsOf(name))[0]).toContain('7.0')
    const refused = await put(name, 'dev', { type: 'branch', snapshot_id: before })
    expect(refused.body.detail).toContain(`after snapshot ${before}`)
    // Engines make such branches all the same.
    await setRef(name, { 'ref-name': 'dev', type: 'branch', 'snapshot-id': BigInt(before) })
    expect(await rowsOf(name, 'dev')).toEqual([row])
    await must(post(service, `/v1/tables/${name}/rollback`, { snapshot_id: before }))
    expect(await rowsOf(name)).toEqual([row])
  },
)
