import { randomUUID } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { inPath, type Json, must, refused, rest, SCHEMA, setProperties } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  for (const namespace of [['sky'], ['sky', 'deep'], ['empty']]) {
    await must(rest(service, '/namespaces', { json: { namespace } }))
  }
})
afterAll(() => service.close())

const version = (sql: string, more: object = {}) => ({
  'version-id': 1,
  'timestamp-ms': 1_700_000_000_000,
  'schema-id': 0,
  summary: { 'engine-name': 'test' },
  representations: [{ type: 'sql', sql, dialect: 'spark' }],
  'default-namespace': ['sky'],
  ...more,
})
const newView = (name: string, more: object = {}) => ({
  name,
  schema: SCHEMA,
  'view-version': version('select 1'),
  properties: { owner: 'me' },
  ...more,
})
const VIEWS = '/namespaces/sky/views'
const create = (name: string, more: object = {}, headers = {}) =>
  rest(service, VIEWS, { json: newView(name, more), headers })
const load = (name: string, method = 'GET') => rest(service, `${VIEWS}/${inPath(name)}`, { method })
const replace = (name: string, json: object, headers = {}) =>
  rest(service, `${VIEWS}/${inPath(name)}`, { json, headers })
const rename = (source: object, destination: object) =>
  rest(service, '/views/rename', { json: { source, destination } })
const inSky = (name: string) => ({ namespace: ['sky'], name })
const replacement = (sql: string) => [
  { action: 'add-view-version', 'view-version': version(sql, { 'version-id': 9 }) },
  { action: 'set-current-view-version', 'view-version-id': -1 },
]
const table = (name: string) =>
  must(rest(service, '/namespaces/sky/tables', { json: { name, schema: SCHEMA } }))

async function filesOf({ metadata }: Json): Promise<readonly string[]> {
  return (await readdir(new URL(`${metadata.location}/metadata`))).sort()
}

test('a view is created, loaded, replaced and dropped', async () => {
  const made = await must(create('bright'))
  expect(made.metadata).toMatchObject({
    'format-version': 1,
    'current-version-id': 1,
    properties: { owner: 'me' },
    'version-log': [{ 'version-id': 1, 'timestamp-ms': 1_700_000_000_000 }],
  })
  expect(made.metadata.versions[0].representations[0].sql).toBe('select 1')
  expect(await must(load('bright'))).toEqual(made)
  expect(await must(load('BRIGHT'))).toEqual(made)
  await must(load('bright', 'HEAD'), 204)

  const requirements = [{ type: 'assert-view-uuid', uuid: made.metadata['view-uuid'] }]
  const replaced = await must(replace('bright', { requirements, updates: replacement('select 2') }))
  expect(replaced.metadata).toMatchObject({ 'current-version-id': 2 })
  expect(replaced.metadata.versions).toHaveLength(2)
  expect(replaced['metadata-location']).not.toBe(made['metadata-location'])
  const files = await filesOf(replaced)
  expect(files).toHaveLength(2)
  expect(files[0]).toMatch(/^00000-[0-9a-f-]{36}\.metadata\.json$/)
  expect(replaced['metadata-location']).toContain(files[1])

  await must(load('bright', 'DELETE'), 204)
  const gone = [404, 'NoSuchViewException', 'View does not exist: sky.bright']
  expect(await refused(load('bright'))).toEqual(gone)
  expect(await refused(load('bright', 'DELETE'))).toEqual(gone)
  expect(await refused(replace('bright', { updates: [] }))).toEqual(gone)
  expect((await load('bright', 'HEAD')).status).toBe(404)
})

test('an update that changes nothing writes no file', async () => {
  const made = await must(create('still'))
  const updates = [setProperties({ owner: 'me' })]
  expect(await must(replace('still', { updates }))).toEqual(made)
  expect(await filesOf(made)).toHaveLength(1)
})

test('names are shared with tables', async () => {
  await table('stars')
  expect(await refused(create('Stars'))).toEqual([
    409,
    'AlreadyExistsException',
    'Table with same name already exists: sky.Stars',
  ])
  await must(create('moons'))
  expect(await refused(create('moons'))).toEqual([
    409,
    'AlreadyExistsException',
    'View already exists: sky.moons',
  ])
  const clash = rest(service, '/namespaces/sky/tables', { json: { name: 'moons', schema: SCHEMA } })
  expect(await refused(clash)).toEqual([
    409,
    'AlreadyExistsException',
    'View with same name already exists: sky.moons',
  ])
})

