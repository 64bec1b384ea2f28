import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { unlinkDue } from '../../../../src/lake/deletion/unlinker.ts'
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
  for (const name of ['a', 'b'])
    await must(rest(service, '/namespaces', { json: { namespace: [name] } }))
})
afterAll(() => service.close())

const at = (namespace: string, name: string) => `/namespaces/${namespace}/tables/${inPath(name)}`
const create = (name: string, more: object = {}) =>
  must(rest(service, '/namespaces/a/tables', { json: { name, schema: SCHEMA, ...more } }))
const load = (namespace: string, name: string) => rest(service, at(namespace, name))
const register = (namespace: string, name: string, location: string, more: object = {}) =>
  rest(service, `/namespaces/${namespace}/register`, {
    json: { name, 'metadata-location': location, ...more },
  })
const drop = (name: string, query = '') =>
  rest(service, at('a', name) + query, { method: 'DELETE' })
const unregister = (name: string) =>
  must(rest(service, `${at('a', name)}/unregister`, { method: 'POST' }))
const pathOf = (location: string) => location.replace(/^file:(?:\/\/)?/, '')
const isThere = (location: string) =>
  stat(pathOf(location)).then(
    () => true,
    () => false,
  )

async function append(name: string, snapshotId: bigint, ...files: string[]): Promise<Json> {
  const { metadata } = await must(load('a', name))
  const { json } = await writeAppend(metadata, { snapshotId, files })
  return must(rest(service, at('a', name), { json: appendCommit(metadata, json) }))
}

test('a table moves to another catalog and back, and nothing is lost', async () => {
  await create('moved')
  await append('moved', 21n, 'file:///x/1')
  const last = await append('moved', 9_007_199_254_740_995n, 'file:///x/2')
  const left = await unregister('moved')
  expect(left).toEqual({ 'metadata-location': last['metadata-location'], metadata: last.metadata })
  expect(await refusal(load('a', 'moved'))).toMatchObject({ status: 404 })
  const back = await must(register('b', 'moved here', left['metadata-location']))
  expect(back['metadata-location']).toBe(left['metadata-location'])
  expect(back.metadata).toEqual(left.metadata)
  expect(await must(load('b', 'moved here'))).toEqual(back)
  const uuid = back.metadata['table-uuid']
  expect((await ask(service, `/v1/tables/${uuid}`)).status).toBe(200)
  const known = await service.deps.catalog.paths.findKnown(uuid, ['file:///x/1', 'file:///x/3'])
  expect([...known]).toEqual(['file:///x/1'])
  const json = { requirements: [], updates: [setProperties({ back: 'yes' })] }
  const changed = await must(rest(service, at('b', 'moved here'), { json }))
  const files = changed.metadata['metadata-log'].map((e: Json) => e['metadata-file'])
  expect(files).toEqual([
    ...left.metadata['metadata-log'].map((e: Json) => e['metadata-file']),
    left['metadata-location'],
  ])
})

test('a file of earlier format versions, and a compressed one, are read', async () => {
  const folder = `${service.home}/warehouse/old`
  await mkdir(folder, { recursive: true })
  const metadata = {
    'format-version': 1,
    location: `file://${folder}/`,
    'last-updated-ms': 1_700_000_000_000,
    'last-column-id': 1,
    schema: { type: 'struct', fields: [{ id: 1, name: 'x', required: true, type: 'long' }] },
    'partition-spec': [],
  }
  await writeFile(`${folder}/v1.metadata.json`, JSON.stringify(metadata))
  const plain = await must(register('a', 'plain', `file://${folder}/v1.metadata.json`))
  expect(plain.metadata).toMatchObject({ 'format-version': 1, location: `file://${folder}` })
  await must(drop('plain'), 204)
  await writeFile(`${folder}/v1.gz.metadata.json`, gzipSync(JSON.stringify(metadata)))
  const packed = await must(register('a', 'packed', `file://${folder}/v1.gz.metadata.json`))
  expect(packed.metadata['table-uuid']).toBe(plain.metadata['table-uuid'])
})

