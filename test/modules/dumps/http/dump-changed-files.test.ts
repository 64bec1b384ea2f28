import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { ask, must, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { forgetFooter } from '../../../lake/forget-footer.ts'
import { querySql } from '../../../parquet-files.ts'
import { download, makeDump, sha256 } from './dump-lab.ts'

let service: TestService
let tables = 0
let name: string
let paths: string[]

beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())
beforeEach(() => {
  name = `t${++tables}`
  paths = []
})

/** A file whose middle value is neither its least nor its greatest, so no statistics have it. */
async function addFile(): Promise<Buffer> {
  const path = `${service.dataFolder}/${name}-${paths.length}.parquet`
  const rows = "(VALUES (1, 'a'), (2, 'needle'), (3, 'z')) AS t(i, s)"
  await querySql(`COPY (FROM ${rows}) TO '${path}' (FORMAT parquet, COMPRESSION uncompressed)`)
  if (paths.length === 0) {
    await must(post(service, '/v1/tables', { name, infer_from: path }), 201)
  }
  paths.push(path)
  await must(post(service, `/v1/tables/${name}/files`, { files: [{ path }] }))
  return readFile(path)
}

/** Overwrites a file in place, as with another time of modification. */
async function replace(path: string, bytes: Buffer): Promise<void> {
  await writeFile(path, bytes)
  const later = new Date(Date.now() + 60_000 + tables * 1000)
  await utimes(path, later, later)
}

test('another file with the same size and time is a change, too', async () => {
  const bytes = await addFile()
  await makeDump(service, `/v1/tables/${name}/dump?format=parquet`)
  const [path = ''] = paths
  const { mtime } = await stat(path)
  await writeFile(`${path}.new`, withOtherPage(bytes))
  await rename(`${path}.new`, path)
  await utimes(path, mtime, mtime)
  expect((await dump('parquet')).body).toMatchObject({ type: '/problems/data-file-changed' })
})

/** The same size, rows and footer; another value in a page. */
function withOtherPage(bytes: Buffer): Buffer {
  const other = Buffer.from(bytes)
  other.write('beedle', other.indexOf('needle'))
  return other
}

/** The same size, rows and pages; another footer. */
function withOtherFooter(bytes: Buffer): Buffer {
  const other = Buffer.from(bytes)
  other.write('duckDB', other.lastIndexOf('DuckDB'))
  return other
}

function dump(format: string) {
  return ask(service, `/v1/tables/${name}/dump?format=${format}`)
}

test.each([
  ['a page', withOtherPage],
  ['the footer', withOtherFooter],
])('a file that was replaced by one with %s changed is a 410 with its name', async (_, other) => {
  const bytes = await addFile()
  await addFile()
  const before = await makeDump(service, `/v1/tables/${name}/dump?format=parquet`)
  const [, path = ''] = paths
  await replace(path, other(bytes))
  const refused = await dump('parquet')
  expect([refused.status, refused.body]).toMatchObject([
    410,
    { type: '/problems/data-file-changed', path: `file://${path}` },
  ])
  // A range without the file is what it was.
  const headers = { Range: 'bytes=0-9' }
  expect((await download(service.url + before.url, { headers })).status).toBe(206)

  await replace(path, bytes)
  const restored = await download(service.url + before.url)
  expect(sha256(restored.body)).toBe(before.sha256)
  expect(restored.headers.etag).toBe(before.etag)
})

test('a copy of equal bytes is no change, at another time and under another inode', async () => {
  const bytes = await addFile()
  const before = await makeDump(service, `/v1/tables/${name}/dump?format=parquet`)
  await rm(paths[0] ?? '')
  await replace(paths[0] ?? '', bytes)
  for (let i = 0; i < 2; i++) {
    const { status, body } = await download(service.url + before.url)
    expect([status, sha256(body)]).toEqual([200, before.sha256])
  }
})

test('the next dump is not made of a replaced file either', async () => {
  const bytes = await addFile()
  await makeDump(service, `/v1/tables/${name}/dump?format=parquet`)
  await replace(paths[0] ?? '', withOtherPage(bytes))
  await addFile()
  const refused = await dump('parquet')
  expect([refused.status, refused.body.path]).toEqual([410, `file://${paths[0]}`])
  await replace(paths[0] ?? '', bytes)
  await makeDump(service, `/v1/tables/${name}/dump?format=parquet`)
})

test('a text that was made keeps its rows; what is not made of it yet is refused', async () => {
  const bytes = await addFile()
  const before = await makeDump(service, `/v1/tables/${name}/dump`)
  await replace(paths[0] ?? '', withOtherFooter(bytes))
  expect((await dump('csv')).text).toBe('i,s\n1,a\n2,needle\n3,z\n')
  await addFile()
  const after = await makeDump(service, `/v1/tables/${name}/dump`)
  expect(after.extends).toMatchObject({ byte: before.bytes })
})

test('one that was replaced by one of another number of rows is refused by all', async () => {
  await addFile()
  const [path = ''] = paths
  const rows = "(SELECT range::INT AS i, 'a' AS s FROM range(7))"
  await querySql(`COPY (FROM ${rows}) TO '${path}.new' (FORMAT parquet)`)
  await rename(`${path}.new`, path)
  const sql = { sql: `SELECT count(*) AS n FROM ${name}` }
  const query = { source: { table: name }, columns: ['i'] }
  const requests = () => [
    // What is sent as it is made is cut off if the failure comes after its first line.
    ask(service, `/v1/tables/${name}/dump.sha256?format=csv`),
    dump('parquet'),
    ask(service, `/v1/tables/${name}/rows`),
    ask(service, `/v1/tables/${name}/columns/i/statistics`),
    post(service, '/v1/query', sql),
    post(service, '/v1/query', query),
  ]
  for (const { status, body } of await Promise.all(requests())) {
    expect([status, body]).toMatchObject([410, { type: '/problems/data-file-changed' }])
    expect(body.path).toBe(`file://${path}`)
  }
  // As another writer's commit leaves it, which does not say what the footer was.
  await forgetFooter(service.deps.catalog, name, `file://${path}`)
  for (const { status, body } of await Promise.all(requests())) {
    expect([status, body]).toMatchObject([422, { type: '/problems/file-corrupt' }])
    expect(body.detail).toMatch(/it has 7 rows where the table counts 3/)
    expect(body.path).toBe(`file://${path}`)
  }
})
