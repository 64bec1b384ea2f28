import { randomBytes, randomUUID } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeParquet } from '../parquet-files.ts'
import { type Answer, ask, type Json, must, post } from './client.ts'
import { startTestService, type TestService } from './harness.ts'

let service: TestService
let good: string
let before: Json

beforeAll(async () => {
  service = await startTestService()
  const columns = [
    { name: 'n', type: 'long' },
    { name: 'text', type: 'string' },
  ]
  await must(post(service, '/v1/tables', { name: 'target', schema: { columns } }), 201)
  good = await parquet('good', "SELECT 1::BIGINT AS n, 'x' AS text")
  await must(post(service, '/v1/tables/target/files', { files: [{ path: good }] }))
  before = await must(ask(service, '/v1/tables/target'))
})
afterEach(async () => {
  expect(await must(ask(service, '/v1/tables/target'))).toEqual(before)
})
afterAll(() => service.close())

function parquet(name: string, query: string): Promise<string> {
  return writeParquet(`${service.dataFolder}/${name}.parquet`, query)
}

const stage = (path: unknown) => post(service, '/v1/tables/target/files', { files: [{ path }] })
const create = (body: unknown) => post(service, '/v1/tables', body)
const columns = [{ name: 'n', type: 'long' }]

async function refused(asked: Promise<Answer>, status: number, code: string): Promise<Json> {
  const answer = await asked
  expect(answer.body).toMatchObject({ status, type: `/problems/${code}` })
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(answer.body.instance).toBe(answer.headers.get('x-request-id'))
  return answer.body
}

test('an unknown table', async () => {
  const problem = await refused(ask(service, '/v1/tables/nowhere'), 404, 'table-not-found')
  expect(problem.table).toBe('default.nowhere')
  await refused(ask(service, `/v1/tables/${randomUUID()}`), 404, 'table-not-found')
})

test('bad names, also one of 10,000 characters', async () => {
  for (const name of [
    '1st',
    'a b',
    '',
    '.',
    'a..b',
    'ä',
    '../x',
    "x'; DROP TABLE tables",
    'x'.repeat(10_000),
  ]) {
    const problem = await refused(create({ name, schema: { columns } }), 400, 'name-invalid')
    expect(problem.detail.length).toBeLessThan(400)
  }
  await refused(create({ name: randomUUID(), schema: { columns } }), 400, 'name-invalid')
  const long = await fetch(`${service.url}/v1/tables/${'x'.repeat(10_000)}`)
  expect(await long.json()).toMatchObject({ type: '/problems/name-invalid' })
})

test('bad JSON, with the place where it breaks', async () => {
  const headers = { 'Content-Type': 'application/json' }
  const send = (raw: string) => ask(service, '/v1/tables', { raw, headers })
  const problem = await refused(send('{"name": "x",\n "schema": tru}'), 400, 'body-invalid')
  expect(problem).toMatchObject({ position: 25, line: 2, column: 12 })
  await refused(send('{"name": "x"'), 400, 'body-invalid')
  await refused(send('['.repeat(100_000)), 400, 'body-invalid')
  await refused(send('[['.repeat(100) + ']]'.repeat(100)), 400, 'body-invalid')
  const bytes = Uint8Array.of(0x22, 0xff, 0x22)
  await refused(ask(service, '/v1/tables', { raw: bytes, headers }), 400, 'body-invalid')
  await refused(ask(service, '/v1/tables', { method: 'POST', headers }), 400, 'body-invalid')
})

test('wrong types and unknown members, each with its path', async () => {
  const body = { name: 5, schema: { columns: [{ name: 'n', type: 7, nulable: true }] }, extra: 1 }
  const problem = await refused(create(body), 400, 'request-invalid')
  const paths = problem.errors.map((error: { path: string }) => error.path)
  expect(paths).toEqual(expect.arrayContaining(['body.name', 'body.schema.columns.0.type']))
  expect(problem.errors.length).toBeLessThanOrEqual(20)
  const many = { files: Array.from({ length: 5_000 }, () => ({ paht: 'x'.repeat(100) })) }
  const bounded = await refused(
    post(service, '/v1/tables/target/files', many),
    400,
    'request-invalid',
  )
  expect(bounded.errors).toHaveLength(20)
  for (const body of [null, [], 'x', 5]) await refused(create(body), 400, 'request-invalid')
})