test('a view is renamed, also into another namespace, and keeps all else', async () => {
  const made = await must(create('one'))
  await must(create('two'))
  await table('ground')
  await must(rename(inSky('one'), { namespace: ['sky', 'deep'], name: 'One' }), 204)
  const moved = await must(rest(service, `/namespaces/${inPath('sky', 'deep')}/views/one`))
  expect(moved).toEqual(made)
  expect((await refused(load('one')))[0]).toBe(404)

  expect(await refused(rename(inSky('two'), inSky('ground')))).toEqual([
    409,
    'AlreadyExistsException',
    'Cannot rename sky.two to sky.ground. Table already exists',
  ])
  await must(create('three'))
  expect(await refused(rename(inSky('two'), inSky('three')))).toEqual([
    409,
    'AlreadyExistsException',
    'Cannot rename sky.two to sky.three. View already exists',
  ])
  expect(await refused(rename(inSky('none'), inSky('other')))).toEqual([
    404,
    'NoSuchViewException',
    'View does not exist: sky.none',
  ])
  expect(await refused(rename(inSky('two'), { namespace: ['nix'], name: 'two' }))).toEqual([
    404,
    'NoSuchNamespaceException',
    'Namespace does not exist: nix; renaming creates none: create it first, with POST ' +
      '/iceberg/v1/namespaces',
  ])
  await must(rename(inSky('two'), inSky('TWO')), 204)
  expect((await must(rest(service, VIEWS))).identifiers).toContainEqual(inSky('TWO'))
})

test('views are listed in pages, or all at once', async () => {
  await must(rest(service, '/namespaces', { json: { namespace: ['listed'] } }))
  const names = ['a', 'B', 'c', 'D', 'e']
  for (const name of names) {
    await must(rest(service, '/namespaces/listed/views', { json: newView(name) }))
  }
  const all = await must(rest(service, '/namespaces/listed/views'))
  expect(all.identifiers.map(({ name }: Json) => name)).toEqual(names)
  expect(all['next-page-token']).toBeNull()
  const found: string[] = []
  for (let token = ''; token !== null; ) {
    const path = `/namespaces/listed/views?pageSize=2&pageToken=${encodeURIComponent(token)}`
    const page = await must(rest(service, path))
    found.push(...page.identifiers.map(({ name }: Json) => name))
    token = page['next-page-token']
  }
  expect(found).toEqual(names)
  expect(await must(rest(service, '/namespaces/empty/views'))).toEqual({
    identifiers: [],
    'next-page-token': null,
  })
  expect((await refused(rest(service, '/namespaces/nix/views')))[1]).toBe(
    'NoSuchNamespaceException',
  )
})

test('of many replacements at once, each is applied to what the one before left', async () => {
  const made = await must(create('busy', { properties: { 'version.history.num-entries': '50' } }))
  const requirements = [{ type: 'assert-view-uuid', uuid: made.metadata['view-uuid'] }]
  await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      must(replace('busy', { requirements, updates: [setProperties({ [`key-${i}`]: 'x' })] })),
    ),
  )
  const after = await must(load('busy'))
  expect(Object.keys(after.metadata.properties)).toHaveLength(13)
  // One for each version: files of lost races are gone.
  expect(await filesOf(after)).toHaveLength(13)
})

test('a refused creation leaves no file', async () => {
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => create('raced')))
  expect(outcomes.filter(({ status }) => status === 200)).toHaveLength(1)
  const [won] = outcomes.filter(({ status }) => status === 200)
  expect(await filesOf(won?.body)).toHaveLength(1)
})

test('requirements and updates that do not hold change nothing', async () => {
  const made = await must(create('firm'))
  const requirements = [{ type: 'assert-view-uuid', uuid: randomUUID() }]
  const [status, type, message] = await refused(
    replace('firm', { requirements, updates: replacement('select 3') }),
  )
  expect([status, type]).toEqual([409, 'CommitFailedException'])
  expect(message).toMatch(/^Requirement failed: view UUID does not match/)
  for (const updates of [
    [{ action: 'set-current-view-version', 'view-version-id': 7 }],
    [{ action: 'assign-uuid', uuid: randomUUID() }],
    [{ action: 'nix' }],
    [{ action: 'set-location', location: 'file:///etc' }],
    { action: 'set-properties' },
    'all',
  ]) {
    expect((await refused(replace('firm', { updates })))[0]).toBeGreaterThanOrEqual(400)
  }
  for (const json of [null, [], 'x', { updates: null }]) {
    const answer = rest(service, `${VIEWS}/firm`, { raw: JSON.stringify(json) })
    expect((await refused(answer))[0]).toBe(400)
  }
  expect(await must(load('firm'))).toEqual(made)
  expect(await filesOf(made)).toHaveLength(1)
})

