import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { stringifyExactJson } from '../../../../src/formats/json/exact-json.ts'
import { writeSnapshot } from '../../../../src/lake/snapshot/snapshot-writer.ts'
import { ask, must as mustV1, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { appendCommit, writeAppend } from './engine-client.ts'
import { type Json, must, refusal, rest, SCHEMA } from './rest-client.ts'

/** Engines name files by names that are not their own: a purge by one must not delete the other. */

const UUID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'

let base: string
let service: TestService
/** The file of table `owner`, and where it is known to the disk. */
let own: string
let snapshotIds = 100n

/** The home itself is reached through a link, which gives nothing two names. */
beforeAll(async () => {
  base = await realpath(await mkdtemp(`${tmpdir()}/moraine-linked-`))
  await mkdir(`${base}/real`)
  await symlink(`${base}/real`, `${base}/home`)
  service = await startTestService({ home: `${base}/home` })
  await must(rest(service, '/namespaces', { json: { namespace: ['a'] } }))
})
afterAll(async () => {
  await service.close()
  await rm(base, { recursive: true, force: true })
})
beforeEach(async () => {
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  await mustV1(post(service, '/v1/tables', { name: 'owner', schema }), 201)
  const headers = { 'Content-Type': 'application/x-ndjson' }
  const upload = { method: 'POST', raw: '{"n": 7}\n', headers }
  await mustV1(ask(service, '/v1/tables/owner/files', upload), 201)
  own = (await mustV1(ask(service, '/v1/tables/owner'))).data_files[0].path
})
afterEach(() => ask(service, '/v1/tables/owner?purge=now', { method: 'DELETE' }))

const at = (name: string) => `/namespaces/a/tables/${name}`
const diskPath = (location: string) => location.replace('file://', '')
const create = (name: string) =>
  must(rest(service, '/namespaces/a/tables', { json: { name, schema: SCHEMA } }))

/** Two other names of the file, below the location of a table. */
async function linksIn(location: string) {
  const data = `${diskPath(location)}/data`
  await mkdir(data, { recursive: true })
  await symlink(dirname(diskPath(own)), `${data}/folder`)
  await symlink(diskPath(own), `${data}/file.parquet`)
  const inFolder = `${data}/folder/${own.slice(own.lastIndexOf('/') + 1)}`
  return [`file://${inFolder}`, `file://${data}/file.parquet`, `file:${inFolder}`, inFolder]
}

async function append(metadata: Json, files: readonly string[], status?: 'existing') {
  const made = { snapshotId: ++snapshotIds, files, ...(status && { status }) }
  const written = await writeAppend(metadata, made)
  return appendCommit(metadata, written.json)
}

test('a commit that names a file by another name is refused, and told its own', async () => {
  const { metadata } = await create('linking')
  const ordinary = `${metadata.location}/data/there.parquet`
  for (const linked of await linksIn(metadata.location)) {
    for (const status of [undefined, 'existing'] as const) {
      const json = await append(metadata, [ordinary, linked], status)
      const refused = await refusal(rest(service, at('linking'), { json }))
      expect(refused).toMatchObject({ status: 403 })
      expect(refused.message).toContain(`give its own name, ${own}`)
    }
  }
  const dangling = `${diskPath(metadata.location)}/data/dangling.parquet`
  await symlink(`${dangling}.nothing`, dangling)
  const json = await append(metadata, [`file://${dangling}`])
  expect(await refusal(rest(service, at('linking'), { json }))).toMatchObject({ status: 403 })
  expect(await must(rest(service, at('linking')))).toMatchObject({ metadata: { snapshots: [] } })
  // What is not there yet leads through no link.
  await must(rest(service, at('linking'), { json: await append(metadata, [ordinary]) }))
})

test('a table is not registered with such a file, nor by such a name', async () => {
  const { metadata, 'metadata-location': location } = await create('model')
  const [linked = ''] = await linksIn(metadata.location)
  const register = async (file: string) => {
    const [{ snapshot }] = (await append(metadata, [file])).updates
    const id = Number(snapshot['snapshot-id'])
    const text = await readFile(diskPath(location), 'utf8')
    const registered = {
      ...{ ...JSON.parse(text), 'table-uuid': UUID, 'last-sequence-number': 1 },
      ...{ location: `${service.deps.warehouse}/elsewhere`, 'current-snapshot-id': id },
      'last-updated-ms': metadata['last-updated-ms'] + 1,
      snapshots: [{ ...snapshot, 'snapshot-id': id }],
      refs: { main: { type: 'branch', 'snapshot-id': id } },
    }
    const path = `${service.dataFolder}/x.metadata.json`
    await writeFile(path, stringifyExactJson(registered))
    return (metadataPath = path) =>
      rest(service, '/namespaces/a/register', {
        json: { name: 'registered', 'metadata-location': `file://${metadataPath}` },
      })
  }
  const refused = await refusal((await register(linked))())
  expect(refused).toMatchObject({ status: 403 })
  expect(refused.message).toContain(own)
  await symlink(`${service.dataFolder}/x.metadata.json`, `${service.dataFolder}/y.metadata.json`)
  const registerOwn = await register(own)
  const byLink = await refusal(registerOwn(`${service.dataFolder}/y.metadata.json`))
  expect(byLink).toMatchObject({ status: 403 })
  // By its own name it is taken, and a purge of its owner leaves it.
  await must(registerOwn())
  await mustV1(ask(service, '/v1/tables/owner?purge=now', { method: 'DELETE' }))
  expect(existsSync(diskPath(own))).toBe(true)
})

test('a purge deletes no file by another name that an older catalog took', async () => {
  const { metadata } = await create('old')
  for (const path of (await linksIn(metadata.location)).slice(0, 2)) await commitOld(path)
  expect((await mustV1(ask(service, '/v1/tables/a.old'))).totals.data_files).toBe(2)
  await mustV1(ask(service, '/v1/tables/a.old?purge=now', { method: 'DELETE' }))
  expect(existsSync(diskPath(own))).toBe(true)
  expect(service.log.filter(({ msg }) => String(msg).startsWith('an unused file'))).toHaveLength(1)
  const dump = await ask(service, '/v1/tables/owner/dump?format=csv')
  expect(dump.text).toBe('n\n7\n')
})

/** As commits were before names were looked at. */
async function commitOld(path: string): Promise<void> {
  const { catalog } = service.deps
  const state = await catalog.tables.find({ namespace: ['a'], name: 'old' })
  if (state === undefined) throw new Error('the table is gone')
  const file = {
    ...({ content: 'data', format: 'parquet', specId: 0, partition: [], path } as const),
    ...{ recordCount: 1, fileSizeBytes: 100 },
  }
  const prepared = await writeSnapshot(service.deps, state, {
    change: { added: [file], removedPaths: new Set(), truncate: false },
    summary: {},
  })
  if (prepared === undefined) throw new Error('nothing was written')
  const { snapshot } = prepared
  const changed = {
    ...{ ...state, version: state.version + 1, currentSnapshot: snapshot },
    ...{ lastSequenceNumber: snapshot.sequenceNumber, lastUpdatedMs: snapshot.timestampMs },
  }
  const changes = { newSnapshots: [snapshot], newLogEntries: [snapshot], addedPaths: [path] }
  const { outcome } = await catalog.tables.commit({
    tables: [{ expectedVersion: state.version, state: changed, ...changes }],
    transactions: [],
  })
  expect(outcome).toBe('committed')
}
