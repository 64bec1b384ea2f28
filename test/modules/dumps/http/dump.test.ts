import { createHash } from 'node:crypto'
import { readdir, rename } from 'node:fs/promises'
import { ask, must } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { testOfFiles } from '../../../objects/stores/test-store.ts'
import { addFile, download, eventually, makeDump, makeTable, rows, sha256 } from './dump-lab.ts'

let service: TestService
let snapshots: readonly string[]
let tableUuid: string

beforeAll(async () => {
  service = await startTestService()
  snapshots = await makeTable(service, 'flights', [rows(1_000), rows(500, 1_000)])
  tableUuid = (await must(ask(service, '/v1/tables/flights'))).table_id
  for (const snapshotId of snapshots)
    await makeDump(service, `/v1/tables/flights/${snapshotId}/dump`)
})
afterAll(() => service.close())

const pinned = (index = 1, query = 'format=csv') =>
  `${service.url}/v1/tables/${tableUuid}/${snapshots[index]}/dump?${query}`
const moving = (query = '') => `${service.url}/v1/tables/flights/dump?${query}`

test('a dump is one file with length, digest, tag and name; HEAD says the same', async () => {
  const { status, headers, body } = await download(moving('format=csv'))
  expect(status).toBe(200)
  const lines = body.toString().split('\n')
  expect(lines.slice(0, 3)).toEqual(['id,name,x', '0,name 0,0.0', '1,name 1,1.5'])
  expect(lines).toHaveLength(1_502)
  const { edition } = await must(ask(service, '/v1/tables/flights/dump/status'))
  const name = `flights-${snapshots[1]}-${edition}.csv`
  expect(headers).toMatchObject({
    'content-type': 'text/csv; charset=utf-8',
    'content-length': String(body.length),
    etag: `"${snapshots[1]}-${edition}-${tableUuid}-csv"`,
    'accept-ranges': 'bytes',
    'repr-digest': `sha-256=:${Buffer.from(sha256(body), 'hex').toString('base64')}:`,
    'content-disposition': `attachment; filename="${name}"; filename*=UTF-8''${name}`,
    'content-location': `${pinned().slice(service.url.length)}&edition=${edition}`,
    'cache-control': 'private, no-cache, no-transform',
    link: expect.stringContaining('rel="canonical"'),
  })
  expect(headers['content-encoding']).toBeUndefined()
  expect(Date.parse(headers['last-modified'] ?? '')).toBeGreaterThan(Date.now() - 3600_000)
  const head = await download(moving('format=csv'), { method: 'HEAD' })
  expect(head.body).toHaveLength(0)
  const volatile = { date: '', 'x-request-id': '' }
  expect({ ...head.headers, ...volatile }).toEqual({ ...headers, ...volatile })
})

test('the pinned address has the same bytes and may be kept for ever', async () => {
  const { body, headers } = await download(moving())
  const at = await download(service.url + headers['content-location'])
  expect(at.body.equals(body)).toBe(true)
  expect(at.headers['cache-control']).toBe('private, max-age=31536000, immutable, no-transform')
  expect(at.headers['etag']).toBe(headers['etag'])
})

test('the digest beside the file is what sha256sum checks', async () => {
  const { body } = await download(pinned(0))
  const at = `/v1/tables/flights/${snapshots[0]}/dump`
  const { file_name } = await must(ask(service, `${at}/status`))
  expect(file_name).toMatch(new RegExp(`^flights-${snapshots[0]}-[0-9a-f]{12}\\.csv$`))
  const line = `${sha256(body)}  ${file_name}\n`
  const { text, headers } = await ask(service, `${at}.sha256`)
  expect(text).toBe(line)
  expect(headers.get('content-type')).toBe('text/plain; charset=utf-8')
  expect((await ask(service, '/v1/tables/flights/dump.sha256')).text).toContain(snapshots[1])
})

