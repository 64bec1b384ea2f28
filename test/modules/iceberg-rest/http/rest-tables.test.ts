import { ask } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { appendCommit, writeAppend } from './engine-client.ts'
import {
  inPath,
  type Json,
  must,
  refusal,
  refused,
  rest,
  SCHEMA,
  setProperties,
} from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService({ allowedLocations: ['/x'] })
  await must(rest(service, '/namespaces', { json: { namespace: ['sky'] } }))
})
afterAll(() => service.close())

const create = (name: string, more: object = {}) =>
  rest(service, '/namespaces/sky/tables', { json: { name, schema: SCHEMA, ...more } })
const at = (name: string) => `/namespaces/sky/tables/${inPath(name)}`
const load = (name: string, query = '', headers: Record<string, string> = {}) =>
  rest(service, at(name) + query, { headers })
const commit = (name: string, json: object) => rest(service, at(name), { json })
const change = (name: string, ...updates: object[]) => commit(name, { requirements: [], updates })

test('a table is created, loaded, changed and dropped', async () => {
  const made = await must(create('stars'))
  expect(made.metadata).toMatchObject({ 'format-version': 2, 'last-column-id': 2 })
  const loaded = await must(load('stars'))
  expect(loaded).toEqual(made)
  const changed = await must(change('stars', setProperties({ colour: 'red' })))
  expect(changed.metadata.properties).toMatchObject({ colour: 'red' })
  expect(changed['metadata-location']).not.toBe(made['metadata-location'])
  expect(changed.metadata['metadata-log'].at(-1)['metadata-file']).toBe(made['metadata-location'])
  expect(await must(load('stars'))).toEqual(changed)
  const listed = await must(rest(service, '/namespaces/sky/tables'))
  expect(listed).toEqual({
    identifiers: [{ namespace: ['sky'], name: 'stars' }],
    'next-page-token': null,
  })
  expect((await rest(service, at('stars'), { method: 'HEAD' })).status).toBe(204)
  await must(rest(service, at('stars'), { method: 'DELETE' }), 204)
  expect((await rest(service, at('stars'), { method: 'HEAD' })).status).toBe(404)
  expect(await refused(load('stars'))).toEqual([
    404,
    'NoSuchTableException',
    'Table does not exist: sky.stars',
  ])
})

test('what cannot be created is refused in the words of the specification', async () => {
  await must(create('twice'))
  const exists = [409, 'AlreadyExistsException', 'Table already exists: sky.twice']
  expect(await refused(create('twice'))).toEqual(exists)
  expect(await refused(create('twice', { 'stage-create': true }))).toEqual(exists)
  expect(await refusal(create('TWICE'))).toMatchObject({
    status: 409,
    type: 'AlreadyExistsException',
  })
  const nowhere = rest(service, '/namespaces/none/tables', { json: { name: 'x', schema: SCHEMA } })
  expect(await refused(nowhere)).toEqual([
    404,
    'NoSuchNamespaceException',
    'Namespace does not exist: none',
  ])
  expect(await refusal(create('outside', { location: 'file:///etc/table' }))).toMatchObject({
    status: 403,
    type: 'ForbiddenException',
  })
  const inDumps = `${service.deps.warehouse}/.dumps/x`
  expect(await refusal(create('outside', { location: inDumps }))).toMatchObject({ status: 403 })
  const dotted = `${service.deps.warehouse}/../elsewhere`
  expect(await refusal(create('outside', { location: dotted }))).toMatchObject({ status: 403 })
  expect(await refusal(create(''))).toMatchObject({ status: 400, type: 'BadRequestException' })
  expect(await refusal(create('a\u0007b'))).toMatchObject({
    status: 400,
    type: 'BadRequestException',
  })
  expect(await refusal(create('v9', { properties: { 'format-version': '9' } }))).toMatchObject({
    status: 400,
  })
})

test('a given location is kept verbatim, and written to', async () => {
  const oneSlash = `${service.deps.warehouse.replace('file://', 'file:')}/given/here`
  const made = await must(create('given', { location: `${oneSlash}/` }))
  expect(made.metadata.location).toBe(oneSlash)
  expect(made['metadata-location'].startsWith(`${oneSlash}/metadata/`)).toBe(true)
  const changed = await must(change('given', setProperties({ a: 'b' })))
  expect(changed['metadata-location'].startsWith(`${oneSlash}/metadata/`)).toBe(true)
  const elsewhere = { action: 'set-location', location: 'file:///etc/x' }
  expect(await refusal(change('given', elsewhere))).toMatchObject({
    status: 403,
    type: 'ForbiddenException',
  })
})