test('an unknown member of a column or a change is told which are known', async () => {
  const column = { name: 'n', type: 'long', nulable: true }
  const body = { name: 'x', schema: { columns: [column] } }
  const { detail } = await refused(create(body), 400, 'request-invalid')
  expect(detail).toMatch(/unknown member "nulable"; known here: .*name, type, nullable/)
  const changes = [{ op: 'rename', name: 'n', into: 'm' }]
  const change = post(service, '/v1/tables/target/schemas', { changes })
  const { errors } = await refused(change, 400, 'request-invalid')
  expect(errors).toContainEqual({
    path: 'body.changes.0',
    message: 'unknown member "into"; known here: op, name, id, to',
  })
})

test('an unknown column type lists the known ones', async () => {
  const body = { name: 'x', schema: { columns: [{ name: 'n', type: 'varchat' }] } }
  const problem = await refused(create(body), 422, 'column-type-unknown')
  expect(JSON.stringify(problem)).toContain('timestamptz')
})

test('10,000 columns', async () => {
  const wide = Array.from({ length: 10_000 }, (_, i) => ({ name: `c${i}`, type: 'long' }))
  await refused(create({ name: 'wide', schema: { columns: wide } }), 422, 'schema-invalid')
})

test('neither columns nor a file to take them from', async () => {
  await refused(create({ name: 'x' }), 422, 'schema-invalid')
  const partitioning = [{ column: 'm', transform: 'day' }]
  const body = { name: 'x', schema: { columns }, partitioning }
  await refused(create(body), 422, 'partitioning-invalid')
})

test('a missing file', async () => {
  const path = `${service.dataFolder}/missing.parquet`
  const problem = await refused(stage(path), 422, 'file-not-found')
  expect(JSON.stringify(problem)).toContain('missing.parquet')
})

test('a file that is not Parquet, an empty one, and a cut one', async () => {
  const bytes = await readFile(good)
  const files = {
    noise: randomBytes(5_000),
    nothing: Buffer.alloc(0),
    magic: Buffer.from('PAR1PAR1'),
    cut: bytes.subarray(0, bytes.length - 20),
    headless: bytes.subarray(Math.floor(bytes.length / 2)),
    huge: Buffer.concat([
      bytes.subarray(0, -8),
      Buffer.from([255, 255, 255, 127]),
      Buffer.from('PAR1'),
    ]),
  }
  for (const [name, content] of Object.entries(files)) {
    const path = `${service.dataFolder}/${name}.parquet`
    await writeFile(path, content)
    if (name === 'headless') continue // its footer is whole: the footer is all that staging reads
    const problem = await refused(stage(path), 422, 'file-not-parquet')
    expect(JSON.stringify(problem)).toContain(`${name}.parquet`)
  }
})

test('a file of another schema is refused by column', async () => {
  const wrongType = await parquet('wrong-type', "SELECT 'one' AS n, 'x' AS text")
  const problem = await refused(stage(wrongType), 422, 'file-schema-mismatch')
  expect(JSON.stringify(problem)).toContain('"n"')
})

test('a file twice: in one request, and again later', async () => {
  await refused(stage(good), 409, 'file-already-in-table')
  const fresh = await parquet('twice', "SELECT 2::BIGINT AS n, 'y' AS text")
  const twice = { files: [{ path: fresh }, { path: `file://${fresh}` }] }
  await refused(post(service, '/v1/tables/target/files', twice), 409, 'file-already-in-table')
})

test('paths outside the allowed locations', async () => {
  const outside = ['file:///etc/passwd', '/etc/passwd', 'file:/etc/passwd']
  for (const path of outside) await refused(stage(path), 403, 'location-not-allowed')
  for (const path of [`file://${service.dataFolder}/../catalog.db`, 'x.parquet', 'file://host/x']) {
    expect((await stage(path)).body.type).toMatch(/\/location-(invalid|not-allowed)$/)
  }
  const inferred = { name: 'stolen', infer_from: 'file:///etc/passwd' }
  await refused(create(inferred), 403, 'location-not-allowed')
  const placed = { name: 'placed', schema: { columns }, location: 'file:///etc' }
  await refused(create(placed), 403, 'location-not-allowed')
})