test.each([
  ['bytes=0-0', 0, 1],
  ['bytes=10-19', 10, 20],
  ['bytes=100-', 100, undefined],
  ['bytes=-7', -7, undefined],
  ['bytes=0-999999999', 0, undefined],
])('Range: %s is a 206 of those bytes, with the digest of the whole', async (range, start, end) => {
  const whole = await download(pinned())
  const part = await download(pinned(), { headers: { Range: range } })
  const expected = whole.body.subarray(start, end)
  expect(part.status).toBe(206)
  expect(part.body.equals(expected)).toBe(true)
  const from = start < 0 ? whole.body.length + start : start
  expect(part.headers).toMatchObject({
    'content-length': String(expected.length),
    'content-range': `bytes ${from}-${from + expected.length - 1}/${whole.body.length}`,
    'repr-digest': whole.headers['repr-digest'],
    etag: whole.headers['etag'],
  })
})

test('a range over the joint of two shards is whole', async () => {
  const first = await download(pinned(0))
  const joint = first.body.length
  const { body } = await download(pinned(1), {
    headers: { Range: `bytes=${joint - 20}-${joint + 19}` },
  })
  const whole = await download(pinned(1))
  expect(body.equals(whole.body.subarray(joint - 20, joint + 20))).toBe(true)
})

test('a range past the end is a 416 that says how long the file is', async () => {
  const { body } = await download(pinned())
  const headers = { Range: `bytes=${body.length}-` }
  const refused = await download(pinned(), { headers })
  expect(refused.status).toBe(416)
  expect(refused.headers['content-range']).toBe(`bytes */${body.length}`)
  const problem = await ask(service, pinned().slice(service.url.length), { headers })
  expect(problem.body).toMatchObject({
    type: '/problems/range-not-satisfiable',
    length_bytes: body.length,
  })
})

test.each(['bytes=0-1,5-6', 'lines=1-2', 'bytes=9-3'])(
  'Range: %s is ignored, as a server may, and HEAD knows no ranges',
  async (range) => {
    expect((await download(pinned(), { headers: { Range: range } })).status).toBe(200)
    expect((await download(moving(), { headers: { Range: range } })).status).toBe(200)
    const head = await download(pinned(), { method: 'HEAD', headers: { Range: 'bytes=0-1' } })
    expect(head.status).toBe(200)
  },
)

test('conditions: 304, 412, and If-Range that decides between 206 and 200', async () => {
  const { headers } = await download(pinned(), { method: 'HEAD' })
  const etag = String(headers['etag'])
  const since = String(headers['last-modified'])
  const ask = async (given: Record<string, string>, method = 'GET') => {
    const answer = await download(pinned(), { headers: given, method })
    return answer.status
  }
  expect(await ask({ 'If-None-Match': etag })).toBe(304)
  expect(await ask({ 'If-None-Match': etag }, 'HEAD')).toBe(304)
  expect(await ask({ 'If-Modified-Since': since })).toBe(304)
  expect(await ask({ 'If-None-Match': '"x"', 'If-Modified-Since': since })).toBe(200)
  expect(await ask({ 'If-Match': '"x"' })).toBe(412)
  expect(await ask({ 'If-Match': etag, Range: 'bytes=1-2' })).toBe(206)
  expect(await ask({ 'If-Range': etag, Range: 'bytes=1-2' })).toBe(206)
  expect(await ask({ 'If-Range': '"x"', Range: 'bytes=1-2' })).toBe(200)
  expect(await ask({ 'If-None-Match': etag, Range: 'bytes=1-2' })).toBe(304)
  const kept = await download(pinned(), { headers: { 'If-None-Match': etag } })
  expect(kept.headers).toMatchObject({
    etag,
    'cache-control': 'private, no-cache, no-transform',
  })
  expect(kept.headers['content-length']).toBeUndefined()
  expect(kept.headers['content-type']).toBeUndefined()
})

