import { mkdir, writeFile } from 'node:fs/promises'
import { ask, must as done, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { appendCommit, writeAppend } from './engine-client.ts'
import { type Json, must, rest } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const COLUMNS = ['n', 'id'].map((name) => ({ name, type: 'long' }))
const CONVERTED = [{ op: 'type', name: 'n', type: 'double' }]
const load = async (name: string) =>
  (await must(rest(service, `/namespaces/default/tables/${name}`))).metadata

const TYPE_OF_N = /("name":"n"[^}]*"type":")long/

let snapshotIds = 100n

interface Attempt {
  /** The schemas that the writer of the manifest knew. */
  readonly schemas: Json
  readonly branch?: string
  readonly snapshotSchemaId?: number
  /** Names of the header to be hidden. */
  readonly hidden?: readonly RegExp[]
  /** Whether the type of a column in it is none. */
  readonly isGarbled?: boolean
}

/** Commits files to the table as it is now, as an engine does when it tries again. */
async function append(
  name: string,
  { schemas, branch, snapshotSchemaId, hidden = [], isGarbled = false }: Attempt,
) {
  const metadata = await load(name)
  const putFile = async (location: string, bytes: Uint8Array) => {
    const text = Buffer.from(bytes).toString('latin1')
    const typed = isGarbled ? text.replace(TYPE_OF_N, '$1oddd') : text
    const shown = hidden.reduce((rest, key) => rest.replace(key, '$1schema-xx'), typed)
    const path = location.replace('file://', '')
    await mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true })
    await writeFile(path, Buffer.from(shown, 'latin1'))
  }
  const files = [`file://${service.dataFolder}/${name}`]
  const snapshotId = ++snapshotIds
  const written = await writeAppend({ ...metadata, schemas }, { snapshotId, files, putFile })
  const schemaId = snapshotSchemaId ?? metadata['current-schema-id']
  const json = appendCommit(metadata, { ...written.json, 'schema-id': schemaId }, branch)
  return rest(service, `/namespaces/default/tables/${name}`, { json })
}

/** A table of one row, as an engine knows it before these changes of its schema in `/v1`. */
async function changed(name: string, changes: Json): Promise<Json> {
  await done(post(service, '/v1/tables', { name, schema: { columns: COLUMNS } }), 201)
  const headers = { 'Content-Type': 'application/x-ndjson' }
  const row = { method: 'POST', raw: '{"n":7,"id":1}\n', headers }
  await done(ask(service, `/v1/tables/${name}/files`, row), 201)
  const before = await load(name)
  await done(post(service, `/v1/tables/${name}/schemas`, { changes }))
  return before
}

