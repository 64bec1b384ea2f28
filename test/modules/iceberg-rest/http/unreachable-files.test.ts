import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ManifestFile } from '../../../../src/core/file/data-file.ts'
import { stringifyExactJson } from '../../../../src/formats/json/exact-json.ts'
import { encodeManifestList } from '../../../../src/formats/manifest/manifest-list.ts'
import { ask, must as mustV1 } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { appendCommit, writeAppend } from './engine-client.ts'
import {
  type Json,
  must,
  type RestAnswer,
  refusal,
  rest,
  SCHEMA,
  setProperties,
} from './rest-client.ts'

/** What this service can never reach is refused by name, wherever a table names it. */

let service: TestService
let model: Json
beforeAll(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['a'] } }))
  model = (await create('model')).metadata
})
afterAll(() => service.close())

const tables = '/namespaces/a/tables'
const create = (name: string) => must(rest(service, tables, { json: { name, schema: SCHEMA } }))
const isThere = async (name: string) => (await rest(service, `${tables}/${name}`)).status === 200
const own = () => `${service.deps.warehouse}/own/1.parquet`

interface Refused {
  /** Status for a place that no store here holds, and for a path that is relative. */
  readonly status: { readonly foreign: number; readonly relative: number }
  readonly what: string
}

const PLACES: [what: string, kind: keyof Refused['status'], place: string][] = [
  ['a bucket that is not opened', 'foreign', 's3://not-opened/t'],
  ['a bucket of another cloud', 'foreign', 'gs://not-opened/t'],
  ['a file system that is not known', 'foreign', 'hdfs://name-node/t'],
  ['a web site', 'foreign', 'https://example.org/t'],
  ['a relative path', 'relative', 'warehouse/t'],
  ['a relative path that begins with a dot', 'relative', './t'],
]

async function put(location: string, content: string | Uint8Array): Promise<void> {
  const path = fileURLToPath(location)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
}

/** A snapshot whose manifests are at other paths than those that are written. */
async function putList(location: string, manifests: readonly ManifestFile[]): Promise<void> {
  const numbers = { snapshotId: 7n, parentSnapshotId: null, sequenceNumber: 1n }
  await put(location, encodeManifestList({ manifests, ...numbers }))
}

/** A metadata file with one snapshot, whose parts are as `change` leaves them. */
async function metadataFile(
  change: (metadata: Json, manifests: readonly ManifestFile[]) => unknown,
  files: readonly string[] = [own()],
): Promise<string> {
  const location = `${service.deps.warehouse}/m${randomUUID()}`
  const based = { ...structuredClone(model), location, 'table-uuid': randomUUID() }
  const { json, manifests } = await writeAppend(based, { snapshotId: 7n, files })
  const metadata: Json = {
    ...{ ...based, 'last-sequence-number': 1, 'current-snapshot-id': 7 },
    'last-updated-ms': Number(json['timestamp-ms']),
    snapshots: [{ ...json, 'snapshot-id': 7 }],
    refs: { main: { type: 'branch', 'snapshot-id': 7 } },
  }
  await change(metadata, manifests)
  const file = `${location}/metadata/00001-${randomUUID()}.metadata.json`
  await put(file, stringifyExactJson(metadata))
  return file
}

const WRITTEN = 'write.metadata.path'
const OF_STORES = { foreign: 400, relative: 403 }

interface Registered extends Refused {
  fileWith(place: string): Promise<string>
}

const REGISTERED: readonly Registered[] = [
  {
    what: 'its metadata file',
    status: { foreign: 400, relative: 400 },
    fileWith: async (place) => `${place}/metadata/00001-x.metadata.json`,
  },
  {
    what: 'its location',
    status: { foreign: 403, relative: 400 },
    fileWith: (place) => metadataFile((metadata) => Object.assign(metadata, { location: place })),
  },
  {
    what: 'the folder of its metadata',
    status: { foreign: 403, relative: 400 },
    fileWith: (place) =>
      metadataFile(({ properties }) => Object.assign(properties, { [WRITTEN]: place })),
  },
  {
    what: 'the manifest list of its current snapshot',
    status: OF_STORES,
    fileWith: (place) =>
      metadataFile(({ snapshots }) =>
        Object.assign(snapshots[0], { 'manifest-list': `${place}/l` }),
      ),
  },
  {
    what: 'the manifest list of an older snapshot',
    status: OF_STORES,
    fileWith: (place) =>
      metadataFile(({ snapshots }) =>
        snapshots.unshift({ ...snapshots[0], 'snapshot-id': 6, 'manifest-list': `${place}/l` }),
      ),
  },
  {
    what: 'a manifest that its snapshot names itself',
    status: { foreign: 400, relative: 400 },
    fileWith: (place) =>
      metadataFile((metadata) => {
        const { 'manifest-list': _list, ...snapshot } = metadata.snapshots[0]
        const snapshots = [{ ...snapshot, manifests: [`${place}/m.avro`] }]
        Object.assign(metadata, { 'format-version': 1, snapshots })
      }),
  },
  {
    what: 'a manifest',
    status: OF_STORES,
    fileWith: (place) =>
      metadataFile(({ snapshots }, manifests) => {
        const named = manifests.map((manifest) => ({ ...manifest, path: `${place}/m.avro` }))
        return putList(snapshots[0]['manifest-list'], named)
      }),
  },
  {
    what: 'a data file',
    status: OF_STORES,
    fileWith: (place) => metadataFile(() => {}, [own(), `${place}/1.parquet`]),
  },
]