test('a staged creation makes nothing until it is committed, with what was staged', async () => {
  const staged = await must(create('staged', { 'stage-create': true, properties: { a: '1' } }))
  expect(staged['metadata-location']).toBeUndefined()
  expect(await refusal(load('staged'))).toMatchObject({ status: 404 })
  const { metadata } = staged
  const creation = {
    requirements: [{ type: 'assert-create' }],
    updates: [
      { action: 'assign-uuid', uuid: metadata['table-uuid'] },
      { action: 'upgrade-format-version', 'format-version': 2 },
      { action: 'add-schema', schema: metadata.schemas[0] },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec: metadata['partition-specs'][0] },
      { action: 'set-default-spec', 'spec-id': -1 },
      { action: 'add-sort-order', 'sort-order': metadata['sort-orders'][0] },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
      { action: 'set-location', location: metadata.location },
      setProperties(metadata.properties),
    ],
  }
  const made = await must(commit('staged', creation))
  expect(made.metadata).toMatchObject({
    'table-uuid': metadata['table-uuid'],
    location: metadata.location,
    properties: metadata.properties,
  })
  expect(await refused(commit('staged', creation))).toEqual([
    409,
    'CommitFailedException',
    'Requirement failed: table already exists',
  ])
  const missing = { requirements: [], updates: [] }
  expect(await refusal(commit('missing', missing))).toMatchObject({
    status: 404,
    type: 'NoSuchTableException',
  })
})

test('an append of an engine is there in both APIs at once, with 63-bit ids exact', async () => {
  const { metadata } = await must(create('appended'))
  const snapshotId = 9_007_199_254_740_993n
  const { json, manifests } = await writeAppend(metadata, { snapshotId, files: ['file:///x/1'] })
  const done = await must(commit('appended', appendCommit(metadata, json)))
  expect(done.metadata['current-snapshot-id']).toBe(snapshotId)
  expect(done.metadata.snapshots[0]).toMatchObject({ 'snapshot-id': snapshotId })
  const read = (await ask(service, '/v1/tables/sky.appended')).body
  expect(read.snapshot.snapshot_id).toBe(String(snapshotId))
  expect(read.data_files.map((file: Json) => file.path)).toEqual(['file:///x/1'])

  const stale = await writeAppend(metadata, { snapshotId: 5n, files: ['file:///x/2'] })
  const raced = await refusal(commit('appended', appendCommit(metadata, stale.json)))
  expect(raced).toMatchObject({ status: 409, type: 'CommitFailedException' })
  expect(raced.message).toMatch('Requirement failed: branch main was created concurrently')
  const next = await writeAppend(done.metadata, {
    ...{ snapshotId: 6n, files: ['file:///x/3'], before: manifests },
  })
  await must(commit('appended', appendCommit(done.metadata, next.json)))
  const known = await service.deps.catalog.paths.findKnown(metadata['table-uuid'], [
    ...['file:///x/1', 'file:///x/2', 'file:///x/3', String(json['manifest-list'])],
    manifests[0]?.path ?? '',
  ])
  expect([...known].sort()).toEqual(
    ['file:///x/1', 'file:///x/3', json['manifest-list'], manifests[0]?.path].sort(),
  )
})

test('a snapshot whose manifests cannot be read is refused, and nothing changes', async () => {
  const { metadata } = await must(create('broken'))
  const { json } = await writeAppend(metadata, { snapshotId: 7n, files: ['file:///x/1'] })
  const before = (await load('broken')).text
  for (const [list, wanted] of [
    [`${metadata.location}/metadata/none.avro`, { status: 400, type: 'BadRequestException' }],
    [metadata['metadata-location'] ?? `${metadata.location}/metadata/none`, { status: 400 }],
    ['file:///etc/passwd', { status: 403, type: 'ForbiddenException' }],
    ['no location', { status: 400 }],
  ] as const) {
    const snapshot = { ...json, 'manifest-list': list }
    expect(await refusal(commit('broken', appendCommit(metadata, snapshot)))).toMatchObject(wanted)
  }
  expect((await load('broken')).text).toBe(before)
})

