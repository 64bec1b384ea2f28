import { readdir, readlink, rename, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { jest } from '@jest/globals'
import { CatalogError } from '../../../../src/core/errors.ts'
import type { Engine, ExportJob, JobOptions } from '../../../../src/engine/engine.ts'
import { ask, must } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import {
  addFile,
  download,
  eventually,
  type Face,
  makeDump,
  makeTable,
  openFace,
  openReader,
  readToEnd,
  rows,
  run,
  sha256,
} from './dump-lab.ts'

/** 28 MB of CSV: more than the kernel takes for a reader that does not read. */
const MANY = 1_000_000

jest.setTimeout(60_000)

let service: TestService
let big: string
const faces: Face[] = []

beforeAll(async () => {
  service = await startTestService()
  await makeTable(service, 'big', [rows(MANY)])
  const { url } = await makeDump(service, '/v1/tables/big/dump')
  big = url
})
afterAll(() => service.close())
afterEach(async () => {
  for (const face of faces.splice(0)) await face.close()
})

async function face(options: Parameters<typeof openFace>[1]): Promise<Face> {
  const opened = await openFace(service, options)
  faces.push(opened)
  return opened
}

/** The real engine, that begins a job when the test lets it. */
function gatedEngine(): {
  engine: Pick<Engine, 'export'>
  open(): void
  fail(): void
  jobs: number
} {
  const { engine } = service.deps.converter.options
  const waiting: { start: () => void; fail: () => void }[] = []
  const gate = {
    jobs: 0,
    engine: {
      async export(job: ExportJob, options?: JobOptions) {
        gate.jobs++
        await new Promise<void>((resolve, reject) => {
          const fail = () => reject(new CatalogError('engine-failed', 'the worker crashed'))
          options?.signal?.addEventListener('abort', fail)
          waiting.push({ start: resolve, fail })
        })
        return engine.export(job, options)
      },
    },
    open: () => waiting.shift()?.start(),
    fail: () => waiting.shift()?.fail(),
  }
  return gate
}

test('rows are sent in order while the dump is made; the last reader may leave', async () => {
  await makeTable(service, 'growing', [rows(1_000), rows(1_000, 1_000), rows(1_000, 2_000)])
  const gate = gatedEngine()
  const { url, dumps } = await face({ engine: gate.engine, limits: { firstWaitMs: 10 } })
  const reader = await openReader(`${url}/v1/tables/growing/dump`)
  let text = ''
  reader.on('data', (chunk) => {
    text += chunk
  })
  reader.resume()
  await eventually(() => gate.jobs > 0)
  gate.open()
  await eventually(() => text.includes('999,name 999,'))
  expect(text).toMatch(/transfer-encoding: chunked/i)
  expect(text).not.toMatch(/content-length|repr-digest/i)
  expect(text).toMatch(/etag: "/i)
  expect(text).not.toContain('1000,name 1000,')
  const status = await must(ask({ url }, '/v1/tables/growing/dump/status'))
  expect(status).toMatchObject({ state: 'running' })
  expect(status.pieces_done).toBeGreaterThan(0)
  reader.destroy()
  const others = [1, 2, 3].map(() => download(`${url}/v1/tables/growing/dump`))
  for (let i = 0; i < 10 && gate.jobs < 3; i++) {
    gate.open()
    await sleep(100)
  }
  gate.open()
  gate.open()
  const whole = await Promise.all(others)
  const digests = whole.map(({ body }) => sha256(body))
  expect(new Set(digests).size).toBe(1)
  expect(gate.jobs).toBe(3)
  const made = await must(ask({ url }, '/v1/tables/growing/dump/status'))
  expect(made).toMatchObject({ sha256: digests[0] })
  await dumps.close()
})

test.each(['1.1', '1.0'])(
  'a failure in the middle resets the connection, for HTTP/%s as well',
  async (httpVersion) => {
    const table = `breaks${httpVersion.replace('.', '_')}`
    await makeTable(service, table, [rows(1_000), rows(1_000, 1_000)])
    const gate = gatedEngine()
    const { url } = await face({ engine: gate.engine, limits: { firstWaitMs: 10 } })
    const address = `/v1/tables/${table}/dump?format=ndjson`
    const reader = await openReader(url + address, { httpVersion })
    const ended = readToEnd(reader)
    const curl = run('curl', ['-s', `--http${httpVersion}`, url + address])
    await eventually(() => gate.jobs > 0)
    gate.open()
    await sleep(1_500)
    gate.fail()
    const { text, end } = await ended
    expect(text).toContain('"id":0')
    expect(end).toBe('reset')
    expect((await curl).stdout).toContain('"id":0')
    expect((await curl).code).toBe(56)
    const failed = await must(ask({ url }, `/v1/tables/${table}/dump/status?format=ndjson`))
    expect(failed).toMatchObject({ state: 'failed', problem: { type: '/problems/engine-failed' } })
    // Next time nothing is sent before it is whole, so that a client learns why it fails.
    const again = ask({ url }, `/v1/tables/${table}/dump?format=ndjson`)
    await eventually(() => gate.jobs > 2)
    gate.fail()
    expect((await again).body).toMatchObject({ status: 503, type: '/problems/engine-failed' })
  },
)

test('who waits for a dump is not idle', async () => {
  await makeTable(service, 'lengthy', [rows(1_000), rows(1_000, 1_000)])
  const gate = gatedEngine()
  const { url } = await face({ engine: gate.engine, idleMs: 200 })
  const waiting = download(`${url}/v1/tables/lengthy/dump?format=ndjson`)
  for (const jobs of [1, 2]) {
    await eventually(() => gate.jobs === jobs)
    await sleep(1_000)
    gate.open()
  }
  const { body, isWhole } = await waiting
  expect(isWhole).toBe(true)
  expect(body.toString().split('\n')).toHaveLength(2_001)
})

test('a part of a dump that is being made waits for it, but not for ever', async () => {
  const [snapshotId] = await makeTable(service, 'later', [rows(1_000)])
  const gate = gatedEngine()
  const { url } = await face({ engine: gate.engine, limits: { indexWaitMs: 300 } })
  const address = `/v1/tables/later/${snapshotId}/dump`
  const headers = { Range: 'bytes=0-3' }
  const early = await ask({ url }, address, { headers })
  expect(early.status).toBe(503)
  expect(early.headers.get('retry-after')).toMatch(/^\d+$/)
  expect(early.body).toMatchObject({ type: '/problems/dump-not-ready' })
  expect((await must(ask({ url }, early.body.status_url))).state).toBe('running')
  expect((await ask({ url }, address.replace('/dump', '/dump.sha256'))).status).toBe(503)
  gate.open()
  await eventually(async () => (await download(url + address, { headers })).status === 206)
})

test('a reader too many gets Retry-After', async () => {
  const { url, metric } = await face({ limits: { streamsMax: 2 } })
  const readers = [await openReader(url + big), await openReader(url + big)]
  await eventually(async () => (await metric('moraine_dump_streams')) === 2)
  const refused = await ask({ url }, big)
  expect(refused.status).toBe(503)
  expect(refused.body).toMatchObject({ type: '/problems/overloaded', streams_max: 2 })
  expect(refused.headers.get('retry-after')).toBe('5')
  expect((await download(url + big, { method: 'HEAD' })).status).toBe(200)
  readers[0]?.destroy()
  await eventually(async () => (await metric('moraine_dump_streams')) === 1)
  expect((await download(url + big)).isWhole).toBe(true)
  readers[1]?.destroy()
})

test('a reader that stalls is cut off, a slow one is not, and files are closed', async () => {
  const { url, metric } = await face({ limits: { stalledMs: 500 } })
  const stalled = await openReader(url + big)
  const slow = await openReader(url + big)
  let slowBytes = 0
  slow.on('data', (chunk) => {
    slowBytes += chunk.length
    slow.pause()
    setTimeout(() => slow.resume(), 2)
  })
  slow.resume()
  const slowEnd = new Promise((resolve) => {
    slow.once('end', () => resolve('end'))
    slow.once('error', () => resolve('reset'))
  })
  await eventually(async () => (await metric('moraine_dump_stalled_readers_total')) === 1)
  const declared = Number((await download(url + big, { method: 'HEAD' })).headers['content-length'])
  // A socket that was paused while the reset came may tell it as an end: of less than was promised.
  expect((await readToEnd(stalled)).text.length).toBeLessThan(declared)
  await eventually(() => slowBytes > declared / 2, 30_000)
  slow.removeAllListeners('data')
  slow.on('data', (chunk) => {
    slowBytes += chunk.length
  })
  expect(await slowEnd).toBe('end')
  expect(slowBytes).toBeGreaterThan(declared)
  await eventually(async () => (await metric('moraine_dump_streams')) === 0)
  expect(await metric('moraine_dump_stalled_readers_total')).toBe(1)
  expect(await openDumpFiles()).toBe(0)
})

test('fifty readers that stall cost little, and are forgotten when they leave', async () => {
  const { url, metric } = await face({})
  const before = external()
  const readers = await Promise.all(Array.from({ length: 50 }, () => openReader(url + big)))
  await eventually(async () => (await metric('moraine_dump_streams')) === 50)
  let sent = -1
  await eventually(async () => {
    const last = sent
    sent = await metric('moraine_dump_bytes_total')
    await sleep(200)
    return last === sent
  })
  expect((external() - before) / 50).toBeLessThan(300 * 1024)
  expect(await openDumpFiles()).toBe(50)
  for (const reader of readers) reader.destroy()
  await eventually(async () => (await metric('moraine_dump_streams')) === 0)
  await eventually(async () => (await openDumpFiles()) === 0)
  // They went because they left, and not for having read nothing for long.
  expect(await metric('moraine_dump_stalled_readers_total')).toBe(0)
})

test('a reader that leaves while nothing is there yet gives its place back at once', async () => {
  await makeTable(service, 'slowly', [rows(10)])
  const gate = gatedEngine()
  const { url, metric } = await face({ engine: gate.engine, limits: { firstWaitMs: 10 } })
  const readers: Socket[] = []
  for (const format of ['csv', 'ndjson', 'parquet']) {
    readers.push(await openReader(`${url}/v1/tables/slowly/dump?format=${format}`))
  }
  await eventually(async () => (await metric('moraine_dump_streams')) >= 2)
  // Parquet is copied, the others wait for the engine.
  await eventually(() => gate.jobs === 2)
  for (const reader of readers) reader.destroy()
  await eventually(async () => (await metric('moraine_dump_streams')) === 0)
  gate.open()
  gate.open()
})

test('a dump whose shard has vanished is made again for whoever asks next', async () => {
  const [snapshotId] = await makeTable(service, 'holes', [rows(1_000)])
  const address = `/v1/tables/holes/${snapshotId}/dump`
  const { sha256: digest } = await makeDump(service, address)
  await removeShards(service, 'csv')
  const { status, body } = await download(service.url + address)
  expect(status).toBe(200)
  expect(sha256(body)).toBe(digest)
})

test('a shard that vanishes mid-stream resets the connection; the next one is whole', async () => {
  const [, snapshotId] = await makeTable(service, 'rotting', [rows(MANY), rows(1_000, MANY)])
  const address = `/v1/tables/rotting/${snapshotId}/dump`
  const { sha256: digest, bytes } = await makeDump(service, address)
  const reader = await openReader(service.url + address)
  await sleep(300)
  await removeShards(service, 'csv')
  const { text, end } = await readToEnd(reader)
  expect(end).toBe('reset')
  expect(text.length).toBeLessThan(bytes)
  const again = await download(service.url + address, { headers: { Prefer: 'wait=50' } })
  expect(sha256(again.body)).toBe(digest)
  expect(again.isWhole).toBe(true)
})

test('a Parquet dump whose data file has vanished names it', async () => {
  const { path, snapshotId } = await addFile(service, 'copied', rows(1_000))
  const address = `/v1/tables/copied/${snapshotId}/dump?format=parquet`
  await makeDump(service, address)
  await rename(path, `${path}.away`)
  const whole = await download(service.url + address)
  const after = await ask(service, address)
  expect(whole.status === 410 || !whole.isWhole).toBe(true)
  expect(after.status).toBe(410)
  expect(after.body).toMatchObject({ type: '/problems/data-file-missing', path: `file://${path}` })
})

/** Memory of this process outside the JavaScript heap, in bytes. */
function external(): number {
  const { external: bytes } = process.memoryUsage()
  return bytes
}

async function openDumpFiles(): Promise<number> {
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  )
  return links.filter((link) => link.includes('/.dumps/') && link.includes('/shards/')).length
}

/** Removes the shards of all tables in this format except headers, like a careless operator. */
async function removeShards({ home }: TestService, format: string): Promise<void> {
  const dumps = `${home}/warehouse/.dumps`
  for (const table of await readdir(dumps)) {
    const shards = `${dumps}/${table}/${format}/shards`
    const names = await readdir(shards).catch(() => [])
    for (const name of names.filter((shard) => !shard.startsWith('header'))) {
      if (table !== bigTable()) await rm(`${shards}/${name}`)
    }
  }
}

function bigTable(): string {
  return big.split('/')[3] ?? ''
}
