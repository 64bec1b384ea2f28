import { rm } from 'node:fs/promises'
import { readConfig } from '../../../../src/config.ts'
import { rebuildCatalog } from '../../../../src/modules/operations/rebuild.ts'
import { openPlatform } from '../../../../src/service.ts'
import { deleteCatalog } from '../../../catalog/deleted-catalog.ts'
import { ask, must as mustV1 } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { must, rest, SCHEMA } from './rest-client.ts'

const tables = '/namespaces/a/tables'

let service: TestService
beforeEach(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['a'] } }))
})
afterEach(() => service.close())

test('a registered table comes back without an old list, with its tag', async () => {
  await must(rest(service, tables, { json: { name: 't', schema: SCHEMA } }))
  for (const id of [1, 2, 3]) {
    const rows = { raw: `{"id":${id}}\n`, headers: { 'Content-Type': 'application/x-ndjson' } }
    await mustV1(ask(service, '/v1/tables/a.t/files', { method: 'POST', ...rows }), 201)
    if (id > 1) continue
    const json = { type: 'tag' }
    await mustV1(ask(service, '/v1/tables/a.t/refs/first', { method: 'PUT', json }))
  }
  const left = await must(rest(service, `${tables}/t/unregister`, { method: 'POST' }))
  const { snapshots } = left.metadata
  const json = { name: 'again', 'metadata-location': left['metadata-location'] }
  await must(rest(service, '/namespaces/a/register', { json }))
  await service.stop()
  await deleteCatalog(service.home)
  const list = snapshots[0]['manifest-list']
  await rm(list.replace('file://', ''))

  const config = readConfig({ MORAINE_HOME: service.home })
  const platform = await openPlatform(config, { adoptsWarehouse: true })
  try {
    const told: unknown[] = []
    for await (const found of rebuildCatalog(platform)) told.push(found)
    const lost = `snapshot ${snapshots[0]['snapshot-id']} (first) cannot be read: ${list}`
    expect(told).toEqual([
      expect.objectContaining({
        ...{ table: 'a.again', outcome: 'incomplete' },
        detail: expect.stringContaining(lost),
      }),
    ])
    const found = await platform.catalog.tables.find({ namespace: ['a'], name: 'again' })
    expect(Object.keys(found?.refs ?? {})).toEqual(['first'])
  } finally {
    await platform.close()
  }
})