test('a part of a moving address is a 428 naming the pinned one, unless tagged', async () => {
  const { headers } = await download(moving(), { method: 'HEAD' })
  const etag = String(headers['etag'])
  const answer = await ask(service, '/v1/tables/flights/dump', { headers: { Range: 'bytes=5-' } })
  expect(answer.status).toBe(428)
  expect(answer.body).toMatchObject({
    type: '/problems/precondition-required',
    pinned_url: headers['content-location'],
    detail: expect.stringContaining(`curl -fL -C - -o 'flights-${snapshots[1]}-`),
  })
  for (const address of [
    `/v1/tables/flights/latest/dump`,
    '/v1/tables/flights/main/dump',
    `/v1/tables/flights/dump?as_at=${Date.now()}`,
    '/datastore/dump/flights',
  ]) {
    const part = await download(service.url + address, { headers: { Range: 'bytes=0-5' } })
    expect([address, part.status]).toEqual([address, 428])
  }
  const current = { 'If-Range': etag, Range: 'bytes=0-5' }
  expect((await download(moving(), { headers: current })).status).toBe(206)
  const matched = { 'If-Match': etag, Range: 'bytes=0-5' }
  expect((await download(moving(), { headers: matched })).status).toBe(206)
  const any = { 'If-Match': '*', Range: 'bytes=0-5' }
  expect((await download(moving(), { headers: any })).status).toBe(428)
  const chosen = moving(`snapshot_id=${snapshots[0]}`)
  expect((await download(chosen, { headers: { Range: 'bytes=0-5' } })).status).toBe(206)
})

test('half of an old dump is never continued with the new one', async () => {
  await makeTable(service, 'moves', [rows(10)])
  const address = `${service.url}/v1/tables/moves/dump`
  const old = await download(address)
  await addFile(service, 'moves', rows(10, 10))
  const half = { Range: 'bytes=50-' }
  expect((await download(address, { headers: half })).status).toBe(428)
  const etag = String(old.headers['etag'])
  const restarted = await download(address, { headers: { ...half, 'If-Range': etag } })
  expect(restarted.status).toBe(200)
  expect(restarted.body.toString().split('\n')).toHaveLength(22)
  const refused = await download(address, { headers: { ...half, 'If-Match': etag } })
  expect(refused.status).toBe(412)
  const resumed = await download(service.url + old.headers['content-location'], { headers: half })
  expect(Buffer.concat([old.body.subarray(0, 50), resumed.body]).equals(old.body)).toBe(true)
})

test('a date never takes one snapshot for another of the same second', async () => {
  await makeTable(service, 'quick', [rows(1)])
  const address = `${service.url}/v1/tables/quick/dump`
  const first = await download(address)
  const headers = { 'If-Modified-Since': String(first.headers['last-modified']) }
  await addFile(service, 'quick', rows(1, 1))
  const second = await download(address, { headers })
  expect(second.status).toBe(200)
  expect(second.body.equals(first.body)).toBe(false)
})

test('the format comes from the parameter, else from Accept, else it is csv', async () => {
  const typeOf = async (query: string, accept?: string) => {
    const headers: Record<string, string> = accept === undefined ? {} : { Accept: accept }
    const answer = await download(moving(query), { method: 'HEAD', headers })
    return answer.status === 200 ? answer.headers['content-type'] : answer.status
  }
  expect(await typeOf('')).toBe('text/csv; charset=utf-8')
  expect(await typeOf('', 'text/html, */*;q=0.8')).toBe('text/csv; charset=utf-8')
  expect(await typeOf('', 'application/x-ndjson')).toBe('application/x-ndjson')
  expect(await typeOf('', 'application/vnd.apache.parquet, text/csv;q=0.5')).toBe(
    'application/vnd.apache.parquet',
  )
  expect(await typeOf('', 'application/vnd.apache.arrow.stream')).toBe(
    'application/vnd.apache.arrow.stream',
  )
  expect(await typeOf('', 'image/png')).toBe(406)
  expect(await typeOf('format=ndjson', 'text/csv')).toBe('application/x-ndjson')
  expect(await typeOf('format=csv&compression=gzip')).toBe('application/gzip')
  expect(await typeOf('format=csv&compression=zstd')).toBe('application/zstd')
})