/** The name in the header itself, and in the schema's JSON. */
const OWN = /([^"])schema-id/
const IN_JSON = /(")schema-id(?=")/

test.each<[string, readonly RegExp[]]>([
  ['gives the schema’s id', []],
  ['has the schema only', [OWN]],
  ['has another spelling of the schema', [IN_JSON]],
])('files from before a conversion are refused where their manifest %s', async (what, hidden) => {
  const name = what.replaceAll(/\W/g, '_')
  const { schemas } = await changed(name, CONVERTED)
  const { status, body } = await append(name, { schemas, hidden })
  expect([status, body.error.type]).toEqual([409, 'CommitFailedException'])
  expect(body.error.message).toContain('column n was converted')
  const now = await load(name)
  expect((await append(name, { schemas: [now.schemas.at(-1)] })).status).toBe(200)
})

test('a manifest that does not tell its schema is taken', async () => {
  const { schemas } = await changed('untold', CONVERTED)
  expect((await append('untold', { schemas, hidden: [OWN, IN_JSON] })).status).toBe(200)
})

test('a manifest whose schema cannot be read is taken, whatever number it gives', async () => {
  const { schemas } = await changed('unreadable', CONVERTED)
  expect((await append('unreadable', { schemas, isGarbled: true })).status).toBe(200)
})

test('a writer that numbers every schema 0 is taken by what the schema has', async () => {
  await changed('numbered', CONVERTED)
  const { schemas } = await load('numbered')
  const schema = { ...schemas.at(-1), 'schema-id': 0 }
  expect((await append('numbered', { schemas: [schema] })).status).toBe(200)
})

test('an older schema since which nothing was converted is taken', async () => {
  const { schemas } = await changed('added', [
    { op: 'rename', name: 'n', to: 'm' },
    { op: 'add', column: { name: 'x', type: 'double' } },
  ])
  expect((await append('added', { schemas })).status).toBe(200)
})

test('a branch is taken by the schema that it is read by', async () => {
  const { schemas } = await changed('branch', CONVERTED)
  const onBranch = { schemas, branch: 'dev' }
  expect((await append('branch', onBranch)).status).toBe(409)
  expect((await append('branch', { ...onBranch, snapshotSchemaId: 0 })).status).toBe(200)
})

test('a conversion that was undone refuses nothing', async () => {
  const { schemas } = await changed('undone', CONVERTED)
  const { snapshots } = await load('undone')
  const [{ 'snapshot-id': first }] = snapshots
  await done(post(service, '/v1/tables/undone/rollback', { snapshot_id: String(first) }))
  const more = [{ op: 'add', column: { name: 'x', type: 'string' } }]
  await done(post(service, '/v1/tables/undone/schemas', { changes: more }))
  expect((await append('undone', { schemas })).status).toBe(200)
})

test('files of a conversion that was undone are refused', async () => {
  await changed('undone_since', CONVERTED)
  const { schemas, snapshots } = await load('undone_since')
  const back = { snapshot_id: String(snapshots[0]['snapshot-id']) }
  await done(post(service, '/v1/tables/undone_since/rollback', back))
  const more = [{ op: 'add', column: { name: 'x', type: 'string' } }]
  await done(post(service, '/v1/tables/undone_since/schemas', { changes: more }))
  const { status, body } = await append('undone_since', { schemas: [schemas.at(-1)] })
  expect([status, body.error.type]).toEqual([409, 'CommitFailedException'])
})

test('a column that came, was converted and went again refuses nothing', async () => {
  const { schemas } = await changed('passing', [{ op: 'add', column: { name: 'x', type: 'long' } }])
  for (const changes of [
    [{ op: 'type', name: 'x', type: 'double' }],
    [{ op: 'drop', name: 'x' }],
    [{ op: 'add', column: { name: 'y', type: 'string' } }],
  ]) {
    await done(post(service, '/v1/tables/passing/schemas', { changes }))
  }
  expect((await append('passing', { schemas })).status).toBe(200)
})

/** A snapshot of one new file that was written by the schema, and the commit that appends it. */
async function written(metadata: Json, schemaId: number) {
  const snapshotId = ++snapshotIds
  const files = [`file://${service.dataFolder}/${snapshotId}`]
  const putFile = async (location: string, bytes: Uint8Array) => {
    const path = location.replace('file://', '')
    await mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true })
    await writeFile(path, bytes)
  }
  const schemas = metadata.schemas.filter((each: Json) => each['schema-id'] === schemaId)
  const { json } = await writeAppend({ ...metadata, schemas }, { snapshotId, files, putFile })
  return appendCommit(metadata, { ...json, 'schema-id': schemaId })
}

const commit = (name: string, json: Json) =>
  rest(service, `/namespaces/default/tables/${name}`, { json })

test('what a commit converts by itself its files may be older than', async () => {
  const name = 'itself'
  await done(post(service, '/v1/tables', { name, schema: { columns: COLUMNS } }), 201)
  const metadata = await load(name)
  const json = await written(metadata, 0)
  const schema = structuredClone(metadata.schemas[0])
  schema['schema-id'] = 1
  schema.fields[0] = { id: 3, name: 'n', required: false, type: 'double' }
  const updates = [
    ...json.updates,
    { action: 'add-schema', schema, 'last-column-id': 3 },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]
  expect((await commit(name, { ...json, updates })).status).toBe(200)
})

test('a table that is replaced by one of an earlier schema takes files of that', async () => {
  const name = 'replaced'
  await done(post(service, '/v1/tables', { name, schema: { columns: COLUMNS } }), 201)
  const replace = async (schemaId: number, before: readonly Json[] = []) => {
    const metadata = await load(name)
    const schemas = [...metadata.schemas, ...before.map(({ schema }) => schema).filter(Boolean)]
    const json = await written({ ...metadata, schemas }, schemaId)
    const leave = { action: 'remove-snapshot-ref', 'ref-name': 'main' }
    return commit(name, { requirements: [], updates: [leave, ...before, ...json.updates] })
  }
  const [first] = (await load(name)).schemas
  const schema = structuredClone({ ...first, 'schema-id': 1 })
  schema.fields[0].type = 'double'
  const current = (schemaId: number) => ({ action: 'set-current-schema', 'schema-id': schemaId })
  expect((await replace(1, [{ action: 'add-schema', schema }, current(-1)])).status).toBe(200)
  expect((await replace(0, [current(0)])).status).toBe(200)
})

test('a rollback over a conversion and files of after it do not go together', async () => {
  await changed('rolled', CONVERTED)
  const metadata = await load('rolled')
  const [{ 'snapshot-id': first }] = metadata.snapshots
  const json = await written(metadata, metadata['current-schema-id'])
  const back = {
    ...{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch' },
    'snapshot-id': first,
  }
  const { status } = await commit('rolled', { ...json, updates: [back, ...json.updates] })
  expect(status).toBe(409)
})
