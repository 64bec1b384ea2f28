import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Answer, ask, type Json, must } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { appendCommit, writeAppend } from '../iceberg-rest/http/engine-client.ts'
import {
  rest,
  must as restMust,
  refusal as restRefusal,
  SCHEMA,
} from '../iceberg-rest/http/rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const COLUMNS = [{ name: 'n', type: 'long' }]
const create = (json: object) =>
  ask(service, '/v1/tables', { json: { schema: { columns: COLUMNS }, ...json } })
const load = (name: string) => must(ask(service, `/v1/tables/${name}`))
const upload = (name: string, text: string) =>
  must(
    ask(service, `/v1/tables/${name}/files`, {
      ...{ method: 'POST', raw: text, headers: { 'Content-Type': 'application/x-ndjson' } },
    }),
    201,
  )
const drop = (name: string, query = '') =>
  must(ask(service, `/v1/tables/${name}${query}`, { method: 'DELETE' }))
const dump = (name: string) =>
  must(ask(service, `/v1/tables/${name}/dump?format=csv`)).then(
    () => undefined,
    (error: Error) => error.message,
  )

/** Status and code of a refusal by `/v1`. */
async function refused(answer: Promise<Answer>): Promise<unknown[]> {
  const { status, body } = await answer
  return [status, String(body.type).split('/').at(-1)]
}

async function createRest(namespace: string, json: object): Promise<Json> {
  await rest(service, '/namespaces', { json: { namespace: [namespace] } })
  return rest(service, `/namespaces/${encodeURIComponent(namespace)}/tables`, {
    json: { schema: SCHEMA, ...json },
  })
}

test('default locations of tables, clones and views have no namespace in them', async () => {
  const place = (name: string, uuid: string) => {
    return `${service.deps.warehouse}/${uuid.slice(0, 2)}/${name}-${uuid}`
  }
  const made = await must(create({ name: 'flights', namespace: 'aviation.europe' }), 201)
  expect(made.location).toBe(place('flights', made.table_id))
  const clone = await must(
    ask(service, '/v1/tables/aviation.europe.flights/clone', {
      json: { name: 'copy', namespace: 'elsewhere' },
    }),
    201,
  )
  expect(clone.location).toBe(place('copy', clone.table_id))
  const { metadata } = await restMust(createRest('sky', { name: 'a b/ö' }))
  expect(metadata.location).toBe(place('a_b__', metadata['table-uuid']))
  const view = await must(
    ask(service, '/v1/views', {
      json: { name: 'late', namespace: 'aviation', queries: [{ sql: 'SELECT 1', dialect: 'x' }] },
    }),
    201,
  )
  expect(view.location ?? '').not.toContain('aviation/')
})

test.each(['dumps', 'metadata', 'data', '.hidden'])(
  'a table in a namespace %s is a table like any other, whatever is dumped and dropped',
  async (namespace) => {
    const other = await must(create({ name: `other_${namespace.replace('.', '')}` }), 201)
    const levels = [namespace, other.table_id, 'csv']
    const path = `/namespaces/${levels.map(encodeURIComponent).join('%1F')}/tables`
    for (const [i] of levels.entries()) {
      await rest(service, '/namespaces', { json: { namespace: levels.slice(0, i + 1) } })
    }
    const { metadata } = await restMust(
      rest(service, path, { json: { name: 't', schema: SCHEMA } }),
    )
    const uuid = metadata['table-uuid']
    await upload(other.table_id, '{"n":1}\n')
    await must(ask(service, `/v1/tables/${other.table_id}/dump?format=csv`), 200)
    await drop(other.table_id, '?purge=true')
    expect((await load(uuid)).metadata_location).toBeDefined()
    const left = await readdir(join(metadata.location.replace('file://', ''), 'metadata'))
    expect(left).toHaveLength(1)
  },
)

