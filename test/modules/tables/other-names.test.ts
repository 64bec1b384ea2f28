import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

/** Names that clients of Iceberg's REST catalog make, and `/v1` does not. */
const NAMESPACE = 'Mixed Case é'
const NAMES = ['Größe in m²', 'a/b', "it's; drop", '1st', '"quoted"', 'tab%le?', 'select']

let service: TestService

const SCHEMA = {
  type: 'struct',
  fields: [{ id: 1, name: 'n', type: 'long', required: false }],
}

async function createByRest(namespace: string, name: string, schema: object = SCHEMA) {
  return post(service, `/iceberg/v1/namespaces/${encodeURIComponent(namespace)}/tables`, {
    ...{ name, schema },
  })
}

beforeAll(async () => {
  service = await startTestService()
  for (const namespace of [NAMESPACE, 'v1.2']) {
    await must(post(service, '/iceberg/v1/namespaces', { namespace: [namespace] }))
  }
  await writeParquet(`${service.dataFolder}/n.parquet`, 'SELECT 1::BIGINT AS n')
})
afterAll(() => service.close())

test.each(NAMES)('%s is read, written and dumped by the name that the list has', async (name) => {
  await must(createByRest(NAMESPACE, name))
  const query = `namespace=${encodeURIComponent(NAMESPACE)}`
  const { tables } = await must(ask(service, `/v1/tables?${query}`))
  const listed = tables.find((table: { name: string }) => table.name === name)
  expect(listed.identifier).toBe(`${NAMESPACE}.${name}`)
  const table = `/v1/tables/${encodeURIComponent(listed.identifier)}`
  const files = [{ path: `file://${service.dataFolder}/n.parquet` }]
  await must(post(service, `${table}/files`, { files }))
  expect((await must(ask(service, table))).totals.records).toBe(1)
  const dump = await ask(service, `${table}/dump?format=csv`)
  expect([dump.status, dump.text]).toEqual([200, 'n\n1\n'])
  const disposition = dump.headers.get('content-disposition') ?? ''
  expect(disposition).toMatch(
    /^attachment; filename="[\w-]+\.csv"; filename\*=UTF-8''[\w%-]+\.csv$/,
  )
  const digest = await ask(service, `${table}/dump.sha256?format=csv`)
  expect(digest.text).toMatch(/^[0-9a-f]{64} {2}[\p{L}\p{N}_-]+\.csv\n$/u)
  await must(ask(service, table, { method: 'DELETE' }))
})

test('a name with a dot, or in such a namespace, is read by its id', async () => {
  for (const [namespace, name] of [
    [NAMESPACE, 'a.b'],
    ['v1.2', 't'],
  ] as const) {
    const { metadata } = await must(createByRest(namespace, name))
    const read = await must(ask(service, `/v1/tables/${metadata['table-uuid']}`))
    expect([read.identifier, read.name]).toEqual([metadata['table-uuid'], name])
  }
})

test('columns that differ in case only are refused, at any depth', async () => {
  const pair = [
    { id: 1, name: 'Größe', type: 'long', required: false },
    { id: 2, name: 'gRÖSSE'.replace('SS', 'ß'), type: 'long', required: false },
  ]
  const nested = { id: 3, name: 's', required: false, type: { type: 'struct', fields: pair } }
  for (const fields of [pair, [nested]]) {
    const { status, body } = await createByRest(NAMESPACE, 'twins', { type: 'struct', fields })
    expect([status, body.error.message]).toEqual([
      400,
      expect.stringMatching(/two fields are called (s\.)?gRÖßE, ignoring case/),
    ])
  }
  await must(createByRest(NAMESPACE, 'twins'))
  const path = `/iceberg/v1/namespaces/${encodeURIComponent(NAMESPACE)}/tables/twins`
  const schema = { type: 'struct', fields: [...SCHEMA.fields, { ...pair[0], id: 2, name: 'N' }] }
  const updates = [{ action: 'add-schema', schema: { ...schema, 'schema-id': 1 } }]
  const { status } = await post(service, path, { requirements: [], updates })
  expect(status).toBe(400)
  expect((await must(ask(service, path))).metadata.schemas).toHaveLength(1)
})
