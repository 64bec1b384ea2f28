import { ask, type Json, must, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { writeParquet } from '../../../parquet-files.ts'

/** Clients check the types of a new schema; those that do not must not make files unreadable. */
let service: TestService
beforeAll(async () => {
  service = await startTestService()
  const path = `${service.dataFolder}/a.parquet`
  await writeParquet(path, "SELECT 3000000000::BIGINT AS i, 'ż' AS s")
  await must(post(service, '/v1/tables', { name: 't', infer_from: path }), 201)
  await must(post(service, '/v1/tables/t/files', { files: [{ path }] }))
})
afterAll(() => service.close())

const ADDRESS = '/iceberg/v1/namespaces/default/tables/t'
const table = () => must(ask(service, ADDRESS))

/** The table's schema with other types, made the current one. */
async function asType(type: string, ...before: Json[]) {
  return withTypes({ i: type }, ...before)
}

async function withTypes(types: Record<string, string>, ...before: Json[]) {
  const { metadata } = await table()
  const current = metadata['current-schema-id']
  const schema = metadata.schemas.find((each: Json) => each['schema-id'] === current)
  const fields = schema.fields.map((each: Json) => ({
    ...{ ...each, type: types[each.name] ?? each.type },
  }))
  const changed = { ...schema, fields }
  const updates = [
    ...before,
    { action: 'add-schema', schema: changed },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]
  return { requirements: [], updates }
}

test('a column becomes no type that its files cannot be read as, by either face', async () => {
  const before = await table()
  for (const type of ['int', 'string', 'decimal(10, 0)']) {
    const { status, body } = await post(service, ADDRESS, await asType(type))
    expect([status, body.error.type]).toEqual([400, 'BadRequestException'])
    expect(body.error.message).toContain(
      `Cannot change column type: i: long -> ${type.slice(0, 3)}`,
    )
    const group = {
      'table-changes': [
        { identifier: { namespace: ['default'], name: 't' }, ...(await asType(type)) },
      ],
    }
    const all = await post(service, '/iceberg/v1/transactions/commit', group)
    expect(all.status).toBe(400)
  }
  const changes = [{ op: 'widen', name: 'i', type: 'int' }]
  const evolved = await post(service, '/v1/tables/t/schemas', { changes })
  expect(evolved.status).toBe(422)
  expect(await table()).toEqual(before)
  const dump = await fetch(`${service.url}/v1/tables/t/dump?format=csv`)
  expect(await dump.text()).toBe('i,s\n3000000000,ż\n')
})

test('what PyIceberg promotes besides is taken, and dumped', async () => {
  await must(post(service, ADDRESS, await withTypes({ s: 'binary' })))
  const dump = await fetch(`${service.url}/v1/tables/t/dump?format=csv`)
  expect(await dump.text()).toBe('i,s\n3000000000,xbw=\n')
  await must(post(service, ADDRESS, await withTypes({ s: 'string' })))
  const again = await fetch(`${service.url}/v1/tables/t/dump?format=ndjson`)
  expect(await again.text()).toBe('{"i":3000000000,"s":"ż"}\n')
})

test('a commit that replaces the table takes any type', async () => {
  const main = { action: 'remove-snapshot-ref', 'ref-name': 'main' }
  const replaced = await must(post(service, ADDRESS, await asType('string', main)))
  expect(replaced.metadata['current-snapshot-id'] ?? -1).toBe(-1)
})
