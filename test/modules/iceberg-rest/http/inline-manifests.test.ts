import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { readConfig } from '../../../../src/config.ts'
import { stringifyExactJson } from '../../../../src/formats/json/exact-json.ts'
import { readManifestList } from '../../../../src/formats/manifest/manifest-list.ts'
import { rebuildCatalog } from '../../../../src/modules/operations/rebuild.ts'
import { openPlatform } from '../../../../src/service.ts'
import { deleteCatalog } from '../../../catalog/deleted-catalog.ts'
import { ask, must as mustV1 } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { type Json, must, refused, rest, SCHEMA } from './rest-client.ts'

const tables = '/namespaces/a/tables'

let service: TestService
beforeEach(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['a'] } }))
})
afterEach(() => service.close())

const pathOf = (location: string) => location.replace('file://', '')
const register = (location: string) =>
  rest(service, '/namespaces/a/register', { json: { name: 't', 'metadata-location': location } })

async function upload(id: number): Promise<void> {
  const rows = { raw: `{"id":${id}}\n`, headers: { 'Content-Type': 'application/x-ndjson' } }
  await mustV1(ask(service, '/v1/tables/a.t/files', { method: 'POST', ...rows }), 201)
}

async function dumped(at = ''): Promise<string> {
  const address = `${service.url}/v1/tables/a.t${at}/dump?format=csv`
  const reply = await fetch(address)
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, expect.anything()])
  return (await reply.text()).match(/^\d+/gm)?.sort().join(' ') ?? ''
}

/** A table of format version 1 with three rows, whose snapshots name their manifests themselves. */
async function writeInline(): Promise<{ location: string; metadata: Json; lists: string[] }> {
  const properties = { 'format-version': '1' }
  await must(rest(service, tables, { json: { name: 't', schema: SCHEMA, properties } }))
  for (const id of [1, 2, 3]) await upload(id)
  const { metadata } = await must(rest(service, `${tables}/t/unregister`, { method: 'POST' }))
  const lists = metadata.snapshots.map((snapshot: Json) => snapshot['manifest-list'])
  for (const snapshot of metadata.snapshots) {
    const list = readManifestList(await readFile(pathOf(snapshot['manifest-list'])))
    snapshot.manifests = list.map(({ path }) => path)
    delete snapshot['manifest-list']
  }
  for (const list of lists) await rm(pathOf(list))
  return { location: await write(metadata), metadata, lists }
}

async function write(metadata: Json): Promise<string> {
  const name = '00099-7b4a1c40-54c2-4a9e-8c4e-5a3f1d1b2c3d.metadata.json'
  const location = `${metadata.location}/metadata/${name}`
  await writeFile(pathOf(location), stringifyExactJson(metadata))
  return location
}

async function filesBelow(location: string): Promise<string[]> {
  const found = await readdir(pathOf(location), { recursive: true, withFileTypes: true })
  return found.filter((entry) => entry.isFile()).map(({ name }) => name)
}

test('snapshots that name their manifests are registered, read, dumped and added to', async () => {
  const { location, metadata } = await writeInline()
  const back = await must(register(location))
  const ids = metadata.snapshots.map((snapshot: Json) => String(snapshot['snapshot-id']))
  const { snapshots } = back.metadata
  expect(snapshots.map((snapshot: Json) => String(snapshot['snapshot-id']))).toEqual(ids)
  for (const snapshot of snapshots) {
    expect(snapshot).not.toHaveProperty('manifests')
    const [line] = readManifestList(await readFile(pathOf(snapshot['manifest-list'])))
    expect(line).toMatchObject({ content: 'data', sequenceNumber: 0n, deletedFilesCount: 0 })
  }
  expect(await dumped()).toBe('1 2 3')
  expect(await dumped(`/${ids[1]}`)).toBe('1 2')
  const plan = await must(rest(service, `${tables}/t/plan`, { json: {} }))
  expect(plan['file-scan-tasks']).toHaveLength(3)
  await upload(4)
  expect(await dumped()).toBe('1 2 3 4')
  const after = await must(rest(service, `${tables}/t`))
  const newest = after.metadata.snapshots.at(-1)
  const lines = readManifestList(await readFile(pathOf(newest['manifest-list'])))
  expect(lines.reduce((sum, line) => sum + line.addedFilesCount + line.existingFilesCount, 0)).toBe(
    4,
  )
})

test('their manifests and lists are counted, and purged with the table', async () => {
  const { location, metadata } = await writeInline()
  await must(register(location))
  expect(await filesBelow(metadata.location)).not.toHaveLength(0)
  await mustV1(ask(service, '/v1/tables/a.t?purge=now', { method: 'DELETE' }))
  const left = (await filesBelow(metadata.location)).filter((name) => !name.endsWith('.json'))
  expect(left).toEqual([])
})

test('a catalog is rebuilt from them', async () => {
  const { location } = await writeInline()
  await must(register(location))
  await service.stop()
  await deleteCatalog(service.home)
  const config = readConfig({ MORAINE_HOME: service.home })
  const platform = await openPlatform(config, { adoptsWarehouse: true })
  const told: string[] = []
  for await (const { table, outcome, detail } of rebuildCatalog(platform)) {
    told.push([outcome, table, detail].join(' ').trim())
  }
  expect(told).toEqual(['registered a.t'])
  const found = await platform.catalog.tables.find({ namespace: ['a'], name: 't' })
  const list = found?.currentSnapshot?.manifestList ?? ''
  const lines = await platform.manifests.getManifestList(list)
  await platform.close()
  expect(lines).toHaveLength(3)
})

test('a snapshot that nothing names may have lost its manifests, others may not', async () => {
  const { metadata } = await writeInline()
  const before = await filesBelow(metadata.location)
  const [first, , last] = metadata.snapshots
  const lost = `${metadata.location}/metadata/manifests/lost.avro`
  const kept = last.manifests
  last.manifests = [lost]
  const broken = await write(metadata)
  expect(await refused(register(broken))).toEqual([
    400,
    'BadRequestException',
    expect.stringContaining(`Cannot read manifest ${lost}`),
  ])
  expect(await filesBelow(metadata.location)).toEqual(before)
  last.manifests = kept
  first.manifests = [lost]
  await must(register(await write(metadata)))
  expect(await dumped()).toBe('1 2 3')
})

test('manifests where files may not be read are refused in any snapshot', async () => {
  const { metadata } = await writeInline()
  metadata.snapshots[0].manifests = ['file:///etc/passwd']
  const [status, type] = await refused(register(await write(metadata)))
  expect([status, type]).toEqual([403, 'ForbiddenException'])
})

test('a commit gives a manifest list', async () => {
  const { location, metadata } = await writeInline()
  await must(register(location))
  const snapshot = { ...metadata.snapshots[0], 'snapshot-id': 7 }
  const json = { requirements: [], updates: [{ action: 'add-snapshot', snapshot }] }
  const [status, , message] = await refused(rest(service, `${tables}/t`, { json }))
  expect([status, message]).toEqual([406, expect.stringContaining('without a manifest list')])
})
