import { ask, type Json, must, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { addFile, download, makeDump, makeTable } from './dump-lab.ts'

let service: TestService
let snapshots: readonly string[]
let tableUuid: string
let tables = 0
let name: string
/** The address of a table of two snapshots, of which a branch and a tag name the newer one. */
let table: string

beforeAll(async () => {
  service = await startTestService()
  await must(post(service, '/iceberg/v1/namespaces', { namespace: ['sky'] }))
})
afterAll(() => service.close())
beforeEach(async () => {
  name = `t${++tables}`
  table = `/v1/tables/sky.${name}`
  snapshots = await makeTable(service, `sky.${name}`, [
    "SELECT 1::BIGINT AS a, 'x' AS b",
    "SELECT 2::BIGINT AS a, 'y' AS b",
  ])
  await must(
    post(service, `/iceberg/v1/namespaces/sky/tables/${name}`, {
      requirements: [],
      updates: (['branch', 'tag'] as const).map((type) => ({
        ...{ action: 'set-snapshot-ref', 'ref-name': `the-${type}`, type },
        'snapshot-id': Number(snapshots[1]),
      })),
    }),
  )
  tableUuid = (await must(ask(service, table))).table_id
})

function change(...changes: Json[]): Promise<Json> {
  return must(post(service, `${table}/schemas`, { changes }))
}

async function headerAt(address: string): Promise<string> {
  const { status, body } = await download(service.url + address)
  return status === 200 ? (body.toString().split('\n')[0] ?? '') : String(status)
}

const RENAME = { op: 'rename', name: 'b', to: 'c' }

test('after a rename, addresses that move with the table have its names', async () => {
  const atStart = encodeURIComponent(new Date().toISOString())
  expect(await headerAt(`${table}/dump`)).toBe('a,b')
  await change(RENAME)
  const moving = ['dump', 'latest/dump', 'main/dump', 'the-branch/dump', 'dump?ref=the-branch']
  for (const address of [...moving, `dump?schema_id=1`, `${snapshots[0]}/dump?schema_id=1`]) {
    expect([address, await headerAt(`${table}/${address}`)]).toEqual([address, 'a,c'])
  }
  const fixed = [
    `${snapshots[1]}/dump`,
    `dump?snapshot_id=${snapshots[1]}`,
    `dump?as_at=${atStart}`,
  ]
  for (const address of [
    ...fixed,
    'the-tag/dump',
    'dump?schema_id=0',
    'the-branch/dump?schema_id=0',
  ]) {
    expect([address, await headerAt(`${table}/${address}`)]).toEqual([address, 'a,b'])
  }
  expect(await headerAt(`/datastore/dump/sky.${name}`)).toBe('a,c')
  const branch = await must(ask(service, `${table}/the-branch`))
  expect(branch.schema.columns.map((column: Json) => column.name)).toEqual(['a', 'c'])
})

test('a dropped column is handed out no more, in any format', async () => {
  for (const format of ['csv', 'ndjson', 'parquet']) {
    const old = await download(`${service.url}${table}/dump?format=${format}`)
    expect(old.body.toString('latin1')).toContain('b')
    await makeDump(service, `${table}/dump?format=${format}`)
  }
  await change({ op: 'drop', name: 'b' })
  const csv = await download(`${service.url}${table}/dump`)
  expect(csv.body.toString()).toBe('a\n1\n2\n')
  const ndjson = await download(`${service.url}${table}/dump?format=ndjson`)
  expect(ndjson.body.toString()).toBe('{"a":1}\n{"a":2}\n')
  const parquet = await download(`${service.url}${table}/dump?format=parquet`)
  expect(parquet.headers['content-location']).toContain('schema_id=1')
})

test('names, tags and addresses tell the schema where it is not the snapshot’s', async () => {
  const before = await download(`${service.url}${table}/dump`)
  await change(RENAME)
  const after = await download(`${service.url}${table}/dump`)
  const { edition } = await must(ask(service, `${table}/dump/status`))
  const version = `${snapshots[1]}-schema-1-${edition}`
  const pinnedAt = `/v1/tables/${tableUuid}/${snapshots[1]}/dump`
  expect(after.headers).toMatchObject({
    etag: `"${version}-${tableUuid}-csv"`,
    'content-location': `${pinnedAt}?format=csv&schema_id=1&edition=${edition}`,
    'content-disposition': expect.stringContaining(`"${name}-${version}.csv"`),
  })
  expect(after.headers.etag).not.toBe(before.headers.etag)
  const pinned = await download(service.url + after.headers['content-location'])
  expect(pinned.body.equals(after.body)).toBe(true)
  expect(pinned.headers).toMatchObject({
    etag: after.headers.etag,
    'cache-control': 'private, max-age=31536000, immutable, no-transform',
  })
  const line = await ask(service, `${table}/dump.sha256`)
  expect(line.text).toContain(`  ${name}-${version}.csv\n`)
  // The old bytes stay what they were.
  const old = await download(service.url + before.headers['content-location'])
  expect(old.body.equals(before.body)).toBe(true)

  const range = { Range: 'bytes=0-3' }
  const unnamed = await ask(service, `${table}/dump`, { headers: range })
  expect([unnamed.status, unnamed.body.pinned_url]).toEqual([
    428,
    after.headers['content-location'],
  ])
  const stale = { ...range, 'If-Range': before.headers.etag ?? '' }
  expect((await download(`${service.url}${table}/dump`, { headers: stale })).status).toBe(200)
})

test('a date proves nothing about columns: they change without a snapshot', async () => {
  const before = await download(`${service.url}${table}/dump`)
  await change(RENAME)
  const since = { 'If-Modified-Since': new Date(Date.now() + 60_000).toUTCString() }
  expect((await download(`${service.url}${table}/dump`, { headers: since })).status).toBe(200)
  const date = { Range: 'bytes=0-3', 'If-Range': before.headers['last-modified'] ?? '' }
  expect((await download(`${service.url}${table}/dump`, { headers: date })).status).toBe(200)
})

test('a job makes the dump of its schema; the next dump extends it and says which', async () => {
  await change(RENAME)
  const headers = { Prefer: 'respond-async, wait=20' }
  const made = await download(`${service.url}${table}/dump`, { headers })
  expect([made.status, made.body.toString()]).toEqual([200, 'a,c\n1,x\n2,y\n'])
  const status = await must(ask(service, `${table}/dump/status`))
  expect(status).toMatchObject({ state: 'ready', schema_id: 1, snapshot_id: snapshots[1] })
  expect(status.url).toBe(made.headers['content-location'])
  await addFile(service, `sky.${name}`, "SELECT 3::BIGINT AS a, 'z' AS c")
  const next = await makeDump(service, `${table}/dump`)
  expect(next).toMatchObject({
    schema_id: 1,
    extends: { snapshot_id: snapshots[1], schema_id: 1, byte: made.body.length },
  })
  expect(next.url).not.toContain('schema_id')
})

test('a schema that the table has not is refused with those that it has', async () => {
  const answer = await ask(service, `${table}/dump?schema_id=7`)
  expect([answer.status, answer.body.type]).toEqual([400, '/problems/request-invalid'])
  expect(answer.body).toMatchObject({ schema_id: 7, schema_ids: [0] })
  expect((await ask(service, `${table}/dump?schema_id=`)).status).toBe(400)
})