test('what makes no sense is refused by name', async () => {
  const refused = async (query: string) =>
    (await ask(service, `/v1/tables/flights/dump?${query}`)).body
  expect(await refused('format=xlsx')).toMatchObject({
    type: '/problems/request-invalid',
    detail: expect.stringContaining('parquet'),
  })
  expect(await refused('format=parquet&compression=gzip')).toMatchObject({
    type: '/problems/request-invalid',
    detail: expect.stringContaining('parquet'),
  })
  expect(await refused(`as_at=2024-01-01&snapshot_id=${snapshots[0]}`)).toMatchObject({
    type: '/problems/request-invalid',
  })
  expect(await refused('redirect=maybe')).toMatchObject({ type: '/problems/request-invalid' })
  // This warehouse is in no bucket.
  expect(await refused('redirect=always')).toMatchObject({
    type: '/problems/not-implemented',
    detail: expect.stringContaining('redirect=always'),
  })
  expect(await refused('snapshot_id=17')).toMatchObject({ type: '/problems/snapshot-not-found' })
  expect(await refused('ref=nightly')).toMatchObject({ type: '/problems/snapshot-not-found' })
  expect(await refused('as_at=1999-01-01')).toMatchObject({
    type: '/problems/as-at-before-first-snapshot',
  })
  expect((await ask(service, '/v1/tables/nothing/dump')).body.type).toBe(
    '/problems/table-not-found',
  )
})

test('the table as it was at a moment', async () => {
  const { snapshots: log } = await must(ask(service, '/v1/tables/flights/snapshots'))
  const firstAt = log.at(-1).logged_at
  const { body, headers } = await download(moving(`as_at=${firstAt}`))
  expect(headers['content-location']).toContain(snapshots[0])
  expect(body.equals((await download(pinned(0))).body)).toBe(true)
})

test('the status says what a dump extends: yesterday’s file gets only the new tail', async () => {
  const status = await must(ask(service, '/v1/tables/flights/dump/status'))
  const yesterday = await download(pinned(0))
  expect(status).toMatchObject({
    state: 'ready',
    rows: 1_500,
    extends: { snapshot_id: snapshots[0], byte: yesterday.body.length },
  })
  const tail = await download(service.url + status.url, {
    headers: { Range: `bytes=${status.extends.byte}-` },
  })
  expect(tail.status).toBe(206)
  const joined = Buffer.concat([yesterday.body, tail.body])
  expect(joined).toHaveLength(status.bytes)
  expect(sha256(joined)).toBe(status.sha256)
})

test('a client that does not want to wait gets a 202 and follows the status', async () => {
  const [snapshotId] = await makeTable(service, 'patient', [rows(50_000)])
  const address = `/v1/tables/patient/${snapshotId}/dump?format=ndjson`
  const absent = await must(ask(service, address.replace('/dump', '/dump/status')))
  expect(absent.state).toBe('absent')
  const head = await download(service.url + address, { method: 'HEAD' })
  expect(head.status).toBe(200)
  expect(head.headers['content-length']).toBeUndefined()
  expect(head.headers['etag']).toContain(snapshotId)
  const accepted = await ask(service, address, { headers: { Prefer: 'respond-async' } })
  expect(accepted.status).toBe(202)
  expect(accepted.headers.get('preference-applied')).toBe('respond-async')
  expect(accepted.headers.get('retry-after')).toMatch(/^\d+$/)
  const end = await must(ask(service, `${accepted.body.job_url.split('?')[0]}?wait=30`))
  expect(end).toMatchObject({ kind: 'dump', state: 'succeeded', result: { rows: 50_000 } })
  const late = await must(ask(service, accepted.body.job_url, { method: 'DELETE' }))
  expect(late.state).toBe('succeeded')
  const location = String(accepted.headers.get('location'))
  let status = await must(ask(service, location))
  while (status.state === 'running') status = await must(ask(service, location))
  expect(status).toMatchObject({ state: 'ready', rows: 50_000 })
  const { body, headers } = await download(service.url + status.url)
  expect(sha256(body)).toBe(status.sha256)
  expect(headers['content-length']).toBe(String(status.bytes))
})

test('Prefer: wait gives the length of a dump that nobody made yet', async () => {
  await makeTable(service, 'waiting', [rows(50_000)])
  const address = `${service.url}/v1/tables/waiting/dump`
  const { headers } = await download(address, { method: 'HEAD', headers: { Prefer: 'wait=50' } })
  expect(Number(headers['content-length'])).toBeGreaterThan(1e6)
})

