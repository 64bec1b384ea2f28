import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { stringifyExactJson } from '../../../../src/formats/json/exact-json.ts'
import { ask, must as mustV1 } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { type Json, must, refusal, rest, SCHEMA, setProperties } from './rest-client.ts'

let service: TestService
beforeEach(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['a'] } }))
})
afterEach(() => service.close())

const tables = '/namespaces/a/tables'
const FOREIGN = ['v1.metadata.json', 'v2.gz.metadata.json', 'snap-1.avro', 'm0.avro']

/** The files of a table that this catalog does not know, as Hadoop's catalog has them. */
async function foreignTable(name: string): Promise<{ location: string; files: string[] }> {
  const folder = join(service.home, 'warehouse', name)
  await mkdir(join(folder, 'metadata'), { recursive: true })
  const text = stringifyExactJson({ 'format-version': 2, 'table-uuid': randomUUID() })
  const files = FOREIGN.map((file) => join(folder, 'metadata', file))
  for (const file of files) await writeFile(file, file.includes('.gz.') ? gzipSync(text) : text)
  return { location: `file://${folder}`, files }
}

async function create(name: string, more: object = {}): Promise<Json> {
  const made = await must(rest(service, tables, { json: { name, schema: SCHEMA, ...more } }))
  const rows = { raw: '{"id":1}\n', headers: { 'Content-Type': 'application/x-ndjson' } }
  await mustV1(ask(service, `/v1/tables/a.${name}/files`, { method: 'POST', ...rows }), 201)
  await service.deps.publisher.publish(made.metadata['table-uuid'])
  return made
}

const change = (name: string, update: object) =>
  rest(service, `${tables}/${name}`, { json: { requirements: [], updates: [update] } })
const purge = (name: string) =>
  mustV1(ask(service, `/v1/tables/a.${name}?purge=now`, { method: 'DELETE' }))
const left = (folder: string) =>
  readdir(folder, { recursive: true, withFileTypes: true }).then((entries) =>
    entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)),
  )

test('a table moves into no folder that holds the metadata of another', async () => {
  const { location } = await foreignTable('theirs')
  await create('t')
  for (const update of [
    { action: 'set-location', location },
    setProperties({ 'write.metadata.path': `${location}/metadata` }),
    setProperties({ 'write.metadata.path': location }),
  ]) {
    const { status, message } = await refusal(change('t', update))
    expect([update, status]).toEqual([update, 403])
    expect(message).toContain('it already holds the metadata of a table')
  }
  const properties = { 'write.metadata.path': `${location}/metadata` }
  const json = { name: 'new', schema: SCHEMA, properties }
  expect(await refusal(rest(service, tables, { json }))).toMatchObject({ status: 403 })
})

test('a table goes back to a folder that it had', async () => {
  const { metadata } = await create('t')
  const elsewhere = `file://${join(service.home, 'warehouse', 'elsewhere')}`
  await must(change('t', { action: 'set-location', location: elsewhere }))
  await must(change('t', { action: 'set-location', location: metadata.location }))
  expect((await must(rest(service, `${tables}/t`))).metadata.location).toBe(metadata.location)
})

/** Registers the metadata of a new table as that of another one, at this location. */
async function registerAt(location: string, properties: object = {}): Promise<string> {
  const made = await create('made', { location: `file://${service.home}/warehouse/made` })
  const text = await readFile(fileURLToPath(made['metadata-location']), 'utf8')
  const uuid = randomUUID()
  const metadata = { ...JSON.parse(text), 'table-uuid': uuid, location, properties }
  const file = join(service.dataFolder, `00001-${uuid}.metadata.json`)
  await writeFile(file, JSON.stringify(metadata))
  const json = { name: 't', 'metadata-location': `file://${file}` }
  await must(rest(service, '/namespaces/a/register', { json }))
  return uuid
}

test('a table that shares a folder already may have another for its metadata', async () => {
  const { location } = await foreignTable('theirs')
  await registerAt(location)
  const path = `file://${join(service.home, 'warehouse', 'free')}`
  await must(change('t', setProperties({ 'write.metadata.path': path })))
})

test('a table with its metadata elsewhere moves into no such folder either', async () => {
  const { location } = await foreignTable('theirs')
  await create('t')
  const path = `file://${join(service.home, 'warehouse', 'free')}`
  await must(change('t', setProperties({ 'write.metadata.path': path })))
  const { status } = await refusal(change('t', { action: 'set-location', location }))
  expect(status).toBe(403)
})

test('a purge leaves the metadata of a table that shares a registered one’s folder', async () => {
  const { location, files } = await foreignTable('theirs')
  const uuid = await registerAt(location)
  const rows = { raw: '{"id":1}\n', headers: { 'Content-Type': 'application/x-ndjson' } }
  await mustV1(ask(service, '/v1/tables/a.t/files', { method: 'POST', ...rows }), 201)
  await service.deps.publisher.publish(uuid)
  expect((await left(fileURLToPath(location))).length).toBeGreaterThan(files.length + 3)
  await purge('t')
  expect((await left(fileURLToPath(location))).sort()).toEqual(files.sort())
})

test('a purge leaves it in a folder that only write.metadata.path names', async () => {
  const { location, files } = await foreignTable('theirs')
  const own = `file://${join(service.home, 'warehouse', 'own')}`
  const uuid = await registerAt(own, { 'write.metadata.path': `${location}/metadata` })
  const rows = { raw: '{"id":1}\n', headers: { 'Content-Type': 'application/x-ndjson' } }
  await mustV1(ask(service, '/v1/tables/a.t/files', { method: 'POST', ...rows }), 201)
  await service.deps.publisher.publish(uuid)
  await purge('t')
  expect((await left(fileURLToPath(location))).sort()).toEqual(files.sort())
  expect(await left(fileURLToPath(own))).toEqual([])
})

test('where a table is alone, its purge takes what nothing names, too', async () => {
  const location = `file://${join(service.home, 'warehouse', 'alone')}`
  await create('t', { location })
  const orphan = join(fileURLToPath(location), 'metadata', 'snap-9-1-orphan.avro')
  await writeFile(orphan, 'of a commit that failed')
  await purge('t')
  expect(await left(fileURLToPath(location))).toEqual([])
})