test('the dumps are in a folder that no namespace and no table can have', async () => {
  await must(create({ name: 'dumped' }), 201)
  await upload('dumped', '{"n":1}\n')
  expect(await dump('dumped')).toBeUndefined()
  const folders = await readdir(service.deps.warehouse.replace('file://', ''))
  expect(folders).toContain('.dumps')
  expect(folders).not.toContain('dumps')
  for (const below of ['.dumps', '.dumps/x', '.tmp/x']) {
    const location = `${service.deps.warehouse}/${below}`
    expect(await refused(create({ name: 'evil', location }))).toEqual([403, 'location-not-allowed'])
    expect(await restRefusal(createRest('evil', { name: 'evil', location }))).toMatchObject({
      status: 403,
    })
  }
  const prefix = `${service.deps.warehouse}/ab`
  expect(await refused(create({ name: 'evil', location: prefix }))).toEqual([
    403,
    'location-not-allowed',
  ])
  for (const name of ['dumps', 'data', 'metadata']) {
    const location = `${service.deps.warehouse}/${name}/x`
    expect((await must(create({ name, location }), 201)).location).toBe(location)
  }
})

test('two tables never share a location, nor lie within each other, by any face', async () => {
  const location = `${service.deps.warehouse}/given/t`
  const holder = await must(create({ name: 'holder', location }), 201)
  const taken = [location, `${location}/`, `${location}/data/x`, `${service.deps.warehouse}/given`]
  for (const place of taken) {
    const answer = await create({ name: 'second', location: place })
    expect(answer.status).toBe(409)
    expect(answer.body).toMatchObject({
      type: '/problems/location-taken',
      taken_location: location,
      taken_by: holder.table_id,
      is_dropped: false,
    })
    for (const more of [{}, { 'stage-create': true }]) {
      const request = { name: 'second', location: place.replace('file://', 'file:'), ...more }
      expect(await restRefusal(createRest('b', request))).toMatchObject({
        status: 409,
        type: 'AlreadyExistsException',
      })
    }
  }
  await restMust(createRest('b', { name: 'mover' }))
  const move = {
    updates: [{ action: 'set-location', location: `${location}/x` }],
    requirements: [],
  }
  expect(
    await restRefusal(rest(service, '/namespaces/b/tables/mover', { json: move })),
  ).toMatchObject({ status: 409, type: 'AlreadyExistsException' })
  const view = { action: 'set-location', location: `${location}/data` }
  await must(
    ask(service, '/v1/views', {
      json: { name: 'v', namespace: 'b', queries: [{ sql: 'SELECT 1', dialect: 'x' }] },
    }),
    201,
  )
  const moveView = rest(service, '/namespaces/b/views/v', {
    json: { updates: [view], requirements: [] },
  })
  expect(await restRefusal(moveView)).toMatchObject({ status: 409 })
})

test('a dropped table keeps its location until its files are gone', async () => {
  const location = `${service.deps.warehouse}/kept/t`
  await must(create({ name: 'kept', location }), 201)
  await upload('kept', '{"n":1}\n')
  await drop('kept')
  for (const place of [location, `${location}/data`, `${service.deps.warehouse}/kept`]) {
    const answer = await create({ name: 'next', location: place })
    expect([answer.status, answer.body.is_dropped]).toEqual([409, true])
  }
  const folder = location.replace('file://', '')
  await rm(join(folder, 'data'), { recursive: true })
  for (const name of await readdir(join(folder, 'metadata'))) {
    // Its mark says only that it was dropped.
    if (!name.startsWith('dropped-')) await rm(join(folder, 'metadata', name), { recursive: true })
  }
  expect((await must(create({ name: 'next', location }), 201)).location).toBe(location)
})

test('what a table writes before it moves there does not keep it from a location', async () => {
  const location = `${service.deps.warehouse}/left/t`
  await must(create({ name: 'gone', location }), 201)
  await drop('gone')
  const folder = location.replace('file://', '')
  await rm(folder, { recursive: true })
  const { metadata } = await restMust(createRest('sky', { name: 'mover' }))
  // As Iceberg's replacements do, which write to the location that they are going to have.
  const written = await writeAppend(
    { ...metadata, location },
    { snapshotId: 7n, files: [`${location}/data/x.parquet`] },
  )
  // They also leave what no commit names: manifests of attempts, and of what they did before.
  await writeAppend({ ...metadata, location }, { snapshotId: 6n, files: [] })
  const { requirements, updates } = appendCommit(metadata, written.json)
  const move = { action: 'set-location', location }
  const commit = (json: object) => rest(service, '/namespaces/sky/tables/mover', { json })
  const moved = await restMust(commit({ requirements, updates: [move, ...updates] }))
  expect(moved.metadata.location).toBe(location)
})

