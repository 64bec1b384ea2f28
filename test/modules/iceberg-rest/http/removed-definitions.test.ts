import { ask, must as mustV1 } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { appendCommit, writeAppend } from './engine-client.ts'
import { type Json, must, refusal, rest } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const at = (name: string) => `/namespaces/default/tables/${name}`
const load = async (name: string): Promise<Json> => (await must(rest(service, at(name)))).metadata
const change = (name: string, ...updates: object[]) =>
  rest(service, at(name), { json: { requirements: [], updates } })
const upload = (name: string, text: string) =>
  mustV1(
    ask(service, `/v1/tables/${name}/files`, {
      ...{ method: 'POST', raw: text, headers: { 'Content-Type': 'application/x-ndjson' } },
    }),
    201,
  )

/** Two snapshots, each with a schema and a partition spec of its own; newest first. */
async function evolved(name: string): Promise<bigint[]> {
  const columns = [
    { name: 'n', type: 'long' },
    { name: 'p', type: 'string' },
  ]
  const partitioning = [{ column: 'p', transform: 'identity' }]
  await mustV1(
    ask(service, '/v1/tables', { json: { name, schema: { columns }, partitioning } }),
    201,
  )
  await upload(name, '{"n":1,"p":"a"}\n')
  await must(
    change(
      name,
      { action: 'add-spec', spec: { fields: [] } },
      { action: 'set-default-spec', 'spec-id': -1 },
    ),
  )
  const column = { name: 'more', type: 'long' }
  await mustV1(
    ask(service, `/v1/tables/${name}/schemas`, { json: { changes: [{ op: 'add', column }] } }),
  )
  await upload(name, '{"n":2,"p":"b","more":3}\n')
  const { snapshots } = await load(name)
  return snapshots.map((snapshot: Json) => BigInt(snapshot['snapshot-id'])).reverse()
}

/** All that ended in a 500 when a definition was gone. */
async function requireReadable(name: string, snapshotIds: readonly bigint[]): Promise<void> {
  for (const id of ['latest', ...snapshotIds]) {
    await mustV1(ask(service, `/v1/tables/${name}/${id}`))
    await mustV1(ask(service, `/v1/tables/${name}/${id}/dump?format=csv`))
  }
  await must(rest(service, `${at(name)}/plan`, { json: {} }))
}

test('a partition spec or schema that a kept snapshot has cannot be removed', async () => {
  const [newest = 0n, oldest = 0n] = await evolved('t')
  const before = await load('t')
  const cases: [object, string][] = [
    [{ action: 'remove-partition-specs', 'spec-ids': [0] }, 'partition spec 0'],
    [{ action: 'remove-schemas', 'schema-ids': [0] }, 'schema 0'],
  ]
  for (const [update, what] of cases) {
    const refused = await refusal(change('t', update))
    expect(refused).toMatchObject({ status: 400, type: 'BadRequestException' })
    expect(refused.message).toMatch(`Cannot remove ${what}: snapshot`)
    expect(refused.message).toMatch(new RegExp(`snapshot (${newest}|${oldest}) uses it`))
  }
  expect(await load('t')).toEqual(before)
  await requireReadable('t', [newest, oldest])
})

test('it can be with the snapshots, as Iceberg’s expiry does; live files still count', async () => {
  const [newest = 0n, oldest = 0n] = await evolved('u')
  const expiry = { action: 'remove-snapshots', 'snapshot-ids': [oldest] }
  // The newest snapshot still has the first file, of the first spec.
  const specs = { action: 'remove-partition-specs', 'spec-ids': [0] }
  expect((await refusal(change('u', expiry, specs))).message).toMatch(
    `Cannot remove partition spec 0: snapshot ${newest} uses it`,
  )
  const schemas = { action: 'remove-schemas', 'schema-ids': [0] }
  const after = await must(change('u', expiry, schemas))
  expect(after.metadata.schemas.map((schema: Json) => schema['schema-id'])).toEqual([1])
  await requireReadable('u', [newest])

  // Without its files, the spec goes, too, and no snapshot can bring it back.
  await mustV1(ask(service, '/v1/tables/u/files/truncate', { method: 'POST', json: {} }))
  await upload('u', '{"n":4,"p":"c","more":5}\n')
  const emptied = await load('u')
  const others = emptied.snapshots
    .map((snapshot: Json) => snapshot['snapshot-id'])
    .filter((id: Json) => id !== emptied['current-snapshot-id'])
  await must(change('u', { action: 'remove-snapshots', 'snapshot-ids': others }, specs))
  expect((await load('u'))['partition-specs'].map((spec: Json) => spec['spec-id'])).toEqual([1])
  const file = `file://${service.dataFolder}/x`
  const { json } = await writeAppend(emptied, { snapshotId: 77n, files: [file] })
  const commit = appendCommit(emptied, { ...json, 'schema-id': 1 })
  const refused = await refusal(rest(service, at('u'), { json: commit }))
  expect(refused).toMatchObject({ status: 400 })
  expect(refused.message).toMatch('has the unknown partition spec 0')
})

test('snapshots without a known parent are taken, and refs go with their snapshots', async () => {
  // As Iceberg's reference implementation does: a parent may be expired (decision 0009).
  const { metadata } = await must(
    rest(service, '/namespaces/default/tables', {
      json: { name: 'w', schema: { type: 'struct', fields: [] } },
    }),
  )
  const file = `file://${service.dataFolder}/x`
  const { json } = await writeAppend(metadata, { snapshotId: 5n, files: [file], parent: 4n })
  await must(rest(service, at('w'), { json: appendCommit(metadata, json) }))
  const tag = { action: 'set-snapshot-ref', 'ref-name': 'x', type: 'tag', 'snapshot-id': 5n }
  await must(change('w', tag))
  const { metadata: left } = await must(
    change('w', { action: 'remove-snapshots', 'snapshot-ids': [5n] }),
  )
  expect(left).toMatchObject({ refs: {}, snapshots: [], 'snapshot-log': [] })
  expect(left['current-snapshot-id'] ?? -1).toBe(-1)
})

test('a table without columns is not dumped in any format, and what to do is said', async () => {
  await evolved('bare')
  await must(
    change(
      'bare',
      { action: 'add-schema', schema: { type: 'struct', 'schema-id': 9, fields: [] } },
      { action: 'set-current-schema', 'schema-id': -1 },
    ),
  )
  for (const format of ['csv', 'ndjson', 'parquet', 'arrow']) {
    const answer = await ask(service, `/v1/tables/bare/dump?format=${format}`)
    expect(answer).toMatchObject({ status: 501, body: { type: '/problems/not-implemented' } })
    expect(answer.body.detail).toContain('has no columns to dump in its schema 2: add a column')
    expect(answer.text).not.toContain(service.dataFolder)
  }
  await mustV1(ask(service, '/v1/tables/bare/dump?format=csv&schema_id=1'))
})