test('what cannot be registered is refused, and nothing is there', async () => {
  const made = await create('holder')
  const location = made['metadata-location']
  const folder = `${service.home}/warehouse/bad`
  await mkdir(folder, { recursive: true })
  const text = await readFile(pathOf(location), 'utf8')
  const put = async (name: string, content: string) => {
    await writeFile(`${folder}/${name}`, content)
    return `file://${folder}/${name}`
  }
  const missing = `file://${folder}/missing.metadata.json`
  expect(await refused(register('a', 'new', missing))).toEqual([
    404,
    'NotFoundException',
    `Failed to open input stream for file: ${missing}`,
  ])
  const elsewhere = JSON.parse(text)
  const cases: [string, object][] = [
    [await put('no.json', 'not JSON'), { status: 400, type: 'BadRequestException' }],
    [await put('empty.json', ''), { status: 400 }],
    [await put('list.json', '[]'), { status: 400 }],
    [await put('half.json', text.slice(0, 200)), { status: 400 }],
    [
      await put('v9.json', text.replace('"format-version":2', '"format-version":9')),
      { status: 400 },
    ],
    [await put('bytes.json', '\u001f\u008b broken'), { status: 400 }],
    [
      await put('out.json', JSON.stringify({ ...elsewhere, location: 'file:///etc/x' })),
      { status: 403, type: 'ForbiddenException' },
    ],
    ['file:///etc/passwd', { status: 403 }],
    ['nowhere', { status: 400 }],
    // Of a table that is there under another name.
    [location, { status: 409, type: 'AlreadyExistsException' }],
  ]
  for (const [file, wanted] of cases) {
    expect([file, await refusal(register('a', 'new', file))]).toMatchObject([file, wanted])
  }
  expect(await refusal(load('a', 'new'))).toMatchObject({ status: 404 })
  expect(await refused(register('a', 'holder', location))).toEqual([
    409,
    'AlreadyExistsException',
    'Table already exists: a.holder',
  ])
  expect(await refusal(register('none', 'new', location))).toMatchObject({
    type: 'NoSuchNamespaceException',
  })
})

test('a file that was replaced is read again when it is registered again', async () => {
  const made = await create('replaced')
  const path = `${service.home}/warehouse/copied.metadata.json`
  const put = (comment: string) =>
    writeFile(path, JSON.stringify({ ...made.metadata, properties: { comment } }))
  await unregister('replaced')
  for (const comment of ['first', 'second']) {
    await put(comment)
    const { metadata } = await must(register('a', 'replaced', `file://${path}`))
    expect(metadata.properties).toEqual({ comment })
    const again = await must(load('a', 'replaced'))
    expect(again.metadata.properties).toEqual({ comment })
    const refs = await must(rest(service, `${at('a', 'replaced')}?snapshots=refs`))
    expect(refs.metadata.properties).toEqual({ comment })
    await unregister('replaced')
  }
})

test('with overwrite a metadata file takes the place of the table', async () => {
  await create('target')
  const first = await append('target', 31n, 'file:///x/1')
  const second = await append('target', 32n, 'file:///x/2')
  const back = await must(register('a', 'target', first['metadata-location'], { overwrite: true }))
  expect(back['metadata-location']).toBe(first['metadata-location'])
  expect(back.metadata).toEqual(first.metadata)
  const tag = (await load('a', 'target')).headers.get('etag')
  expect(tag).not.toBe(null)
  const again = await append('target', 33n, 'file:///x/3')
  expect(again.metadata.snapshots.map((s: Json) => s['snapshot-id'])).toEqual([31, 33])
  expect(again['metadata-location']).not.toBe(second['metadata-location'])
  const other = await create('other')
  const taken = register('a', 'target', other['metadata-location'], { overwrite: true })
  expect(await refusal(taken)).toMatchObject({ status: 409 })
  expect((await must(load('a', 'target'))).metadata).toEqual(again.metadata)
  await must(drop('other'), 204)
  const exchanged = await must(
    register('a', 'target', other['metadata-location'], { overwrite: true }),
  )
  expect(exchanged.metadata['table-uuid']).toBe(other.metadata['table-uuid'])
  await must(register('a', 'fresh', first['metadata-location'], { overwrite: true }))
})

