import type { Socket } from 'node:net'
import { startTestService, type TestService } from './harness.ts'
import { openConnection, received } from './raw-connection.ts'

const CONNECTIONS_MAX = 10

let service: TestService
let sockets: Socket[]

beforeAll(async () => {
  service = await startTestService({
    environment: { MORAINE_CONNECTIONS: String(CONNECTIONS_MAX) },
  })
})
beforeEach(() => {
  sockets = []
})
afterEach(async () => {
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          if (socket.closed) return resolve()
          socket.once('close', () => resolve())
          socket.destroy()
        }),
    ),
  )
})
afterAll(() => service.close())

async function open(): Promise<Socket> {
  const socket = await openConnection(service.url)
  sockets.push(socket)
  return socket
}

function ask(socket: Socket, head: string, until?: string): Promise<string> {
  const answer = received(socket, until)
  socket.write(`${head} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  return answer
}

test('a request on a connection too many is a 503, and the connection is closed', async () => {
  for (let i = 0; i < CONNECTIONS_MAX; i++) await open()
  const answer = await ask(await open(), 'GET /v1/tables')
  expect(answer).toMatch(/^HTTP\/1.1 503 /)
  expect(answer).toContain('/problems/overloaded')
  expect(answer).toMatch(/retry-after: 1/i)
  const model = await ask(await open(), 'GET /iceberg/v1/config')
  expect(model).toMatch(/^HTTP\/1.1 429 /)
  // Who watches it learns that it lives.
  expect(await ask(await open(), 'GET /health')).toMatch(/^HTTP\/1.1 200 /)
  sockets[0]?.destroy()
  const [, second] = sockets
  expect(await ask(second as Socket, 'GET /v1/tables', ']')).toMatch(/^HTTP\/1.1 200 /)
})

describe('a client that waits to be told to send its body', () => {
  const head = (path: string, type: string, length: number) =>
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\n` +
    `Content-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`

  test.each([
    ['an unknown route', '/v1/nowhere', 'application/json', 404],
    ['an unknown table', '/v1/tables/nowhere/files', 'application/octet-stream', 404],
    ['another media type', '/v1/tables', 'text/plain', 415],
    ['on Iceberg REST', '/iceberg/v1/namespaces', 'text/plain', 415],
  ])('is not told so for %s', async (_what, path, type, status) => {
    const socket = await open()
    const answer = received(socket)
    socket.write(head(path, type, 1_000_000))
    expect(await answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(await answer).toMatch(/connection: close/i)
  })

  test('is not told so for a body that is too large', async () => {
    const socket = await open()
    const answer = received(socket)
    socket.write(head('/v1/transactions/start', 'application/json', 100_000_000))
    expect(await answer).toMatch(/^HTTP\/1.1 413 /)
  })

  test('is told so when the body is wanted', async () => {
    const socket = await open()
    const told = received(socket, '100 Continue')
    socket.write(head('/v1/transactions/start', 'application/json', 2))
    expect(await told).toMatch(/^HTTP\/1.1 100 Continue\r\n/)
    const answer = received(socket, 'transaction_id')
    socket.write('{}')
    expect(await answer).toMatch(/^HTTP\/1.1 201 /)
  })
})