test('tags differ for all and refs, and a known tag is answered without a body', async () => {
  let table = await must(create('tagged'))
  for (const snapshotId of [11n, 12n, 13n]) {
    const { json } = await writeAppend(table.metadata, {
      snapshotId,
      files: [`file:///x/${snapshotId}`],
    })
    table = await must(commit('tagged', appendCommit(table.metadata, json)))
  }
  const tag = { action: 'set-snapshot-ref', 'ref-name': 'old', type: 'tag', 'snapshot-id': 11 }
  await must(change('tagged', tag))
  const [all, refs] = [await load('tagged'), await load('tagged', '?snapshots=refs')]
  const ids = (answer: Json) => answer.body.metadata.snapshots.map((s: Json) => s['snapshot-id'])
  expect([ids(all), ids(refs)]).toEqual([
    [11, 12, 13],
    [11, 13],
  ])
  expect(refs.body.metadata['snapshot-log']).toEqual(all.body.metadata['snapshot-log'])
  const [ofAll, ofRefs] = [all, refs].map(({ headers }) => headers.get('etag') ?? '')
  expect(ofAll).not.toBe(ofRefs)
  const again = await load('tagged', '', { 'If-None-Match': `W/"x", ${ofAll}` })
  expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', ofAll])
  expect((await load('tagged', '?snapshots=refs', { 'If-None-Match': ofRefs ?? '' })).status).toBe(
    304,
  )
  expect((await load('tagged', '?snapshots=refs', { 'If-None-Match': ofAll ?? '' })).status).toBe(
    200,
  )
  await must(change('tagged', setProperties({ a: 'b' })))
  expect((await load('tagged', '', { 'If-None-Match': ofAll ?? '' })).status).toBe(200)
  expect(await refusal(load('tagged', '?snapshots=some'))).toMatchObject({ status: 400 })
})

test('several tables change together or not at all', async () => {
  const a = await must(create('one'))
  await must(create('two'))
  const part = (name: string, requirements: object[] = []) => ({
    identifier: { namespace: ['sky'], name },
    requirements,
    updates: [setProperties({ together: name })],
  })
  const commitAll = (...changes: object[]) =>
    rest(service, '/transactions/commit', { json: { 'table-changes': changes } })
  const wrong = { type: 'assert-table-uuid', uuid: a.metadata['table-uuid'] }
  expect(await refusal(commitAll(part('one'), part('two', [wrong])))).toMatchObject({
    status: 409,
    type: 'CommitFailedException',
    message: expect.stringMatching('Requirement failed: UUID does not match'),
  })
  expect(await refusal(commitAll(part('one'), part('none')))).toMatchObject({ status: 404 })
  expect(await refusal(commitAll(part('one'), part('One')))).toMatchObject({ status: 400 })
  expect(await refusal(commitAll())).toMatchObject({ status: 400 })
  expect((await must(load('one'))).metadata.properties.together).toBeUndefined()
  await must(commitAll(part('one'), part('two')), 204)
  expect((await must(load('one'))).metadata.properties.together).toBe('one')
  expect((await must(load('two'))).metadata.properties.together).toBe('two')
})

test('a commit without a change returns the table as it is', async () => {
  const made = await must(create('same'))
  expect(await must(change('same'))).toEqual(made)
})

test('a table of /v1 is there at once; its transactions and REST commits mix', async () => {
  const columns = [{ name: 'id', type: 'long' }]
  const json = { name: 'simple', namespace: 'sky', schema: { columns } }
  expect((await ask(service, '/v1/tables', { json })).status).toBe(201)
  const loaded = await must(load('simple'))
  await must(change('simple', setProperties({ from: 'rest' })))
  const uuid = loaded.metadata['table-uuid']
  const described = await ask(service, `/v1/tables/${uuid}/metadata`, {
    json: { metadata: { from: 'v1' } },
  })
  expect(described.status).toBe(200)
  const { properties } = (await must(load('simple'))).metadata
  expect(properties).toMatchObject({ from: 'rest', 'moraine.metadata': '{"from":"v1"}' })
})