test('a lost data file is named by the dump and by its status, until it is back', async () => {
  const { path } = await addFile(service, 'lossy', rows(10))
  await rename(path, `${path}.away`)
  for (const format of ['csv', 'parquet', 'ndjson']) {
    const gone = await ask(service, `/v1/tables/lossy/dump?format=${format}`)
    expect([format, gone.status]).toEqual([format, 410])
    expect(gone.body).toMatchObject({ type: '/problems/data-file-missing', path: `file://${path}` })
    const status = await must(ask(service, `/v1/tables/lossy/dump/status?format=${format}`))
    expect(status).toMatchObject({
      state: 'failed',
      problem: { type: '/problems/data-file-missing' },
    })
  }
  await rename(`${path}.away`, path)
  expect((await download(`${service.url}/v1/tables/lossy/dump?format=csv`)).status).toBe(200)
})

test('CKAN’s address gives the same file', async () => {
  const { body, headers, status } = await download(
    `${service.url}/datastore/dump/flights?bom=False`,
  )
  expect(status).toBe(200)
  expect(body.equals((await download(pinned())).body)).toBe(true)
  expect(headers['content-location']).toContain(`/v1/tables/${tableUuid}/`)
  expect((await ask(service, '/datastore/dump/flights?format=ods')).status).toBe(400)
  const refused = await ask(service, '/datastore/dump/flights?limit=5')
  const told = expect.stringContaining('a dump is always whole: take a part of its bytes')
  expect([refused.status, refused.body.detail]).toEqual([400, told])
})

test.each(['csv', 'tsv'])('CKAN’s own links get a byte order mark: %s', async (format) => {
  const plain = await download(`${service.url}/datastore/dump/flights?format=${format}`)
  const marked = await download(`${service.url}/datastore/dump/flights?format=${format}&bom=True`)
  expect(marked.status).toBe(200)
  expect(marked.body.equals(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), plain.body]))).toBe(
    true,
  )
  expect(marked.headers['etag']).not.toBe(plain.headers['etag'])
  const pinnedUrl = service.url + marked.headers['content-location']
  expect(pinnedUrl).toContain('bom=true')
  const again = await download(pinnedUrl)
  const sha256 = createHash('sha256').update(marked.body).digest('base64')
  expect(again.headers['repr-digest']).toBe(`sha-256=:${sha256}:`)
  expect(again.headers['etag']).toBe(marked.headers['etag'])
  const part = await fetch(pinnedUrl, { headers: { Range: 'bytes=2-9' } })
  expect(part.status).toBe(206)
  expect(Buffer.from(await part.arrayBuffer()).equals(marked.body.subarray(2, 10))).toBe(true)
  const status = await must(
    ask(service, pinnedUrl.replace(service.url, '').replace('/dump?', '/dump/status?')),
  )
  expect(status).toMatchObject({ state: 'ready', bytes: marked.body.length })
  // Neither is taken for another edition of the other.
  const ofPlain = await fetch(pinned(), { headers: { Range: 'bytes=0-3' } })
  expect(ofPlain.status).toBe(206)
})

test('formats without a byte order mark refuse one', async () => {
  for (const format of ['json', 'parquet']) {
    const { status, body } = await ask(service, `/datastore/dump/flights?format=${format}&bom=1`)
    expect([status, body.detail]).toEqual([400, expect.stringContaining('leave "bom" out')])
  }
})

// It looks into the folder.
testOfFiles.each(['/v1/tables/ending', '/iceberg/v1/namespaces/default/tables/ending'])(
  'the dumps of a table go when DELETE %s drops it',
  async (address) => {
    await makeTable(service, 'ending', [rows(10)])
    const { table_id } = await must(ask(service, '/v1/tables/ending'))
    await makeDump(service, '/v1/tables/ending/dump')
    const folder = `${service.home}/warehouse/.dumps/${table_id}/csv`
    const files = async () =>
      (await readdir(folder, { withFileTypes: true, recursive: true })).filter((entry) =>
        entry.isFile(),
      )
    expect(await files()).not.toEqual([])
    const { status } = await fetch(service.url + address, { method: 'DELETE' })
    expect(status).toBeLessThan(300)
    await eventually(async () => (await files()).length === 0)
  },
)
