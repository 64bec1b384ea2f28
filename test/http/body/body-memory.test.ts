import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { BodyMemory } from '../../../src/http/body/body-memory.ts'
import { ask, must, post } from '../client.ts'
import { startTestService, type TestService } from '../harness.ts'

const MIB = 1024 * 1024
const MEMORY_BYTES = 32 * MIB
/** What long bodies may take of it. */
const LONG_BODIES_BYTES = 28 * MIB
const BODY_BYTES = 4 * MIB
const CLIENTS = 16
const BODY = Buffer.alloc(BODY_BYTES, ' ')

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

let service: TestService
let sockets: Socket[] = []

beforeAll(async () => {
  service = await startTestService({ environment: { MORAINE_BODY_MEMORY: '32MB' } })
})
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  sockets = []
})
afterAll(() => service.close())

async function heldBytes(): Promise<number> {
  const { text } = await ask(service, '/metrics')
  return Number(/^moraine_request_body_bytes (\d+)$/m.exec(text)?.[1])
}

async function untilHeld(bytes: number): Promise<void> {
  while ((await heldBytes()) !== bytes) await new Promise(setImmediate)
}

interface HalfSent {
  readonly socket: Socket
  /** Head of the response, once there is one. */
  readonly answer: Promise<string>
}

/** A request whose last byte is missing. */
function sendMost(path: string, how: 'announced' | 'in chunks'): HalfSent {
  const { hostname, port } = new URL(service.url)
  const socket = connect(Number(port), hostname)
  sockets.push(socket)
  const answer = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => resolve(String(chunk)))
    socket.on('error', () => resolve(''))
  })
  const announced = how === 'announced'
  const framing = announced ? `Content-Length: ${BODY_BYTES}` : 'Transfer-Encoding: chunked'
  const subtype = path.endsWith('/files') ? 'vnd.apache.parquet' : 'json'
  const type = `Content-Type: application/${subtype}`
  socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\n${type}\r\n${framing}\r\n\r\n`)
  const part = BODY.subarray(0, announced ? BODY_BYTES - 1 : BODY_BYTES)
  if (!announced) socket.write(`${part.length.toString(16)}\r\n`)
  socket.write(part)
  return { socket, answer }
}

const REST = '/iceberg/v1/transactions/commit'

test.each([
  ['announced', REST, 429],
  ['in chunks', REST, 429],
  ['announced', '/v1/tables', 503],
] as const)('half-sent bodies %s to %s take no more than there is', async (how, path, status) => {
  collect()
  const before = process.memoryUsage().arrayBuffers
  const sent = Array.from({ length: CLIENTS }, () => sendMost(path, how))
  const refusals: string[] = []
  for (const { answer } of sent) void answer.then((head) => refusals.push(head))
  const sentBytes = how === 'announced' ? BODY_BYTES - 1 : BODY_BYTES
  let held = 0
  do {
    held = await heldBytes()
    expect(held).toBeLessThanOrEqual(MEMORY_BYTES)
  } while (held !== (CLIENTS - refusals.length) * sentBytes)
  expect(held).toBeGreaterThan(0)
  // Until then the first 64 KiB of some had the room of short bodies.
  expect(held).toBeLessThanOrEqual(LONG_BODIES_BYTES)
  // What refused connections still had under way goes with their next turns.
  let room = 200
  do {
    await new Promise(setImmediate)
    collect()
  } while (process.memoryUsage().arrayBuffers - before >= MEMORY_BYTES + 16 * MIB && room-- > 0)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MEMORY_BYTES + 16 * MIB)
  for (const head of refusals) {
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*retry-after: \\d`, 'i'))
  }
  // Short bodies have room of their own.
  await must(post(service, '/v1/transactions/start', {}), 201)
  // Connections that are cut give back what they held.
  for (const { socket } of sent) socket.destroy()
  await untilHeld(0)
})

test('uploads take what is held of each, and those that have no room are refused', async () => {
  const columns = [{ name: 'n', type: 'long' }]
  await must(post(service, '/v1/tables', { name: 'held', schema: { columns } }), 201)
  const uploads = 40
  const sent = Array.from({ length: uploads }, () => sendMost('/v1/tables/held/files', 'announced'))
  const refusals: string[] = []
  for (const { answer } of sent) void answer.then((head) => refusals.push(head))
  while (refusals.length < uploads - LONG_BODIES_BYTES / MIB) {
    // Its first 64 KiB are those of a short body, for which there is room beside the long ones.
    expect(await heldBytes()).toBeLessThanOrEqual(MEMORY_BYTES)
  }
  for (const head of refusals) expect(head).toMatch(/^HTTP\/1.1 503 .*retry-after: \d/is)
  for (const { socket } of sent) socket.destroy()
  await untilHeld(0)
})

test('a body that has no room is refused before it is asked for, with what to do', async () => {
  const sent = Array.from({ length: 6 }, () => sendMost(REST, 'announced'))
  await untilHeld(sent.length * (BODY_BYTES - 1))
  const raw = ' '.repeat(5 * MIB)
  const headers = { 'Content-Type': 'application/json' }
  const refused = await ask(service, '/v1/tables', { method: 'POST', raw, headers })
  expect(refused).toMatchObject({
    status: 503,
    body: { type: '/problems/overloaded', setting: 'MORAINE_BODY_MEMORY', bytes_max: MEMORY_BYTES },
  })
  expect(await heldBytes()).toBe(sent.length * (BODY_BYTES - 1))
})

test('a body gives its memory back when it is used, refused or broken', async () => {
  await must(post(service, '/v1/tables', { name: 'a', schema: { columns: [] } }), 422)
  await must(post(service, '/v1/transactions/start', {}), 201)
  const headers = { 'Content-Type': 'application/json' }
  for (const raw of ['{', '[1,'.repeat(200), ' '.repeat(2 * MIB), `"${'x'.repeat(900_000)}"`]) {
    const { status } = await ask(service, '/v1/transactions/start', {
      method: 'POST',
      raw,
      headers,
    })
    expect(status).toBeGreaterThanOrEqual(400)
  }
  expect(await heldBytes()).toBe(0)
})

test('what one request may not take, another may', () => {
  const memory = new BodyMemory(8 * MIB)
  const [long, other, short] = [memory.share(), memory.share(), memory.share()]
  long.take(7 * MIB)
  expect(() => long.take(1)).toThrow('as much memory as they may')
  expect(() => other.take(100 * 1024)).toThrow('as much memory as they may')
  short.take(64 * 1024)
  expect(() => short.take(1)).toThrow('as much memory as they may')
  expect(memory.heldBytes).toBe(7 * MIB + 64 * 1024)
  long.release()
  other.take(7 * MIB - 64 * 1024)
  for (const share of [long, other, short]) share.release()
  expect(memory.heldBytes).toBe(0)
})
