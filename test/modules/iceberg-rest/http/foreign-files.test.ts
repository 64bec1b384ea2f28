import { readFile, writeFile } from 'node:fs/promises'
import type { ManifestFile } from '../../../../src/core/file/data-file.ts'
import { stringifyExactJson } from '../../../../src/formats/json/exact-json.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { appendCommit, writeAppend } from './engine-client.ts'
import { type Json, must, refusal, rest, SCHEMA } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['a'] } }))
})
afterAll(() => service.close())

const at = (name: string) => `/namespaces/a/tables/${name}`
const load = (name: string) => must(rest(service, at(name)))
const create = (name: string) =>
  must(rest(service, '/namespaces/a/tables', { json: { name, schema: SCHEMA } }))
const commit = (name: string, json: Json) => rest(service, at(name), { json })
const allowed = (name: string) => `file://${service.dataFolder}/${name}`

let snapshotIds = 100n

/** The commit of an append, with its manifests written. */
async function append(
  metadata: Json,
  files: readonly string[],
  before: readonly ManifestFile[] = [],
): Promise<{ json: Json; manifests: readonly ManifestFile[] }> {
  const written = await writeAppend(metadata, { snapshotId: ++snapshotIds, files, before })
  return { json: appendCommit(metadata, written.json), manifests: written.manifests }
}

const OUTSIDE: [string, string, number][] = [
  ['a file outside', 'file:///etc/passwd', 403],
  ['one with a single slash', 'file:/etc/passwd', 403],
  ['one without a scheme', '/etc/passwd', 403],
  ['one that climbs', 'file:///nowhere/../etc/passwd', 400],
  ['a folder like an allowed one', 'SIBLING', 403],
  ['an object of a store that is not there', 's3://bucket/key', 400],
]

test.each(OUTSIDE)('a commit that names %s is refused', async (what, path, status) => {
  const name = what.replaceAll(' ', '_')
  const { metadata } = await create(name)
  const file = path === 'SIBLING' ? `file://${service.dataFolder}2/x` : path
  const { json } = await append(metadata, [allowed('fine'), file])
  const refused = await refusal(commit(name, json))
  expect(refused).toMatchObject({ status })
  expect(refused.message).toContain(file.replace(/^(?:file:)?\/+/, '').slice(0, 30))
  expect(await load(name)).toMatchObject({ metadata: { snapshots: [] } })
})

test('a name without a folder leads nowhere, and is taken as that of a missing file', async () => {
  const { metadata } = await create('relative')
  const { json } = await append(metadata, ['x.parquet'])
  await must(commit('relative', json))
  const read = await fetch(`${service.url}/v1/tables/a.relative/dump?format=csv`)
  expect(read.status).toBeGreaterThanOrEqual(400)
  // But no table is adopted whose files can never be reached.
  const left = await must(rest(service, `${at('relative')}/unregister`, { method: 'POST' }))
  const register = { name: 'again', 'metadata-location': left['metadata-location'] }
  const refused = await refusal(rest(service, '/namespaces/a/register', { json: register }))
  expect(refused).toMatchObject({ status: 403 })
  expect(refused.message).toContain('x.parquet')
})

test('a commit whose manifests are of an earlier snapshot is held to the same', async () => {
  // An engine makes them with the files of another catalog: nobody has looked at their paths.
  const { metadata } = await create('forged')
  const foreign = await append(metadata, ['file:///etc/passwd'])
  const { json } = await append(metadata, [allowed('1')], foreign.manifests)
  expect(await refusal(commit('forged', json))).toMatchObject({ status: 403 })

  const fine = await append(metadata, [allowed('2')])
  const next = await append(metadata, [allowed('3')], fine.manifests)
  await must(commit('forged', next.json))
  // So that nothing deletes what another table adds of them.
  const { paths } = service.deps.catalog
  const asked = ['2', '3', '4'].map(allowed)
  const known = await paths.findKnown(metadata['table-uuid'], asked)
  expect([...known].sort()).toEqual(asked.slice(0, 2))

  // What the table has is not read again.
  const now = await load('forged')
  const third = await append(now.metadata, [allowed('5')], next.manifests)
  await must(commit('forged', third.json))
})

test('a table that is registered, or born with a snapshot, is held to the same', async () => {
  const { metadata, 'metadata-location': location } = await create('model')
  const outside = await append(metadata, [allowed('1'), 'file:///etc/passwd'])
  const [{ snapshot }] = outside.json.updates
  const text = await readFile(location.replace('file://', ''), 'utf8')
  const uuid = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'
  const registered = {
    ...JSON.parse(text),
    'table-uuid': uuid,
    location: `${service.deps.warehouse}/elsewhere`,
    'last-sequence-number': 1,
    'last-updated-ms': metadata['last-updated-ms'] + 1,
    'current-snapshot-id': Number(snapshot['snapshot-id']),
    snapshots: [{ ...snapshot, 'snapshot-id': Number(snapshot['snapshot-id']) }],
    refs: { main: { type: 'branch', 'snapshot-id': Number(snapshot['snapshot-id']) } },
  }
  const file = `${service.dataFolder}/x.metadata.json`
  await writeFile(file, stringifyExactJson(registered))
  const register = rest(service, '/namespaces/a/register', {
    json: { name: 'registered', 'metadata-location': `file://${file}` },
  })
  expect(await refusal(register)).toMatchObject({ status: 403, type: 'ForbiddenException' })
  expect((await rest(service, at('registered'))).status).toBe(404)

  const schema = metadata.schemas[0]
  const birth = {
    requirements: [{ type: 'assert-create' }],
    updates: [
      { action: 'upgrade-format-version', 'format-version': 2 },
      { action: 'add-schema', schema },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
      { action: 'set-default-spec', 'spec-id': -1 },
      ...outside.json.updates,
    ],
  }
  expect(await refusal(commit('born', birth))).toMatchObject({ status: 403 })
  expect((await rest(service, at('born'))).status).toBe(404)
})
