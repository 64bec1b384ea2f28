import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { jest } from '@jest/globals'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import type { Json } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { querySql } from '../../../parquet-files.ts'
import {
  addFile,
  makeDump,
  makeTable,
  openCuttingProxy,
  rows,
  run,
  sha256,
  testWith,
} from './dump-lab.ts'

jest.setTimeout(60_000)

const ROWS = 300_000
let service: TestService
let folder: string
let csv: Json

beforeAll(async () => {
  service = await startTestService()
  folder = await mkdtemp(join(tmpdir(), 'moraine-downloads-'))
  await makeTable(service, 'flights', [rows(200_000), rows(100_000, 200_000)])
  csv = await makeDump(service, '/v1/tables/flights/dump?format=csv')
})
afterAll(async () => {
  await service.close()
  await rm(folder, { recursive: true, force: true })
})

const file = (name: string) => join(folder, name)

async function requireDigest(path: string, status: Json): Promise<void> {
  expect((await stat(path)).size).toBe(status.bytes)
  expect(sha256(await readFile(path))).toBe(status.sha256)
}

test('curl -C - goes on where the connection was cut, and the digest is right', async () => {
  const proxy = await openCuttingProxy(service.url, { afterBytes: 3_000_000, times: 2 })
  const url = `http://127.0.0.1:${proxy.port}${csv.url}`
  const path = file('curl.csv')
  const cut = await run('curl', ['-sfL', '-o', path, url])
  expect(cut.code).toBe(18)
  const size = (await stat(path)).size
  expect(size).toBeGreaterThan(2_000_000)
  expect((await run('curl', ['-sfL', '-C', '-', '-o', path, url])).code).not.toBe(0)
  expect((await stat(path)).size).toBeGreaterThan(size)
  expect((await run('curl', ['-sfL', '-C', '-', '-o', path, url])).code).toBe(0)
  expect(proxy.cuts).toBe(2)
  await requireDigest(path, csv)
  await proxy.close()
})

test('curl saves under the announced name, and sha256sum checks it', async () => {
  const url = `${service.url}/v1/tables/flights/dump?format=csv`
  expect((await run('curl', ['-sfLOJ', url], { cwd: folder })).code).toBe(0)
  await requireDigest(file(csv.file_name), csv)
  const { stdout } = await run('curl', ['-sf', url.replace('/dump?', '/dump.sha256?')])
  await writeFile(file('sums'), stdout)
  const checked = await run('sha256sum', ['-c', 'sums'], { cwd: folder })
  expect(checked.stdout).toBe(`${csv.file_name}: OK\n`)
})

test('curl -f stops at a moving address instead of joining halves of two snapshots', async () => {
  await makeTable(service, 'moving', [rows(1_000)])
  const url = `${service.url}/v1/tables/moving/dump`
  const path = file('moving.csv')
  await run('curl', ['-sfL', '-o', path, url])
  await truncate(path, 500)
  await addFile(service, 'moving', rows(1_000, 1_000))
  const resumed = await run('curl', ['-sfL', '-C', '-', '-o', path, url])
  expect(resumed.code).toBe(22)
  expect((await stat(path)).size).toBe(500)
})

test('yesterday’s file gets only the new tail by curl -C -', async () => {
  const [first] = await makeTable(service, 'daily', [rows(10_000)])
  const before = await makeDump(service, `/v1/tables/daily/${first}/dump`)
  const path = file('daily.csv')
  await run('curl', ['-sfL', '-o', path, service.url + before.url])
  await addFile(service, 'daily', rows(100, 10_000))
  const after = await makeDump(service, '/v1/tables/daily/dump')
  expect(after.extends).toEqual({
    ...{ snapshot_id: first, byte: before.bytes },
    ...{ edition: before.edition, file_name: before.file_name },
  })
  const tail = await run('curl', [
    ...['-sfL', '-C', '-', '-o', path, '-w', '%{size_download}'],
    service.url + after.url,
  ])
  expect(Number(tail.stdout)).toBe(after.bytes - before.bytes)
  await requireDigest(path, after)
})

testWith('wget')('wget -c goes on after a cut, and leaves a whole file alone', async () => {
  const proxy = await openCuttingProxy(service.url, { afterBytes: 2_000_000 })
  const path = file('wget.csv')
  const args = ['-q', '-c', '--tries=1', '-O', path, `http://127.0.0.1:${proxy.port}${csv.url}`]
  await run('wget', args)
  expect((await stat(path)).size).toBeLessThan(csv.bytes)
  expect((await run('wget', args)).code).toBe(0)
  expect(proxy.cuts).toBe(1)
  await requireDigest(path, csv)
  expect((await run('wget', args)).code).toBe(0)
  await requireDigest(path, csv)
  await proxy.close()
})