test('files from before a drop keep the location, and files that others name', async () => {
  const location = `${service.deps.warehouse}/some/t`
  const folder = location.replace('file://', '')
  const taken = async (name: string) => (await create({ name, location })).status
  await must(create({ name: 'some', location }), 201)
  await upload('some', '{"n":1}\n')
  const files = await readdir(join(folder, 'data'), { recursive: true })
  const data = join(folder, 'data', files.find((file) => file.endsWith('.parquet')) ?? '')
  await drop('some')
  // The operator keeps the metadata somewhere else: it names the data file.
  await rm(join(folder, 'metadata'), { recursive: true })
  expect(await taken('successor')).toBe(409)
  const nowS = Date.now() / 1000 + 1
  await utimes(data, nowS, nowS)
  await create({ name: 'other' })
  await must(ask(service, '/v1/tables/other/files', { json: { files: [{ path: data }] } }))
  expect(await taken('successor')).toBe(409)
  await must(ask(service, '/v1/tables/other/files/truncate', { method: 'POST' }))
  // It may be read as of before.
  expect(await taken('successor')).toBe(409)
  await drop('other')
  expect(await taken('successor')).toBe(201)
  expect(existsSync(data)).toBe(true)
})

test('a dropped table that keeps its files keeps its location with any file there', async () => {
  const location = `${service.deps.warehouse}/kept/forever`
  const properties = { 'gc.enabled': 'false' }
  await restMust(createRest('sky', { name: 'keeper', location, properties }))
  await drop('sky.keeper')
  const folder = location.replace('file://', '')
  await rm(folder, { recursive: true })
  await mkdir(folder)
  await writeFile(join(folder, 'mine.txt'), 'x')
  expect(await refused(create({ name: 'next', location }))).toEqual([409, 'location-taken'])
})

test('a view’s folder is its own: no table is in it, nor around it', async () => {
  const location = `${service.deps.warehouse}/reports/late`
  const version = {
    ...{ 'version-id': 1, 'timestamp-ms': 1, 'schema-id': 0, summary: {} },
    'default-namespace': ['sky'],
    representations: [{ type: 'sql', sql: 'SELECT 1', dialect: 'duckdb' }],
  }
  const asView = (name: string, place: string) =>
    rest(service, '/namespaces/sky/views', {
      json: { name, location: place, schema: SCHEMA, 'view-version': version, properties: {} },
    })
  await rest(service, '/namespaces', { json: { namespace: ['sky'] } })
  await restMust(asView('late', location))
  for (const place of [location, `${service.deps.warehouse}/reports`, `${location}/x`]) {
    expect((await restRefusal(asView('other', place))).status).toBe(409)
    expect(await refused(create({ name: 'other', location: place }))).toEqual([
      409,
      'location-taken',
    ])
  }
})

test.each([
  ['a folder of default locations', 'ab', 'location-not-allowed'],
  ['an empty segment', '/.moraine-dumps', 'location-not-allowed'],
  ['a line break', 'a\nb', 'location-invalid'],
  ['a backslash', 'a\\b', 'location-invalid'],
  ['a name that no disk takes', 'x'.repeat(300), 'location-invalid'],
])('a table cannot move to %s', async (_, folder, code) => {
  await create({ name: 'mover' })
  const before = await load('mover')
  const location = `${service.deps.warehouse}/${folder}`
  const moved = await rest(service, '/namespaces/default/tables/mover', {
    json: { requirements: [], updates: [{ action: 'set-location', location }] },
  })
  expect([moved.status, code]).toEqual([code === 'location-invalid' ? 400 : 403, code])
  expect(await load('mover')).toEqual(before)
  await upload('mover', '{"n": 1}\n')
})
