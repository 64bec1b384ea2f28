import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readConfig } from '../../../../src/config.ts'
import { rebuildCatalog } from '../../../../src/modules/operations/rebuild.ts'
import { openPlatform } from '../../../../src/service.ts'
import { deleteCatalog } from '../../../catalog/deleted-catalog.ts'
import { ask, must as mustV1, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { type Json, must, refused, rest, SCHEMA, setProperties } from './rest-client.ts'

const PATH = 'write.metadata.path'

let service: TestService
let warehouse: string
beforeEach(async () => {
  service = await startTestService()
  warehouse = join(service.home, 'warehouse')
  await must(rest(service, '/namespaces', { json: { namespace: ['a'] } }))
})
afterEach(() => service.close())

const tables = '/namespaces/a/tables'
const create = (name: string, path: string, more: object = {}) =>
  rest(service, tables, { json: { name, schema: SCHEMA, properties: { [PATH]: path }, ...more } })
const change = (name: string, update: object) =>
  rest(service, `${tables}/${name}`, { json: { requirements: [], updates: [update] } })

async function upload(name: string): Promise<void> {
  const rows = { raw: '{"id":1}\n', headers: { 'Content-Type': 'application/x-ndjson' } }
  await mustV1(ask(service, `/v1/tables/a.${name}/files`, { method: 'POST', ...rows }), 201)
}

async function filesBelow(location: string): Promise<string[]> {
  const path = location.replace('file://', '')
  const found = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => [])
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

test('all metadata goes to the folder that a table says, and is purged there', async () => {
  const folder = `file://${warehouse}/custom/path`
  const made = await must(create('t', `${folder}/`))
  expect(made['metadata-location']).toMatch(`${folder}/00000-`)
  await upload('t')
  await service.deps.publisher.publish(made.metadata['table-uuid'])
  const { metadata, ...loaded } = await must(rest(service, `${tables}/t`))
  expect(loaded['metadata-location']).toMatch(`${folder}/0000`)
  expect(metadata.snapshots[0]['manifest-list']).toMatch(`${folder}/manifest_lists/`)
  expect(await filesBelow(`${metadata.location}/metadata`)).toEqual([])
  const names = (await filesBelow(folder)).map((path) => path.replace(/^.*\/path\//, ''))
  expect(names.map((name) => name.replace(/[/-].*/, '')).sort()).toEqual(
    expect.arrayContaining(['00000', '00001', 'manifest_lists', 'manifests', 'snapshots']),
  )
  await writeFile(join(warehouse, 'custom', 'path', 'notes.avro'), 'of somebody')
  await mustV1(ask(service, '/v1/tables/a.t?purge=now', { method: 'DELETE' }))
  expect(await filesBelow(folder)).toEqual([join(warehouse, 'custom', 'path', 'notes.avro')])
})

test('a folder that is another table’s, or cannot be written to, is refused by name', async () => {
  const other = await must(create('other', `file://${warehouse}/meta`))
  const location = other.metadata.location
  const cases: [string, number][] = [
    [`file://${warehouse}/meta`, 409],
    [`file://${warehouse}/meta/below`, 409],
    [`${location}/metadata`, 409],
    [`file://${service.dataFolder}/meta`, 403],
    ['s3://bucket/meta', 403],
    [`file://${warehouse}/.dumps/x`, 403],
  ]
  await must(rest(service, tables, { json: { name: 't', schema: SCHEMA } }))
  const before = await must(rest(service, `${tables}/t`))
  for (const [path, status] of cases) {
    for (const refusal of [create('new', path), change('t', setProperties({ [PATH]: path }))]) {
      const [actual, , message] = await refused(refusal)
      expect([path, actual]).toEqual([path, status])
      expect(message).toMatch(/write\.metadata\.path: Location (taken|not allowed)/)
    }
  }
  expect(await must(rest(service, `${tables}/t`))).toEqual(before)
  const json = { name: 'in', schema: SCHEMA, location: `file://${warehouse}/meta/table` }
  expect((await refused(rest(service, tables, { json })))[0]).toBe(409)
})

test('it is followed from the commit that sets it to the one that removes it', async () => {
  const { metadata } = await must(rest(service, tables, { json: { name: 't', schema: SCHEMA } }))
  const folder = `${metadata.location}/elsewhere`
  const set = await must(change('t', setProperties({ [PATH]: folder })))
  expect(set['metadata-location']).toMatch(`${folder}/00001-`)
  const few = { 'write.metadata.previous-versions-max': '1' }
  for (let i = 0; i < 4; i++) await must(change('t', setProperties({ ...few, n: String(i) })))
  await service.deps.publisher.close()
  const kept = (await filesBelow(folder)).filter((path) => path.endsWith('.metadata.json'))
  expect(kept).toHaveLength(2)
  const removal = { action: 'remove-properties', removals: [PATH] }
  const removed = await must(change('t', removal))
  expect(removed['metadata-location']).toMatch(`${metadata.location}/metadata/00006-`)
})

test('a clone has metadata of its own, and a rebuild finds what lies elsewhere', async () => {
  const folder = `file://${warehouse}/custom/metadata`
  await must(create('t', folder))
  await upload('t')
  await mustV1(post(service, '/v1/tables/a.t/clone', { name: 'copy', namespace: 'a' }), 201)
  const copy: Json = await must(rest(service, `${tables}/copy`))
  expect(copy['metadata-location']).toMatch(`${copy.metadata.location}/metadata/`)
  await must(create('gone', `file://${warehouse}/gone`))
  await mustV1(ask(service, '/v1/tables/a.gone', { method: 'DELETE' }))
  await service.stop()
  await deleteCatalog(service.home)
  const config = readConfig({ MORAINE_HOME: service.home })
  const platform = await openPlatform(config, { adoptsWarehouse: true })
  const told: string[] = []
  for await (const { table, outcome } of rebuildCatalog(platform)) told.push(`${outcome} ${table}`)
  const found = await platform.catalog.tables.find({ namespace: ['a'], name: 't' })
  const rows = found?.currentSnapshot?.summary['total-records']
  const owners = await platform.catalog.locations.findOwners([`${folder}/x.metadata.json`])
  await platform.close()
  expect(told.sort()).toEqual(['dropped undefined', 'registered a.copy', 'registered a.t'])
  expect(rows).toBe('1')
  expect([...owners.values()].flat().map(({ location }) => location)).toEqual([folder])
})