test('a table gets another name, also in another namespace', async () => {
  await create('before')
  await create('taken')
  const rename = (source: object, destination: object) =>
    rest(service, '/tables/rename', { json: { source, destination } })
  const named = (namespace: string, name: string) => ({ namespace: [namespace], name })
  await must(rename(named('a', 'before'), named('b', 'after')), 204)
  expect((await must(load('b', 'after'))).metadata.properties).toBeDefined()
  await must(rename(named('b', 'after'), named('b', 'AFTER')), 204)
  const listed = await must(rest(service, '/namespaces/b/tables'))
  expect(listed.identifiers).toContainEqual(named('b', 'AFTER'))
  expect(await refused(rename(named('b', 'after'), named('a', 'taken')))).toEqual([
    409,
    'AlreadyExistsException',
    'Cannot rename b.after to a.taken. Table already exists',
  ])
  expect(await refusal(rename(named('a', 'before'), named('a', 'x')))).toMatchObject({
    type: 'NoSuchTableException',
  })
  expect(await refusal(rename(named('b', 'after'), named('none', 'x')))).toMatchObject({
    type: 'NoSuchNamespaceException',
  })
  expect(await refusal(rename(named('b', 'after'), named('b', '')))).toMatchObject({ status: 400 })
})

test('a renaming swaps the name only: the metadata and its file stay', async () => {
  await create('old')
  const updates = [setProperties({ colour: 'red' })]
  await must(rest(service, at('a', 'old'), { json: { requirements: [], updates } }))
  const before = await must(load('a', 'old'))
  const named = (name: string) => ({ namespace: ['a'], name })
  const json = { source: named('old'), destination: named('new') }
  await must(rest(service, '/tables/rename', { json }), 204)
  expect(await must(load('a', 'new'))).toEqual(before)
  // Not from a cache: made from the catalog.
  expect(await must(rest(service, `${at('a', 'new')}?snapshots=refs`))).toEqual(before)
  const more = { requirements: [], updates: [setProperties({ colour: 'blue' })] }
  const after = await must(rest(service, at('a', 'new'), { json: more }))
  expect(after.metadata['metadata-log'].map((entry: Json) => entry['metadata-file'])).toEqual([
    ...before.metadata['metadata-log'].map((entry: Json) => entry['metadata-file']),
    before['metadata-location'],
  ])
})

test('a purge deletes the table’s own files, and a location is that of one table', async () => {
  const location = `${service.deps.warehouse}/own/place`
  const kept = await create('kept', { location })
  const taken = rest(service, '/namespaces/a/tables', {
    json: { name: 'taken', schema: SCHEMA, location: `${location}/below` },
  })
  expect(await refusal(taken)).toMatchObject({ status: 409, type: 'AlreadyExistsException' })
  await create('purged', { location: `${location}2` })
  const purged = await append('purged', 41n, 'file:///x/1')
  const list = purged.metadata.snapshots[0]['manifest-list']
  expect(await isThere(list)).toBe(true)
  await must(drop('purged', '?purgeRequested=true'), 204)
  // After the grace.
  expect(await isThere(list)).toBe(true)
  const nowMs = () => Date.now() + 8 * 86_400_000
  await unlinkDue({ ...service.deps, ambient: { ...service.deps.ambient, nowMs } })
  expect(await isThere(list)).toBe(false)
  expect(await isThere(purged['metadata-location'])).toBe(false)
  expect(await must(load('a', 'kept'))).toEqual(kept)
  const left = await create('left')
  await must(drop('left', '?purgeRequested=false'), 204)
  expect(await isThere(left['metadata-location'])).toBe(true)
})

test('metrics are taken, credentials and functions are empty', async () => {
  await create('quiet')
  const metrics = (name: string, json: object) =>
    rest(service, `${at('a', name)}/metrics`, { json })
  await must(metrics('quiet', { 'report-type': 'scan-report', anything: 1 }), 204)
  expect(await refusal(metrics('quiet', {}))).toMatchObject({ status: 400 })
  expect(await refusal(metrics('none', { 'report-type': 'x' }))).toMatchObject({ status: 404 })
  expect(await must(rest(service, `${at('a', 'quiet')}/credentials`))).toEqual({
    'storage-credentials': [],
  })
  expect(await must(rest(service, '/namespaces/a/functions'))).toEqual({
    identifiers: [],
    'next-page-token': null,
  })
})