test('a file to remove that is not in the table', async () => {
  const files = [{ path: `${service.dataFolder}/never.parquet` }]
  await refused(
    post(service, '/v1/tables/target/files/remove', { files }),
    422,
    'file-not-in-table',
  )
})

test('unknown transactions', async () => {
  const unknown = { transaction_id: randomUUID() }
  for (const end of ['commit', 'abort']) {
    await refused(post(service, `/v1/transactions/${end}`, unknown), 404, 'transaction-not-found')
  }
  await refused(ask(service, '/v1/transactions/x'), 404, 'transaction-not-found')
  const odd = { transaction_id: "'; --" }
  await refused(post(service, '/v1/transactions/commit', odd), 400, 'request-invalid')
  const forever = { expires_in_seconds: 1e9 }
  await refused(post(service, '/v1/transactions/start', forever), 400, 'request-invalid')
})

test('a body that is too large', async () => {
  const raw = `{"name":"${'x'.repeat(9 * 1024 * 1024)}"}`
  const headers = { 'Content-Type': 'application/json' }
  const problem = await refused(ask(service, '/v1/tables', { raw, headers }), 413, 'body-too-large')
  expect(problem.bytes_max).toBe(8 * 1024 * 1024)
  const answer = await fetch(`${service.url}/v1/tables`, {
    method: 'POST',
    headers,
    body: new Blob([raw]).stream(),
    duplex: 'half',
  } as RequestInit)
  expect(answer.status).toBe(413)
})

test('other media types and encodings', async () => {
  const send = (headers: Record<string, string>) =>
    ask(service, '/v1/tables', { raw: '{}', headers })
  await refused(send({ 'Content-Type': 'text/plain' }), 415, 'media-type-unsupported')
  const gzip = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }
  await refused(send(gzip), 415, 'media-type-unsupported')
  const headers = { Accept: 'text/html' }
  await refused(ask(service, '/v1/tables/target', { headers }), 406, 'not-acceptable')
})

test('moments that are none, and one before the first snapshot', async () => {
  for (const asAt of ['yesterday', '2024-13-01', '1e9', '']) {
    await refused(ask(service, `/v1/tables/target?as_at=${asAt}`), 400, 'as-at-invalid')
  }
  const early = ask(service, '/v1/tables/target?as_at=0')
  await refused(early, 404, 'as-at-before-first-snapshot')
  const plus = await ask(service, '/v1/tables/target?as_at=2001-02-03T04:05:06+01:00')
  expect(plus.body).toMatchObject({ as_at: '2001-02-03T03:05:06.000Z' })
})

test('a malformed filter points at the character', async () => {
  const filter = (text: string) =>
    ask(service, `/v1/tables/target?filter=${encodeURIComponent(text)}`)
  const problem = await refused(filter('n = 1 AND AND'), 400, 'filter-invalid')
  expect(problem.position).toBe(10)
  expect(problem.near).toContain('^')
  expect((await filter('nope = 1')).body.type).toMatch(/\/filter-invalid$/)
  await refused(filter('('.repeat(5_000)), 400, 'filter-invalid')
})

test('NUL bytes in the path, the query and the body', async () => {
  await refused(ask(service, '/v1/tables/tar%00get'), 400, 'request-invalid')
  await refused(ask(service, '/v1/tables?prefix=%00'), 400, 'request-invalid')
  await refused(create({ name: 'x\0', schema: { columns } }), 400, 'request-invalid')
  const told = { name: 'x', schema: { columns }, metadata: { 'k\0': [{ deep: 'v' }] } }
  await refused(create(told), 400, 'request-invalid')
  await refused(create({ ...told, metadata: {}, description: '\ud800' }), 400, 'request-invalid')
  await refused(ask(service, '/v1/tables/%ff'), 400, 'request-invalid')
})