let names = 0

describe.each(PLACES)('a table is not registered that has in %s', (_what, kind, place) => {
  test.each(REGISTERED)('$what', async ({ fileWith, status }) => {
    const name = `t${++names}`
    const json = { name, 'metadata-location': await fileWith(place) }
    const refused = await refusal(rest(service, '/namespaces/a/register', { json }))
    expect(refused).toMatchObject({ status: status[kind] })
    expect(refused.message).toContain(place)
    expect(await isThere(name)).toBe(false)
  })
})

interface Committed extends Refused {
  commit(name: string, place: string): Promise<RestAnswer>
}

const change = (name: string, ...updates: Json[]) =>
  rest(service, `${tables}/${name}`, { json: { requirements: [], updates } })

async function append(
  name: string,
  reword: (json: Json, manifests: readonly ManifestFile[]) => unknown,
  files = [own()],
) {
  const { metadata } = await must(rest(service, `${tables}/${name}`))
  const { json, manifests } = await writeAppend(metadata, { snapshotId: 7n, files })
  await reword(json, manifests)
  return rest(service, `${tables}/${name}`, { json: appendCommit(metadata, json) })
}

const COMMITTED: readonly Committed[] = [
  {
    what: 'its location',
    status: { foreign: 403, relative: 400 },
    commit: (name, place) => change(name, { action: 'set-location', location: place }),
  },
  {
    what: 'the folder of its metadata',
    status: { foreign: 403, relative: 400 },
    commit: (name, place) => change(name, setProperties({ [WRITTEN]: place })),
  },
  {
    what: 'the manifest list of a snapshot',
    status: { foreign: 400, relative: 400 },
    commit: (name, place) =>
      append(name, (json) => Object.assign(json, { 'manifest-list': `${place}/l` })),
  },
  {
    what: 'a manifest',
    status: { foreign: 400, relative: 400 },
    commit: (name, place) =>
      append(name, (json, manifests) =>
        putList(
          json['manifest-list'],
          manifests.map((m) => ({ ...m, path: `${place}/m.avro` })),
        ),
      ),
  },
]

describe.each(PLACES)('a commit is refused that gives a table in %s', (_what, kind, place) => {
  const name = `t${++names}`
  beforeAll(() => create(name))

  test.each(COMMITTED)('$what', async ({ commit, status }) => {
    const before = await must(rest(service, `${tables}/${name}`))
    const refused = await refusal(commit(name, place))
    expect(refused).toMatchObject({ status: status[kind] })
    expect(refused.message).toContain(place)
    expect(await must(rest(service, `${tables}/${name}`))).toEqual(before)
  })

  test('its location at birth', async () => {
    const json = { name: `${name}_born`, schema: SCHEMA, location: place }
    const refused = await refusal(rest(service, tables, { json }))
    expect(refused).toMatchObject({ status: kind === 'foreign' ? 403 : 400 })
    expect(refused.message).toContain(place)
    expect(await isThere(json.name)).toBe(false)
  })
})

/** Names of files that are relative are taken: Iceberg's compatibility kit invents them. */
test.each(PLACES.filter(([, kind]) => kind === 'foreign'))(
  'a commit is refused that adds a data file in %s',
  async (_what, _kind, place) => {
    const name = `t${++names}`
    await create(name)
    const refused = await refusal(append(name, () => {}, [own(), `${place}/1.parquet`]))
    expect(refused).toMatchObject({ status: 400 })
    expect(refused.message).toContain(`${place}/1.parquet`)
  },
)

test('statistics, which no read needs, may be anywhere and stop no purge', async () => {
  const statistics = (path: string) => ({
    ...{ 'snapshot-id': 7, 'statistics-path': path, 'file-size-in-bytes': 9 },
  })
  const file = await metadataFile((metadata) =>
    Object.assign(metadata, { 'partition-statistics': [statistics('s3://not-opened/t/s')] }),
  )
  const json = { name: 'counted', 'metadata-location': file }
  await must(rest(service, '/namespaces/a/register', { json }))
  await mustV1(ask(service, '/v1/tables/a.counted?purge=now', { method: 'DELETE' }))
  expect(await isThere('counted')).toBe(false)
})
