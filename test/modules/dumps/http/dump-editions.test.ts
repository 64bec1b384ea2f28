import { ask, type Json, must, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { addFile, download, makeDump, makeTable } from './dump-lab.ts'

/** A snapshot id and a schema id do not tell alone which bytes a dump has. */
let service: TestService
let tables = 0
let name: string
let table: string

beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())
beforeEach(() => {
  name = `t${++tables}`
  table = `/v1/tables/${name}`
})

function commit(...updates: Json[]): Promise<Json> {
  const address = `/iceberg/v1/namespaces/default/tables/${name}`
  return must(post(service, address, { requirements: [], updates }))
}

async function loaded(): Promise<Json> {
  return (await must(ask(service, `/iceberg/v1/namespaces/default/tables/${name}`))).metadata
}

interface Seen {
  readonly text: string
  readonly etag: string
  readonly fileName: string
  readonly pinned: string
}

/** The finished dump; all that names its content. */
async function seen(query = 'format=csv', at = `${table}/dump`): Promise<Seen> {
  const status = await makeDump(service, `${at}?${query}`)
  const { body, headers } = await download(`${service.url}${at}?${query}`)
  expect(headers['content-location']).toBe(status.url)
  expect(headers.etag).toBe(status.etag)
  const text = body.toString()
  return { text, etag: status.etag, fileName: status.file_name, pinned: status.url }
}

async function requireOther(before: Seen, after: Seen): Promise<void> {
  for (const key of ['text', 'etag', 'fileName', 'pinned'] as const) {
    expect([key, after[key]]).not.toEqual([key, before[key]])
  }
  const gone = await ask(service, before.pinned)
  expect(gone.status).toBe(410)
  expect(gone.body).toMatchObject({
    type: '/problems/dump-edition-gone',
    pinned_url: after.pinned,
    file_name: after.fileName,
  })
  for (const kind of ['.sha256', '/status']) {
    expect((await ask(service, before.pinned.replace('/dump', `/dump${kind}`))).status).toBe(410)
  }
  const head = await download(service.url + before.pinned, { method: 'HEAD' })
  expect(head.status).toBe(410)
  const kept = await download(service.url + after.pinned, { headers: { Range: 'bytes=1-' } })
  expect([kept.status, kept.body.toString()]).toEqual([206, after.text.slice(1)])
  const stale = { 'If-None-Match': before.etag }
  expect((await download(`${service.url}${table}/dump`, { headers: stale })).status).toBe(200)
}

/** Swaps the columns of files without field ids. */
const SWAPPED = {
  action: 'set-properties',
  updates: {
    'schema.name-mapping.default': JSON.stringify([
      { 'field-id': 1, names: ['b'] },
      { 'field-id': 2, names: ['a'] },
    ]),
  },
}
const TWO_COLUMNS = 'SELECT 10::BIGINT AS a, 20::BIGINT AS b'

test.each(['csv', 'ndjson', 'tsv', 'json', 'xml'])(
  'another name mapping is another %s dump of the same snapshot',
  async (format) => {
    await makeTable(service, name, [TWO_COLUMNS])
    const before = await seen(`format=${format}`)
    await commit(SWAPPED)
    const after = await seen(`format=${format}`)
    expect(before.text).toMatch(/10[\s\S]*20/)
    expect(after.text).toMatch(/20[\s\S]*10/)
    await requireOther(before, after)
  },
)

test.each(['parquet', 'arrow'])('... and of %s', async (format) => {
  await makeTable(service, name, [TWO_COLUMNS])
  const before = await makeDump(service, `${table}/dump?format=${format}`)
  await commit(SWAPPED)
  const after = await makeDump(service, `${table}/dump?format=${format}`)
  expect(after.sha256).not.toBe(before.sha256)
  expect(after.etag).not.toBe(before.etag)
  expect((await ask(service, before.url)).status).toBe(410)
})

test('a schema id that is given again is another dump', async () => {
  await makeTable(service, name, ['SELECT 1::BIGINT AS a'])
  const named = (column: string) => [
    {
      action: 'add-schema',
      schema: {
        type: 'struct',
        fields: [{ id: 1, name: column, type: 'long', required: false }],
      },
    },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]
  await commit(...named('wrong'))
  const before = await seen()
  await commit(
    { action: 'set-current-schema', 'schema-id': 0 },
    { action: 'remove-schemas', 'schema-ids': [1] },
  )
  await commit(...named('right'))
  const after = await seen()
  expect([before.text, after.text]).toEqual(['wrong\n1\n', 'right\n1\n'])
  expect(after.pinned).toContain('schema_id=1')
  await requireOther(before, after)
})

