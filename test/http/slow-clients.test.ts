import { readdir } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeParquet } from '../parquet-files.ts'
import { ask, must, post } from './client.ts'
import { startTestService, type TestService } from './harness.ts'
import { openConnection, received } from './raw-connection.ts'

const IDLE_MS = 300
const PACE = { periodMs: 200, bytesMin: 1_000 }
/** Below the pace however fast the machine is. */
const TRICKLE = 'x'.repeat(10)
const TRICKLE_MS = 20

const UPLOADS: readonly (readonly [path: string, type: string])[] = [
  ['/v1/tables/t/files', 'application/vnd.apache.parquet'],
  ['/v1/tables/t/files', 'text/csv'],
  ['/v1/transactions/start', 'application/json'],
  ['/iceberg/v1/namespaces', 'application/json'],
]

let service: TestService

async function start(patience: Parameters<typeof startTestService>[0]): Promise<void> {
  service = await startTestService(patience)
  const schema = { columns: [{ name: 'n', type: 'double' }] }
  await must(post(service, '/v1/tables', { name: 't', schema }), 201)
}

const open = () => openConnection(service.url)

function headOf(path: string, type: string, length: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\n${length}\r\n\r\n`
}

async function trickle(socket: Socket, bytes: string): Promise<void> {
  while (socket.writable) {
    socket.write(bytes)
    await sleep(TRICKLE_MS)
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map(({ parentPath, name }) => join(parentPath, name)).sort()
}

async function metrics(): Promise<string> {
  return (await ask(service, '/metrics')).text
}

/** Once the service has done with a body, it holds nothing of it, in memory or on the disk. */
async function untilNothingIsLeft(before: readonly string[]): Promise<void> {
  for (let isLeft = true; isLeft; await sleep(20)) {
    const held = /^moraine_request_body_bytes (\d+)$/m.exec(await metrics())?.[1]
    const files = await filesBelow(join(service.home, 'warehouse'))
    isLeft = held !== '0' || files.join() !== before.join()
  }
}

describe('a body that trickles', () => {
  beforeAll(() => start({ patience: { uploadPace: PACE } }))
  afterAll(() => service.close())

  test.each(
    UPLOADS.flatMap(([path, type]) => [
      [path, type, 'Content-Length: 100000'] as const,
      [path, type, 'Transfer-Encoding: chunked'] as const,
    ]),
  )('is a 408 and leaves nothing: %s, %s, %s', async (path, type, length) => {
    const before = await filesBelow(join(service.home, 'warehouse'))
    const socket = await open()
    const answer = received(socket)
    socket.write(headOf(path, type, length))
    await trickle(socket, length.startsWith('T') ? `a\r\n${TRICKLE}\r\n` : TRICKLE)
    expect(await answer).toMatch(/^HTTP\/1.1 408 /)
    expect(await answer).toMatch(/connection: close/i)
    expect(await answer).toContain('upload-too-slow')
    await untilNothingIsLeft(before)
  })

  test('so it is behind another request on its connection', async () => {
    const socket = await open()
    const answer = received(socket)
    const first = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'
    socket.write(first + headOf('/v1/tables', 'application/json', 'Content-Length: 100000'))
    await trickle(socket, TRICKLE)
    expect(await answer).toMatch(/^HTTP\/1.1 200 .*HTTP\/1.1 408 /s)
  })
})

/** Some megabytes, more than the kernel takes of who does not read. */
async function longTable(): Promise<void> {
  const write = async (name: string, rows: number) => {
    const path = join(service.dataFolder, `${name}.parquet`)
    const text = 'repeat(md5(i::VARCHAR), 40) AS s'
    await writeParquet(path, `SELECT i::DOUBLE AS n, ${text} FROM range(${rows}) t(i)`)
    return path
  }
  const [first, path] = [await write('first', 1), await write('wide', 24_000)]
  await must(post(service, '/v1/tables', { name: 'wide', infer_from: path }), 201)
  await must(post(service, '/v1/tables/wide/files', { files: [{ path: first }] }))
  await must(post(service, '/v1/tables/wide/files', { files: [{ path }] }))
}

const LONG = ['/v1/tables/wide/dump?format=ndjson', '/v1/tables/wide/diff?from=FIRST&rows=true']

describe('a response that is read too slowly', () => {
  const readerPace = { lookMs: 20, looks: 10, bytesMin: 16 * 1024 * 1024 }
  beforeAll(async () => {
    await start({ patience: { readerPace } })
    await longTable()
  })
  afterAll(() => service.close())

  test.each(LONG)('is ended, though its client sends a byte now and then: %s', async (path) => {
    const { snapshots } = await must(ask(service, '/v1/tables/wide/snapshots'))
    const from = snapshots.at(-1).snapshot_id
    const socket = await open()
    const ended = new Promise<string>((resolve) => {
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
      socket.on('close', () => resolve('closed'))
    })
    socket.pause()
    const asked = path.replace('FIRST', from)
    socket.write(`GET ${asked} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n`)
    await trickle(socket, 'G')
    expect(await ended).toMatch(/ECONNRESET|EPIPE|closed/)
  })

  test.each(LONG)('is whole for who reads: %s', async (path) => {
    const { snapshots } = await must(ask(service, '/v1/tables/wide/snapshots'))
    const asked = path.replace('FIRST', snapshots.at(-1).snapshot_id)
    const { status, text } = await ask(service, asked)
    expect(status).toBe(200)
    expect(text.length).toBeGreaterThan(24_000 * 1_280)
  })
})

describe('a client that neither sends nor receives', () => {
  beforeAll(() => start({ patience: { idleMs: IDLE_MS } }))
  afterAll(() => service.close())

  test('is cut off before its request', async () => {
    expect(await received(await open())).toBe('')
  })

  test.each(UPLOADS)('is cut off in the middle of its body: %s, %s', async (path, type) => {
    const before = await filesBelow(join(service.home, 'warehouse'))
    const socket = await open()
    const answer = received(socket)
    socket.write(`${headOf(path, type, 'Content-Length: 100000')}{"name":`)
    expect(await answer).toBe('')
    await untilNothingIsLeft(before)
  })

  test('is cut off in the middle of a long response', async () => {
    const path = join(service.dataFolder, 'long.parquet')
    await writeParquet(path, 'SELECT random() AS n FROM range(3_000_000)')
    await must(post(service, '/v1/tables/t/files', { files: [{ path }] }))
    await ask(service, '/v1/tables/t/dump?format=parquet', { method: 'HEAD' })
    const socket = await open()
    socket.pause()
    socket.write('GET /v1/tables/t/dump?format=parquet HTTP/1.1\r\nHost: localhost\r\n\r\n')
    while (!/status="499"/.test(await metrics())) await sleep(20)
    const text = await received(socket.resume())
    expect(text).toMatch(/^HTTP\/1.1 200 /)
    const total = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN)
    expect(text.length).not.toBeGreaterThan(total)
  })

  test('is not cut off while the service works for it', async () => {
    let letGo: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const { table_id } = await must(ask(service, '/v1/tables/t'))
    const holding = service.deps.commits.inTurns([table_id], () => held)
    const path = join(service.dataFolder, 'short.parquet')
    await writeParquet(path, 'SELECT 1::DOUBLE AS n')
    const answer = post(service, '/v1/tables/t/files', { files: [{ path }] })
    await sleep(4 * IDLE_MS)
    letGo()
    expect((await answer).status).toBe(200)
    await holding
  })
})