test.each<[string, object]>([
  ['without a version', { 'view-version': undefined }],
  [
    'with a dialect twice',
    {
      'view-version': version('x', {
        representations: [
          { type: 'sql', sql: 'a', dialect: 'spark' },
          { type: 'sql', sql: 'b', dialect: 'Spark' },
        ],
      }),
    },
  ],
  [
    'with an unknown representation',
    {
      'view-version': version('x', { representations: [{ type: 'plan' }] }),
    },
  ],
  ['with properties that are no text', { properties: { a: 1 } }],
  ['outside the warehouse', { location: 'file:///tmp/elsewhere' }],
])('a view %s is refused', async (_, more) => {
  expect([400, 403]).toContain((await refused(create('odd', more)))[0])
  expect((await refused(load('odd')))[0]).toBe(404)
})

test('odd names are kept verbatim', async () => {
  for (const name of ['a.b', 'a/b', 'with space', 'ünï😀', '100%']) {
    await must(create(name))
    await must(load(name, 'HEAD'), 204)
  }
  const names = (await must(rest(service, VIEWS))).identifiers.map(({ name }: Json) => name)
  expect(names).toEqual(expect.arrayContaining(['a.b', 'a/b', 'with space', 'ünï😀', '100%']))
})

describe('a registered view', () => {
  const register = (name: string, location: string) =>
    rest(service, '/namespaces/sky/register-view', {
      json: { name, 'metadata-location': location },
    })

  test('has the metadata of its file, and the file', async () => {
    const made = await must(create('lost'))
    await must(load('lost', 'DELETE'), 204)
    const registered = await must(register('found', made['metadata-location']))
    expect(registered).toEqual(made)
    expect(await must(load('found'))).toEqual(made)
    expect((await refused(register('again', made['metadata-location'])))[0]).toBe(409)
    expect((await refused(register('found', made['metadata-location'])))[2]).toBe(
      'View already exists: sky.found',
    )
  })

  test('needs a file that is there, and is view metadata', async () => {
    const made = await must(create('near'))
    const missing = made['metadata-location'].replace('00000-', '00001-')
    const [status, type, message] = await refused(register('far', missing))
    expect([status, type]).toEqual([404, 'NotFoundException'])
    expect(message).toBe(`Failed to open input stream for file: ${missing}`)
    for (const text of ['', 'no json', '{}', JSON.stringify({ ...made.metadata, versions: [] })]) {
      await writeFile(fileURLToPath(missing), text)
      const [refusal] = await refused(register('far', missing))
      expect(refusal).toBe(400)
    }
  })
})

test('a repeated request with a key gets the answer again, and does nothing twice', async () => {
  const key = { 'Idempotency-Key': randomUUID() }
  const made = await must(create('keyed', {}, key))
  expect(await must(create('keyed', {}, key))).toEqual(made)
  const update = { 'Idempotency-Key': randomUUID() }
  const updates = replacement('select 4')
  const replaced = await must(replace('keyed', { updates }, update))
  expect(await must(replace('keyed', { updates }, update))).toEqual(replaced)
  expect(await filesOf(replaced)).toHaveLength(2)
})

test('metadata files of a view go where its properties say, below the warehouse', async () => {
  const base = (await must(create('elsewhere_base'))).metadata.location
  const properties = { 'write.metadata.path': `${base}-files/deep//` }
  const made = await must(create('elsewhere', { properties }))
  expect(made['metadata-location']).toMatch(`${base}-files/deep/00000-`)
  expect(made.metadata.location).not.toContain(`${base}-files`)
  for (const path of ['file:///etc', `${base}/../../..`, 'none', '']) {
    const outside = setProperties({ 'write.metadata.path': path })
    const answer = await replace('elsewhere', { updates: [outside] })
    expect([400, 403]).toContain(answer.status)
  }
  expect(await must(load('elsewhere'))).toEqual(made)
})

test('a bad version of a view is what Java would throw itself', async () => {
  const twice = ['spark', 'SPARK'].map((dialect) => ({ type: 'sql', sql: 'select 1', dialect }))
  const [status, type, message] = await refused(
    create('twice', { 'view-version': version('', { representations: twice }) }),
  )
  expect([status, type]).toEqual([400, 'IllegalArgumentException'])
  expect(message).toMatch('Invalid view version: Cannot add multiple queries for dialect spark')
})

test('a dialect is dropped only from a view that allows it', async () => {
  const trino = { representations: [{ type: 'sql', sql: 'select 2', dialect: 'trino' }] }
  const updates = [
    { action: 'add-view-version', 'view-version': version('', { 'version-id': 2, ...trino }) },
    { action: 'set-current-view-version', 'view-version-id': -1 },
  ]
  await must(create('strict'))
  expect((await refused(replace('strict', { updates })))[2]).toMatch('loss of view dialects')
  await must(create('lax', { properties: { 'replace.drop-dialect.allowed': 'true' } }))
  expect((await must(replace('lax', { updates }))).metadata['current-version-id']).toBe(2)
})