test('a snapshot id that is given again is another dump', async () => {
  await makeTable(service, name, ['SELECT 1::BIGINT AS a', 'SELECT 2::BIGINT AS a'])
  const { snapshots, 'last-sequence-number': last } = await loaded()
  const onMain = (snapshotId: number) => ({
    ...{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch' },
    'snapshot-id': snapshotId,
  })
  const add = (of: Json, sequenceNumber: number) => ({
    action: 'add-snapshot',
    snapshot: {
      ...{ 'snapshot-id': 4242, 'sequence-number': sequenceNumber, 'schema-id': 0 },
      ...{ 'timestamp-ms': Date.now(), 'manifest-list': of['manifest-list'] },
      summary: { operation: 'append' },
    },
  })
  await commit(add(snapshots[0], last + 1), onMain(4242))
  const before = await seen()
  await commit(onMain(snapshots[1]['snapshot-id']))
  await commit({ action: 'remove-snapshots', 'snapshot-ids': [4242] })
  await commit(add(snapshots[1], last + 2), onMain(4242))
  const after = await seen()
  expect([before.text, after.text]).toEqual(['a\n1\n', 'a\n1\n2\n'])
  await requireOther(before, after)
})

test('a mapping that changes no bytes leaves the permanent address whole', async () => {
  await makeTable(service, name, [TWO_COLUMNS])
  const before = await seen()
  const names = (more: string) => [
    { 'field-id': 1, names: ['a', more] },
    { 'field-id': 2, names: ['b'] },
  ]
  for (const more of ['old', 'older']) {
    const text = JSON.stringify(names(more))
    await commit({ action: 'set-properties', updates: { 'schema.name-mapping.default': text } })
    const { status, body } = await download(service.url + before.pinned)
    expect([status, body.toString()]).toEqual([200, before.text])
  }
  const rest = await download(service.url + before.pinned, { headers: { Range: 'bytes=4-' } })
  expect([rest.status, rest.body.toString()]).toEqual([206, before.text.slice(4)])
  // Not asked for yet under its newest edition, and nothing may be started.
  const text = JSON.stringify(names('oldest'))
  await commit({ action: 'set-properties', updates: { 'schema.name-mapping.default': text } })
  const status = before.pinned.replace('/dump', '/dump/status')
  expect((await ask(service, status)).status).toBe(410)
  await makeDump(service, `${table}/dump`)
  expect((await ask(service, status)).status).toBe(200)
})

test('a snapshot’s address without an edition resumes until its bytes were others', async () => {
  const [snapshotId] = await makeTable(service, name, [TWO_COLUMNS])
  const address = `${table}/${snapshotId}/dump`
  const before = await seen('format=csv', address)
  const half = { Range: 'bytes=4-' }
  const rest = await download(service.url + address, { headers: half })
  expect([rest.status, rest.body.toString()]).toEqual([206, before.text.slice(4)])
  expect(rest.headers['cache-control']).toBe('private, no-cache, no-transform')
  await commit(SWAPPED)
  const after = await seen('format=csv', address)
  expect(after.text).toBe('a,b\n20,10\n')
  const refused = await ask(service, address, { headers: half })
  expect([refused.status, refused.body.type]).toEqual([428, '/problems/precondition-required'])
  expect(refused.body.pinned_url).toBe(after.pinned)
  const tagged = { ...half, 'If-Range': after.etag }
  expect((await download(service.url + address, { headers: tagged })).status).toBe(206)
  const old = { ...half, 'If-Range': before.etag }
  expect((await download(service.url + address, { headers: old })).status).toBe(200)
})

test('no date says that the bytes are those of before', async () => {
  const [snapshotId] = await makeTable(service, name, [TWO_COLUMNS])
  const moments = [`${table}/${snapshotId}/dump`, `${table}/dump`]
  moments.push(`${table}/dump?as_at=${Date.now()}`)
  await commit(SWAPPED)
  const since = new Date(Date.now() + 60_000).toUTCString()
  for (const address of moments) {
    const { status } = await download(service.url + address, {
      headers: { 'If-Modified-Since': since },
    })
    expect([address, status]).toEqual([address, 200])
  }
})

test('a dump that extends another says its edition and the name of its file', async () => {
  await makeTable(service, name, [TWO_COLUMNS])
  const before = await seen()
  await addFile(service, name, TWO_COLUMNS)
  const status = await makeDump(service, `${table}/dump`)
  expect(status.extends).toMatchObject({
    file_name: before.fileName,
    byte: before.text.length,
  })
  expect(before.pinned).toContain(`edition=${status.extends.edition}`)
})

test('a table made again under its name, of the same file, has other snapshots', async () => {
  const { path, snapshotId } = await addFile(service, name, TWO_COLUMNS)
  await must(ask(service, table, { method: 'DELETE' }))
  await must(post(service, '/v1/tables', { name, infer_from: path }), 201)
  const { results } = await must(post(service, `${table}/files`, { files: [{ path }] }))
  expect(results[0].snapshot_id).not.toBe(snapshotId)
  expect((await ask(service, `${table}/${snapshotId}/dump`)).status).toBe(404)
})

test('what is no edition is refused', async () => {
  await makeTable(service, name, [TWO_COLUMNS])
  expect((await ask(service, `${table}/dump?edition=x`)).status).toBe(400)
  const other = await ask(service, `${table}/dump?edition=0123456789ab`)
  expect([other.status, other.body.type]).toEqual([410, '/problems/dump-edition-gone'])
})
