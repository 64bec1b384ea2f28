import { ask, must as mustV1 } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { type Json, must, rest, SCHEMA, setProperties } from './rest-client.ts'

let service: TestService
beforeEach(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['a'] } }))
})
afterEach(() => service.close())

const tables = '/namespaces/a/tables'

async function commit(): Promise<Json> {
  const json = { requirements: [], updates: [setProperties({ n: String(Math.random()) })] }
  return must(rest(service, `${tables}/t`, { json }))
}

const registerAt = (location: string) =>
  must(
    rest(service, '/namespaces/a/register', { json: { name: 't', 'metadata-location': location } }),
  )

test.each(['unregistered', 'dropped', 'replaced'])(
  'what was prepared before a table was %s and registered again does not fit it',
  async (how) => {
    const made = await must(rest(service, tables, { json: { name: 't', schema: SCHEMA } }))
    const tableUuid = made.metadata['table-uuid']
    for (let i = 0; i < 3; i++) await commit()
    const { catalog } = service.deps
    const before = await catalog.tables.find({ tableUuid })
    if (before === undefined) throw new Error('the table is gone')
    const first = made['metadata-location']
    if (how === 'replaced') {
      const json = { name: 't', 'metadata-location': first, overwrite: true }
      await must(rest(service, '/namespaces/a/register', { json }))
    } else {
      const path = how === 'dropped' ? `${tables}/t` : `${tables}/t/unregister`
      const method = how === 'dropped' ? 'DELETE' : 'POST'
      const { status } = await rest(service, path, {
        method,
        ...(how !== 'dropped' && { json: {} }),
      })
      expect(status).toBeLessThan(300)
      await registerAt(first)
    }
    for (let i = 0; i < 2; i++) await commit()
    const now = await catalog.tables.find({ tableUuid })
    expect(now?.version).toBeGreaterThan(before.version + 2)
    const late = {
      expectedVersion: before.version,
      state: { ...before, version: before.version + 1 },
      ...{ newSnapshots: [], newLogEntries: [], addedPaths: [] },
    }
    const outcome = await catalog.tables.commit({ tables: [late], transactions: [] })
    expect(outcome).toMatchObject({ outcome: 'version-mismatch' })
    await catalog.publications.record({
      ...{ tableUuid, version: before.version, publishedAtMs: Date.now() },
      metadataLocation: `${made.metadata.location}/metadata/late.metadata.json`,
    })
    expect((await catalog.tables.find({ tableUuid }))?.metadataLocation).toBe(now?.metadataLocation)
  },
)

test('a view that is registered again goes on above the version that it had', async () => {
  const queries = [{ dialect: 'duckdb', sql: 'SELECT 1' }]
  const json = { name: 'v', namespace: 'a', queries }
  await mustV1(ask(service, '/v1/views', { method: 'POST', json }), 201)
  const loaded = await must(rest(service, '/namespaces/a/views/v'))
  const viewUuid = loaded.metadata['view-uuid']
  const change = { requirements: [], updates: [setProperties({ a: 'b' })] }
  for (let i = 0; i < 2; i++) await must(rest(service, '/namespaces/a/views/v', { json: change }))
  const { views } = service.deps.catalog
  const before = await views.find({ viewUuid })
  await must(rest(service, '/namespaces/a/views/v', { method: 'DELETE' }), 204)
  const again = { name: 'v', 'metadata-location': loaded['metadata-location'] }
  await must(rest(service, '/namespaces/a/register-view', { json: again }))
  const { version } = (await views.find({ viewUuid })) ?? { version: -1 }
  expect(version).toBeGreaterThan(before?.version ?? -1)
})