testWith('aria2c')(
  'aria2c takes it over four connections, also from a moving address',
  async () => {
    const args = ['-q', '-x4', '-s4', '-k1M', '-d', folder]
    const pinned = await run('aria2c', [...args, '-o', 'aria.csv', service.url + csv.url])
    expect(pinned.code).toBe(0)
    await requireDigest(file('aria.csv'), csv)
    const url = `${service.url}/v1/tables/flights/dump?format=csv`
    expect((await run('aria2c', [...args, '-o', 'aria-moving.csv', url])).code).toBe(0)
    await requireDigest(file('aria-moving.csv'), csv)
  },
)

testWith('aria2c')('aria2c goes on after a cut', async () => {
  const proxy = await openCuttingProxy(service.url, { afterBytes: 1_500_000, times: 3 })
  const url = `http://127.0.0.1:${proxy.port}${csv.url}`
  const args = ['-q', '-c', '-x4', '-k1M', '--retry-wait=1', '-m', '20', '-d', folder]
  expect((await run('aria2c', [...args, '-o', 'aria-cut.csv', url])).code).toBe(0)
  // Connections that were open when one was cut may be cut as well.
  expect(proxy.cuts).toBeGreaterThanOrEqual(3)
  await requireDigest(file('aria-cut.csv'), csv)
  await proxy.close()
})

testWith('python3')('Python’s csv reads every row', async () => {
  const path = file('python.csv')
  await run('curl', ['-sfL', '-o', path, service.url + csv.url])
  const script = `import csv, sys
rows = list(csv.reader(open(sys.argv[1], newline='')))
print(len(rows), rows[0], rows[-1])`
  const { stdout } = await run('python3', ['-c', script, path])
  const last = `['${ROWS - 1}', 'name ${ROWS - 1}', '${((ROWS - 1) * 1.5).toFixed(1)}']`
  expect(stdout.trim()).toBe(`${ROWS + 1} ['id', 'name', 'x'] ${last}`)
})

test('a gzip file is read by zcat, by Python and by Node, and holds the same bytes', async () => {
  const status = await makeDump(service, '/v1/tables/flights/dump?format=csv&compression=gzip')
  const path = file('flights.csv.gz')
  const headers = await run('curl', [
    '-sfL',
    '--compressed',
    '-D',
    '-',
    '-o',
    path,
    service.url + status.url,
  ])
  expect(headers.stdout).toMatch(/content-type: application\/gzip/i)
  expect(headers.stdout).not.toMatch(/content-encoding/i)
  await requireDigest(path, status)
  expect(sha256(gunzipSync(await readFile(path)))).toBe(csv.sha256)
  const zcat = await run('sh', ['-c', `zcat '${path}' | sha256sum`])
  expect(zcat.stdout.slice(0, 64)).toBe(csv.sha256)
  const script = `import gzip, hashlib, sys
print(hashlib.sha256(gzip.open(sys.argv[1]).read()).hexdigest())`
  const python = await run('python3', ['-c', script, path])
  if (python.code === 0) expect(python.stdout.trim()).toBe(csv.sha256)
})

test('the Parquet file, split over ranges, is one table for DuckDB and for hyparquet', async () => {
  const status = await makeDump(service, '/v1/tables/flights/dump?format=parquet')
  const path = file('flights.parquet')
  const half = Math.floor(status.bytes / 2)
  const url = service.url + status.url
  await run('curl', ['-sf', '-r', `0-${half - 1}`, '-o', `${path}.1`, url])
  await run('curl', ['-sf', '-r', `${half}-`, '-o', `${path}.2`, url])
  await run('sh', ['-c', `cat '${path}.1' '${path}.2' > '${path}'`])
  await requireDigest(path, status)
  const [sums] = await querySql(
    `SELECT count(*)::INT AS n, sum(id)::VARCHAR AS ids, max(name) AS name FROM '${path}'`,
  )
  expect(sums).toEqual({
    n: ROWS,
    ids: String((ROWS * (ROWS - 1)) / 2),
    name: 'name 99999',
  })
  const buffer = await asyncBufferFromFile(path)
  const last = await parquetReadObjects({ file: buffer, compressors, rowStart: ROWS - 1 })
  expect(last).toEqual([{ id: BigInt(ROWS - 1), name: `name ${ROWS - 1}`, x: expect.anything() }])
})

test('DuckDB reads NDJSON and CSV as they came', async () => {
  const status = await makeDump(service, '/v1/tables/flights/dump?format=ndjson')
  const path = file('flights.ndjson')
  await run('curl', ['-sfL', '-o', path, service.url + status.url])
  await requireDigest(path, status)
  const count = 'SELECT count(*)::INT AS n, sum(id)::VARCHAR AS ids FROM'
  const [fromJson] = await querySql(`${count} read_json('${path}')`)
  await run('curl', ['-sfL', '-o', file('duckdb.csv'), service.url + csv.url])
  const [fromCsv] = await querySql(`${count} read_csv('${file('duckdb.csv')}')`)
  expect(fromJson).toEqual({ n: ROWS, ids: String((ROWS * (ROWS - 1)) / 2) })
  expect(fromCsv).toEqual(fromJson)
})