test('unknown and repeated parameters name themselves', async () => {
  const typo = await refused(ask(service, '/v1/tables/target?fliter=x'), 400, 'request-invalid')
  expect(typo.parameters_known).toEqual(['as_at', 'snapshot_id', 'ref', 'filter'])
  await refused(ask(service, '/v1/tables?prefix=a&prefix=b'), 400, 'request-invalid')
  for (const size of ['0', '1001', 'x', '-1', '1.5']) {
    await refused(ask(service, `/v1/tables?page_size=${size}`), 400, 'request-invalid')
  }
})

test('nothing at a path, and another method at a known one', async () => {
  await refused(ask(service, '/v2/tables'), 404, 'route-not-found')
  const answer = await ask(service, '/v1/transactions/start')
  expect(answer.body).toMatchObject({ status: 405, type: '/problems/method-not-allowed' })
  expect(answer.headers.get('allow')).toBe('POST')
  const patched = await ask(service, '/v1/tables', { method: 'PATCH' })
  expect(patched.headers.get('allow')?.split(', ').sort()).toEqual(['GET', 'HEAD', 'POST'])
})

test('an upload that is cut in the middle leaves nothing', async () => {
  const { port, hostname } = new URL(service.url)
  const { location } = before
  const folder = fileURLToPath(`${location}/`)
  const socket = connect(Number(port), hostname)
  socket.write(
    'POST /v1/tables/target/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n' +
      'Content-Type: application/vnd.apache.parquet\r\n\r\n',
  )
  socket.write(Buffer.alloc(200_000))
  await until(async () => (await dataFilesBelow(folder)).length > 0)
  socket.destroy()
  await until(async () => (await dataFilesBelow(folder)).length === 0)
})

async function dataFilesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile())
  return files
    .map((file) => join(file.parentPath, file.name))
    .filter((path) => !path.includes('/metadata/'))
}

/** Throws when it does not come true in time. */
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (const _ of Array.from({ length: 200 })) {
    if (await isTrue()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('it did not come true')
}

test('an upload that is no Parquet leaves nothing; to an unknown table it is unread', async () => {
  const headers = { 'Content-Type': 'application/vnd.apache.parquet' }
  const raw = new Uint8Array(1_000_000)
  const upload = (table: string) => ask(service, `/v1/tables/${table}/files`, { raw, headers })
  await refused(upload('target'), 422, 'file-not-parquet')
  await refused(upload('nowhere'), 404, 'table-not-found')
  expect(await dataFilesBelow(fileURLToPath(`${before.location}/`))).toEqual([])
})

test('a CSV that is sent as JSON is told to be no JSON, however long it is', async () => {
  const send = (text: string) =>
    fetch(`${service.url}/v1/tables/target/files`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: text,
    })
  for (const [text, status, detail] of [
    [
      `n,text\n${'1,x\n'.repeat(60_000)}`,
      400,
      /^not JSON at position 0: .* CSV is sent as text\/csv/,
    ],
    [`[${'1,'.repeat(60_000)}1]`, 413, /at most 50000 values/],
  ] as const) {
    const answer = await send(text)
    const problem = (await answer.json()) as Json
    expect([answer.status, problem.detail]).toEqual([status, expect.stringMatching(detail)])
  }
})

test('what is asked at the wrong place names the right one', async () => {
  for (const [path, status, detail] of [
    [
      '/v1/config',
      404,
      /no such route: GET \/v1\/config; the Iceberg REST catalog is at \/iceberg/,
    ],
    ['/v1/tables?page_size=abc', 400, /^query.page_size: must be an integer from 1 to \d+$/],
  ] as const) {
    const answer = await ask(service, path)
    expect([answer.status, answer.body.detail]).toEqual([status, expect.stringMatching(detail)])
  }
  for (const [path, hint] of [
    ['v1/v1/config', 'the Iceberg REST catalog is at /iceberg'],
    ['v1/v1/oauth/tokens', 'tokens for keys are made by POST /iceberg/v1/oauth/tokens'],
  ]) {
    const answer = await ask(service, `/iceberg/${path}`)
    expect([answer.status, answer.body]).toEqual([
      404,
      { error: expect.objectContaining({ message: expect.stringContaining(hint ?? '') }) },
    ])
  }
})
